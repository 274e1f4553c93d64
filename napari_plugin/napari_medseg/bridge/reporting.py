"""A report of what the window shows at this moment."""

from pathlib import Path
from typing import TYPE_CHECKING

from medseg.domain import Image, Segmentation
from medseg.domain.plan import MeasurePlan
from medseg.errors import InputError
from medseg.workflows.publish import PublishOptions, obstacles
from medseg.workflows.report import PageLook
from napari_medseg.bridge.now import grey_windows, images_now, mask_now
from napari_medseg.bridge.window import review_of, window_of
from napari_medseg.workspace.learn import Lesson
from napari_medseg.workspace.review import Asked, channels_of

if TYPE_CHECKING:
    from napari import Viewer

__all__ = ["ask_report", "images_of_mask", "lesson_of", "obstacles_now"]


def images_of_mask(viewer: "Viewer", uid: str, mask: Segmentation) -> tuple[dict[str, Image], dict[str, str]]:
    """Images that a mask is measured on, by channel as they are shown now, and the uid of each."""
    images = images_now(viewer)
    on = window_of(viewer).session.mask(uid).image
    found = channels_of(mask, images, on)
    uids = {id(image): name for name, image in images.items()}
    return found, {channel: uids[id(image)] for channel, image in found.items()}


def obstacles_now(viewer: "Viewer", uid: str | None) -> dict[str, str]:
    """Why a view can't be written of a mask; `mask` holds for all of them."""
    if uid is None:
        return {"mask": "no mask is open"}
    session = window_of(viewer).session
    mask = session.mask(uid)
    images = (
        {} if mask.image is None or mask.image not in session.images else {"": session.images[mask.image]}
    )
    return obstacles(mask.before.grid, images or session.images, is_empty=not mask.labels.any())


def ask_report(
    viewer: "Viewer",
    uid: str | None,
    folder: Path,
    *,
    views: tuple[tuple[str, ...], tuple[str, ...]],
    plan: MeasurePlan | None = None,
    subject: str | None = None,
    windowed: bool = True,
    force: bool = False,
) -> Asked:
    """A report of a mask as it is shown now; `views` are pages and tables, and objects.

    Without a `plan` it measures what the numbers in the window show.

    Raises
    ------
    InputError
        If no mask or no folder is chosen, or an earlier report is in it and may not be replaced.
    """
    if uid is None:
        raise InputError("make or open a mask first")
    if folder == Path():
        raise InputError("choose a folder for the report first")
    plan = plan or window_of(viewer).session.mask(uid).plan
    mask = mask_now(viewer, uid)
    images, uids = images_of_mask(viewer, uid, mask)
    look = PageLook(windows=grey_windows(viewer, uids) if windowed else ())
    # Several images were taken for those of one space when the mask was made from them.
    several = len(images) > 1
    options = PublishOptions(*views, subject=subject, plan=plan, same_space=several, look=look, force=force)
    return review_of(viewer).ask(uid, mask, images, folder, options)


def lesson_of(viewer: "Viewer", uid: str | None, folder: Path, *, case: str, subject: str) -> Lesson:
    """A mask as it is shown now, with the images that it is measured on, as a case to learn from.

    Raises
    ------
    InputError
        If no mask or no folder is chosen.
    """
    if uid is None:
        raise InputError("make or open a mask first")
    mask = mask_now(viewer, uid)
    return Lesson(mask, images_of_mask(viewer, uid, mask)[0], folder, case, subject)
