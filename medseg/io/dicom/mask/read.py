"""Reading SEG and RTSTRUCT as masks: on their own, or on the grid of the image that they belong to."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, ReadOptions, Segmentation, Source
from medseg.errors import GridMismatchError, InputError, MedsegError
from medseg.geometry import same_grid
from medseg.io.dicom.mask.frames import beyond_frames, named_by_seg, normal_of, seg_on_slices, step_along
from medseg.io.dicom.mask.place import placed
from medseg.io.dicom.rtstruct.images import draws_on, find_images
from medseg.io.dicom.rtstruct.read import rtstruct_of
from medseg.io.dicom.seg.read import read_dataset, seg_of
from medseg.io.dicom.slices import series_slices
from medseg.io.protocols import MASK_DETAIL

__all__ = ["read_mask_object"]

#: A structure set larger than this is refused unread; 5 million points need half of it at most.
MOST_BYTES = 1 << 29


def read_mask_object(
    source: Source, on: Image | Grid | None = None, *, options: ReadOptions | None = None
) -> Segmentation:
    """The mask that a Source of `mask_sources` names.

    Parameters
    ----------
    source
        A file with a SEG or RTSTRUCT.
    on
        The image being measured, or its grid: the mask comes back on that grid. Without it a SEG lies on the
        grid that its frames span, an RTSTRUCT on that of the images that it names.
    options
        Which structure is read (`label`), and whether images that form no regular grid are put on one.

    Raises
    ------
    InputError
        In one line: the object is damaged, claims more than it holds, or its images are not to be found.
    GridMismatchError
        If it was made for another image than `on`.
    """
    path = Path(source.instances[0].file)
    read = _structures if source.detail(MASK_DETAIL) == "RTSTRUCT" else _segments
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # lengths and forms that a file's own values break
            return read(path, on, options or ReadOptions())
    except MedsegError:
        raise
    except Exception as error:  # a damaged object fails anywhere inside pydicom
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path.name} is damaged ({type(error).__name__}: {reason})") from error


def _segments(path: Path, on: Image | Grid | None, options: ReadOptions) -> Segmentation:
    ds = read_dataset(path)
    if on is None:
        return beyond_frames(seg_of(ds, path.name, step=_said_step(ds, path.name, options)), ds)
    grid = on.grid if isinstance(on, Image) else on
    source = on.source if isinstance(on, Image) else None
    if source is not None:
        _require_related(ds, grid, source, path.name)
        slices = series_slices(source, resample=True) if _was_resampled(source, grid) else None
        if slices is not None and slices.verdict is not None:
            return _on(seg_on_slices(ds, path.name, slices), grid, path.name)
    return _on(seg_of(ds, path.name, step=step_along(ds, path.name, grid)), grid, path.name)


def _was_resampled(source: Source, grid: Grid) -> bool:
    """Whether an image lies on another grid than its slices: then it was put on a regular one."""
    if source.format != "dicom" or not source.instances:
        return False
    return source.grid is None or (source.grid is not grid and not same_grid(source.grid, grid))


def _said_step(ds: Any, name: str, options: ReadOptions) -> NDArray[np.float64] | None:
    """The step between slices as the user says it: the third number of the voxels' size."""
    normal = normal_of(ds, name)
    return None if options.spacing is None or normal is None else normal * options.spacing[2]


def _structures(path: Path, on: Image | Grid | None, options: ReadOptions) -> Segmentation:
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path.name} is larger than {MOST_BYTES >> 20} MB; no set of contours is")
    ds = read_dataset(path)
    own = on.source if isinstance(on, Image) else None
    if own is not None and own.format == "dicom" and own.instances:
        if not draws_on(ds, own):
            raise GridMismatchError(
                f"{path.name} was drawn on other images than these; give the series that it names"
            )
    else:
        own = find_images(ds, path, resample=options.resample)
    grid = on.grid if isinstance(on, Image) else None
    resample = options.resample or (grid is not None and _was_resampled(own, grid))
    found = rtstruct_of(ds, path.name, own, label=options.label, resample=resample)
    return found if on is None else _on(found, on.grid if isinstance(on, Image) else on, path.name)


def _on(found: Segmentation, grid: Grid, name: str) -> Segmentation:
    if found.grid is grid:
        return found
    return placed(found, grid, name)


def _require_related(ds: Any, grid: Grid, source: Source, name: str) -> None:
    """Another frame of reference means another patient or session, unless the very images are named."""
    series, instances = named_by_seg(ds)
    if source.series_uid in series or instances & {item.uid for item in source.instances}:
        return
    one, two = str(ds.get("FrameOfReferenceUID", "") or ""), grid.frame_of_reference
    if one and two and one != two:
        raise GridMismatchError(
            f"{name} was made for other images: it names none of this series, and its frame of reference is another"
        )
