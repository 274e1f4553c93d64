"""Reading and writing for scripts: the doors of `io`, with keywords instead of options."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from medseg import io
from medseg.domain import Dataset, Image, ReadOptions, Segmentation
from medseg.io import datasets
from medseg.io.sidecar import sidecar_path

__all__ = ["is_mask", "open_dataset", "read", "read_segmentation", "write"]


def read(path: str | Path | Sequence[str | Path], *, channel: str = "image", **options: Any) -> Image:
    """Read one image from a file or DICOM folder.

    Parameters
    ----------
    path
        NIfTI, NRRD, MHA, PNG, TIFF, JPEG, a DICOM file or folder, or a list of DICOM files.
    channel
        Name the image gets.
    **options
        Fields of `ReadOptions`: series, volume, resample, affine, orientation, slice_thickness, spacing.

    Raises
    ------
    InputError
        If nothing or more than one thing can be read; the message lists the ids.
    """
    chosen = ReadOptions(**options)
    if isinstance(path, str | Path):
        return replace(io.read(Path(path), options=chosen), channel=channel)
    return replace(io.read_files(path, options=chosen), channel=channel)


def read_segmentation(
    path: str | Path, *, labels: str | Path | None = None, on: Image | None = None, **options: Any
) -> Segmentation:
    """Read a mask with its sidecar, or with names from a `labels` file; `on` is the image that it belongs to.

    Raises
    ------
    LabelError
        If its values are no whole numbers.
    """
    return io.read_segmentation(
        Path(path), options=ReadOptions(**options), labels=None if labels is None else Path(labels), on=on
    )


def write(value: Image | Segmentation, path: str | Path, *, force: bool = False) -> Path:
    """Write an image or a mask (with its sidecar); the suffix names the format."""
    if isinstance(value, Segmentation):
        return io.write_segmentation(value, Path(path), force=force)
    return io.write_image(value, Path(path), force=force)


def open_dataset(path: str | Path, *, channels: Mapping[str, str] | None = None) -> Dataset:
    """Open a dataset of any known layout; `channels` renames them."""
    found = datasets.open_dataset(Path(path))
    return datasets.rename_channels(found, channels) if channels else found


def is_mask(path: str | Path) -> bool:
    """Whether a file has a sidecar, so that it is a mask of medseg's."""
    return Path(path).is_file() and sidecar_path(Path(path)).is_file()
