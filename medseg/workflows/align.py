"""The common space of a follow-up: the same frame, a transform given, or a registration; never assumed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, Run
from medseg.domain.followup import Alignment
from medseg.domain.values import as_details
from medseg.errors import InputError
from medseg.followup.register import register_rigid
from medseg.geometry import same_grid

__all__ = ["BASELINE", "align_scans", "shown_image"]

BASELINE = Alignment("baseline", np.eye(4), "the baseline scan gives the common space", 0.0)


def align_scans(
    grids: Sequence[Grid],
    images: Sequence[Mapping[str, Image]],
    *,
    same_space: bool = False,
    transforms: Mapping[int, NDArray[np.float64]] | None = None,
    run: Run | None = None,
) -> tuple[Alignment, ...]:
    """How positions of each scan become those of the first.

    Parameters
    ----------
    grids, images
        Grid of each mask, and images by channel, in order of time.
    same_space
        The user states that all scans share one world space.
    transforms
        Index of a scan → position of the common space → position of that scan; without one for the first scan, the
        common space is its own.
    run
        Progress, and whether to stop.

    Raises
    ------
    InputError
        If the space of a scan can't be known, or a registration is too poor to use, with the figure.
    """
    given = transforms or {}
    run = run or Run()
    found = [BASELINE]
    frames = [_frame(grid, own) for grid, own in zip(grids, images, strict=True)]
    for number in range(1, len(grids)):
        run.check()
        run.progress(number - 1, len(grids) - 1, f"aligning scan {number + 1}")
        if number in given:
            found.append(_by_transform(given, number))
        elif same_space:
            words = "stated: both scans share one world space; nothing checked it"
            found.append(Alignment("stated", np.eye(4), words))
        elif (frame := frames[0]) and frame == frames[number]:
            words = (
                "both scans have one DICOM frame of reference, which does not prove that the patient lay alike: "
                "see the picture"
            )
            found.append(Alignment("same frame", np.eye(4), words))
        else:
            found.append(_by_registration(images[0], images[number], number))
    return tuple(found)


def _frame(grid: Grid, images: Mapping[str, Image]) -> str | None:
    """Frame of reference of a mask, or of an image on its grid: files of masks seldom say it."""
    known = (image.grid for image in images.values() if image.grid.frame_of_reference)
    own = (
        item.frame_of_reference for item in known if same_grid(replace(item, frame_of_reference=None), grid)
    )
    return grid.frame_of_reference or next(own, None)


def _by_transform(given: Mapping[int, NDArray[np.float64]], number: int) -> Alignment:
    matrix = given.get(0, np.eye(4)) @ np.linalg.inv(given[number])
    return Alignment("transform", matrix, "by the transform given; nothing checked it but the picture")


def _by_registration(first: Mapping[str, Image], later: Mapping[str, Image], number: int) -> Alignment:
    one, two = _same_channel(first, later)
    if one is None or two is None:
        raise InputError(
            f"scans 1 and {number + 1} lie in spaces that nothing connects, and without their images they can't be "
            f"registered; give --transform {number + 1}=FILE, or --same-space if they share one"
        )
    found = register_rigid(one, two)
    if found.fault:
        raise InputError(
            f"scan {number + 1} could not be registered to the baseline: {found.fault}; give --transform "
            f"{number + 1}=FILE, or check that both scans are of one patient and region"
        )
    words = (
        f"rigid registration of {two.channel} (rotation {found.rotation_degrees:.1f}°, shift {found.shift_mm:.1f} mm); "
        f"the fits from either side agree within {found.residual_mm:.1f} mm in 95 % of the body"
    )
    quality = as_details(
        method="rigid, Mattes mutual information, 3 levels, both ways (SimpleITK)",
        overlap=round(found.overlap, 4),
        normalised_mutual_information=round(found.similarity, 4),
        residual_mm=round(found.residual_mm, 3),
        rotation_degrees=round(found.rotation_degrees, 3),
        shift_mm=round(found.shift_mm, 3),
    )
    return Alignment("registration", found.matrix, words, found.residual_mm, quality)


def _same_channel(
    first: Mapping[str, Image], later: Mapping[str, Image]
) -> tuple[Image | None, Image | None]:
    """An image of each scan: of the same channel, no PET if there is another; of one each, those."""
    shared = [name for name in first if name in later]
    shared.sort(key=lambda name: first[name].is_pet)
    if shared:
        return first[shared[0]], later[shared[0]]
    if len(first) == len(later) == 1:
        return next(iter(first.values())), next(iter(later.values()))
    return None, None


def shown_image(images: Mapping[str, Image], grid: Grid) -> Image | None:
    """The image that pictures are drawn of: on the mask's grid, no PET if there is another; None without any."""
    order = sorted(images.values(), key=lambda image: (image.is_pet, not same_grid(image.grid, grid)))
    return order[0] if order else None
