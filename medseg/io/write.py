"""Writing: beside the final name, read again and compared, then renamed; a mask's sidecar goes first."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from medseg import plugins
from medseg.domain import Grid, Image, Segmentation, digest_of
from medseg.domain.segmentation import smallest_unsigned
from medseg.errors import InputError, MedsegError, OutputError, UnsupportedFormatError
from medseg.geometry import Agreement, compare_grids
from medseg.geometry.shares import KeptShares
from medseg.io.atomic import require_absent, staged_file, write_bytes
from medseg.io.itk.seg_nrrd_write import write_seg_nrrd
from medseg.io.kept import described, write_kept
from medseg.io.leftovers import scratch_folder
from medseg.io.names import stem_of, suffix_of
from medseg.io.probabilities import KEPT_SCHEMA, PROBABILITIES_SCHEMA, probability_files
from medseg.io.protocols import Writer
from medseg.io.read import read
from medseg.io.sidecar import dump_sidecar, sidecar_path

__all__ = ["find_writer", "require_writable", "write_image", "write_probabilities", "write_segmentation"]


def find_writer(path: str | Path) -> Writer:
    """The writer for a file name's suffix.

    Raises
    ------
    UnsupportedFormatError
        If there is none; the message lists the suffixes.
    """
    suffix = suffix_of(path)
    for writer in _writers():
        if suffix in writer.suffixes:
            return writer
    known = ", ".join(sorted({item for writer in _writers() for item in writer.suffixes}))
    raise UnsupportedFormatError(f"{path} can't be written: {suffix or 'no suffix'} is none of {known}")


def require_writable(path: str | Path, grid: Grid) -> None:
    """Refuse before any work what could not be written after it: tries the format on a corner of the grid.

    Raises
    ------
    UnsupportedFormatError, InputError
        If no writer has the suffix, or its format can't hold labels on such a grid.
    """
    path = Path(path)
    writer = find_writer(path)
    rows, columns, slices = (min(extent, 2) for extent in grid.shape)
    corner = replace(grid, shape=(rows, columns, slices))
    with scratch_folder() as folder:
        trial = folder / path.name
        with _told_as(trial, path):
            writer.write(np.zeros(corner.shape, np.uint8), corner, trial)


def write_image(image: Image, path: str | Path, *, force: bool = False) -> Path:
    """Write an image; its findings, modality and unit are not kept, as no plain format holds them.

    Raises
    ------
    OutputError
        If the file exists and may not be replaced, or can't be written.
    InputError
        If the format can't hold the values or the grid, or a value is NaN or infinite.
    """
    path = Path(path)
    writer = find_writer(path)
    if image.array.dtype.kind == "f" and not np.isfinite(image.array).all():
        raise InputError(f"{path} is not written: the image holds NaN or infinity")
    with staged_file(path, force=force) as staged:
        _write_checked(writer, image.array, image.grid, staged, path)
    return path


def write_segmentation(segmentation: Segmentation, path: str | Path, *, force: bool = False) -> Path:
    """Write labels, and beside them names and history as `<stem>.seg.json`.

    Instances are not kept in files, probabilities by `write_probabilities`.

    Raises
    ------
    OutputError
        If the file exists and may not be replaced, can't be written, or its sidecar's place is taken by
        that of another mask.
    InputError
        If the format can't hold the labels or the grid.
    """
    path = Path(path)
    writer = find_writer(path)
    sidecar = sidecar_path(path)
    _require_own_sidecar(path, sidecar, segmentation, force=force)
    with _undone_on_failure(sidecar) as put_sidecar, staged_file(path, force=force) as staged:
        if suffix_of(path) == ".seg.nrrd":
            segmentation = _write_segments(segmentation, staged, path)
        else:
            _write_checked(writer, segmentation.labels, segmentation.grid, staged, path)
        put_sidecar(dump_sidecar(segmentation, replaces=_digest_there(path)))
    return path


def _digest_there(path: Path) -> str | None:
    """Digest of the label values of the mask that stands at a path; None where there is none that can be read."""
    if not path.is_file():
        return None
    try:
        array = read(path).array
    except MedsegError:
        return None
    whole = np.rint(array) if array.dtype.kind == "f" else array
    if not np.isfinite(whole).all() or whole.min() < 0 or whole.max() > np.iinfo(np.uint32).max:
        return None
    return digest_of(smallest_unsigned(whole.astype(np.uint32, order="K")))


def write_probabilities(segmentation: Segmentation, path: str | Path, *, force: bool = False) -> Path:
    """Write probabilities as NIfTI (I, J, K, C) `<stem>.prob.nii.gz`, and their names as JSON.

    Those of a model lie on the grid of its network, rounded to float16; the JSON says how that changed volumes. An
    array is written as it is, on the native grid.

    Parameters
    ----------
    segmentation
        With probabilities (C, I, J, K), background first.
    path
        The mask's; the probabilities' names derive from its stem.

    Raises
    ------
    InputError
        If there are no probabilities.
    OutputError
        As for `write_image`.
    """
    path = Path(path)
    if segmentation.probabilities is None:
        raise InputError(f"{path}: this segmentation holds no probabilities")
    names, target = probability_files(path)
    require_absent(names, force=force)
    channels = ["background", *(label.name for label in segmentation.table.labels)]
    content: dict[str, Any] = {"channels": channels, "mask_digest": segmentation.digest}
    kept = segmentation.probabilities
    with staged_file(target, force=force) as staged:
        if isinstance(kept, KeptShares):
            content = {"schema": KEPT_SCHEMA, **content, **described(kept)}
            write_kept(kept, staged)
        else:
            values = np.moveaxis(np.asarray(kept, np.float32), 0, -1)
            content = {"schema": PROBABILITIES_SCHEMA, **content, "values_digest": digest_of(values)}
            writer = cast("Writer", plugins.load(plugins.WRITERS, "nifti"))
            writer.write(values, segmentation.grid, staged)
        write_bytes(names, json.dumps(content, indent=1).encode(), force=force)
    return target


def _write_segments(segmentation: Segmentation, staged: Path, path: Path) -> Segmentation:
    """The mask as the file holds it: parts of overlapping structures may be numbered otherwise."""
    with _told_as(staged, path):
        again = write_seg_nrrd(segmentation, staged)
    if again.digest == segmentation.digest:
        return segmentation
    return replace(segmentation, labels=again.labels, table=again.table, instances=None, probabilities=None)


def _write_checked(writer: Writer, array: NDArray[Any], grid: Grid, staged: Path, path: Path) -> None:
    values = array.astype(
        np.float32 if array.dtype == np.float16 else array.dtype.newbyteorder("="), copy=False
    )
    with _told_as(staged, path):
        writer.write(values, grid, staged)
        again = read(staged)
    same_place = compare_grids(again.grid, grid).agreement in (Agreement.SAME, Agreement.SNAPPED)
    if not same_place or not np.array_equal(again.array, array):
        what = "other values" if same_place else "another placement"
        raise OutputError(f"{path} was not written: reading it again gave {what}; this format can't hold it")


@contextmanager
def _told_as(staged: Path, path: Path) -> Iterator[None]:
    """Errors inside name the file that the user asked for, who never sees the staged one."""
    try:
        yield
    except MedsegError as error:
        raise type(error)(str(error).replace(str(staged), str(path))) from error


@contextmanager
def _undone_on_failure(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Give what writes the file at `path`; if the block fails, what stood there comes back.

    What another writer of the same mask put there meanwhile is neither replaced nor taken away.
    """
    before = path.read_bytes() if path.is_file() else None
    ours: bytes | None = None

    def put(data: bytes) -> None:
        nonlocal ours
        write_bytes(path, data, force=before is not None)
        ours = data

    try:
        yield put
    except BaseException:
        if ours is not None and path.is_file() and path.read_bytes() == ours:
            if before is None:
                path.unlink()
            else:
                path.write_bytes(before)
        raise


def _require_own_sidecar(path: Path, sidecar: Path, segmentation: Segmentation, *, force: bool) -> None:
    require_absent(path, force=force)
    if force or not sidecar.exists():
        return
    others = [
        other
        for other in sidecar.parent.iterdir()
        if other != path and stem_of(other) == stem_of(path) and _has_writer(other)
    ]
    if others and f'"{segmentation.digest}"' not in sidecar.read_text("utf-8", errors="replace"):
        raise OutputError(
            f"{sidecar} belongs to {others[0].name}; give the mask a name with another stem, or use --force"
        )


def _has_writer(path: Path) -> bool:
    return any(suffix_of(path) in writer.suffixes for writer in _writers())


@cache
def _writers() -> tuple[Writer, ...]:
    return tuple(writer for _, writer in plugins.load_all(plugins.WRITERS))
