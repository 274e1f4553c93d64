"""One window's work: what is open, and who is told when it changes."""

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

from psygnal import Signal, SignalGroup

from medseg.domain import Image, Segmentation
from medseg.errors import InputError
from medseg.geometry import same_grid
from napari_medseg.workspace.autosave import SUFFIX, Kept, read_kept, unfinished
from napari_medseg.workspace.mask import Change, EditedMask

__all__ = ["Session", "SessionEvents"]


class SessionEvents(SignalGroup):
    """What happened; each tells the uid it happened to. `mask_edited` tells the Change too."""

    image_added = Signal(str)
    image_changed = Signal(str)
    image_removed = Signal(str)
    mask_added = Signal(str)
    mask_changed = Signal(str)
    mask_edited = Signal(str, object)
    mask_removed = Signal(str)


class Session:
    """Images and masks of one window by uid, in the order in which they came.

    Panels and layers are views of it: they change it by its methods and follow its events. It knows neither.

    Parameters
    ----------
    keep_in
        Folder where work is kept until it is saved; None keeps none.
    """

    def __init__(self, keep_in: Path | None = None) -> None:
        self.keep_in = keep_in
        self.events = SessionEvents()
        self._images: dict[str, Image] = {}
        self._masks: dict[str, EditedMask] = {}

    @property
    def images(self) -> dict[str, Image]:
        """Images by uid; a copy."""
        return dict(self._images)

    @property
    def masks(self) -> dict[str, EditedMask]:
        """Masks by uid; a copy."""
        return dict(self._masks)

    def add_image(self, image: Image) -> str:
        """Take in an image; its uid. The same image again keeps the uid it has."""
        for uid, known in self._images.items():
            if known is image:
                return uid
        uid = uuid4().hex
        self._images[uid] = image
        self.events.image_added.emit(uid)
        return uid

    def add_mask(self, segmentation: Segmentation, *, image: str | None = None, file: str = "") -> EditedMask:
        """Take in a mask, of the image `image`, else of the one image on its grid that is open.

        `file` is where it was read; one that is in no file yet is kept on disk at once.
        """
        uid = uuid4().hex
        on_grid = image or next(self._on_grid_of(segmentation), None)
        mask = EditedMask(uid, segmentation, on_grid, file=file)
        mask.keep_at, mask.link = self._journal_of(uid, file)
        self._put(mask)
        if not file:
            mask.keep()
        return mask

    def left_over(self) -> dict[Path, Kept]:
        """Work of windows that are gone: what was not saved, by the file that holds it; the newest first."""
        found: dict[Path, Kept] = {}
        for path in unfinished(self.keep_in) if self.keep_in is not None else ():
            with suppress(InputError):
                kept = read_kept(path)
                if kept.unsaved:
                    found[path] = kept
                else:
                    path.resolve().unlink()
        return found

    def reopen(self, path: Path) -> EditedMask:
        """Take in a mask with the work that a journal's file holds, and go on with it."""
        kept = read_kept(path)
        uid = uuid4().hex
        mask = EditedMask(uid, kept.before, next(self._on_grid_of(kept.before), None), file=kept.mask)
        mask.continue_from(path, kept)
        self._put(mask)
        return mask

    def mask(self, uid: str) -> EditedMask:
        """The mask with this uid.

        Raises
        ------
        InputError
            If it is not open any more.
        """
        try:
            return self._masks[uid]
        except KeyError:
            raise InputError("this mask is not open any more; open or make it again") from None

    def remove(self, uid: str) -> None:
        """Forget an image or a mask; what is not there is no fault, since layers may be closed in any order."""
        if self._images.pop(uid, None) is not None:
            self.events.image_removed.emit(uid)
        mask = self._masks.pop(uid, None)
        if mask is not None:
            mask.close()
            self.events.mask_removed.emit(uid)

    def close(self) -> None:
        """Let go of every file."""
        for mask in self._masks.values():
            mask.close()

    def _put(self, mask: EditedMask) -> None:
        self._masks[mask.uid] = mask
        mask.changed.connect(partial(self._edited, mask.uid))
        self.events.mask_added.emit(mask.uid)

    def _edited(self, uid: str, change: Change) -> None:
        self.events.mask_edited.emit(uid, change)
        self.events.mask_changed.emit(uid)

    def _journal_of(self, uid: str, file: str) -> tuple[Path | None, Path | None]:
        """Beside the mask's file where that may be written, with a link to it; else among the work."""
        if self.keep_in is None:
            return None, None
        own = self.keep_in / f"{uid}{SUFFIX}"
        if not file or not os.access(Path(file).parent, os.W_OK):
            return own, None
        return Path(file).with_name(f"{Path(file).name}.{uid[:8]}{SUFFIX}"), own

    def _on_grid_of(self, segmentation: Segmentation) -> Iterator[str]:
        return (uid for uid, image in self._images.items() if same_grid(image.grid, segmentation.grid))
