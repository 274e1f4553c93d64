"""Convert: an image or a mask from one format to another, on the same grid."""

from pathlib import Path

from medseg.domain import Image, ReadOptions, Segmentation
from medseg.errors import InputError
from medseg.workflows.files import is_mask

__all__ = ["convert"]


def convert(
    source: str | Path,
    target: str | Path,
    *,
    mask: bool = False,
    options: ReadOptions | None = None,
    labels: Path | None = None,
    force: bool = False,
) -> Image | Segmentation:
    """Read `source` and write it as `target`, whose suffix names the format; returns what was written.

    Parameters
    ----------
    source, target
        A file or DICOM folder; a file that may not exist yet.
    mask
        Treat it as a mask: whole numbers, label table, sidecar. A file with a sidecar is one anyway.
    options, labels
        How to read; the table of a mask without one.

    Raises
    ------
    InputError
        If source and target are the same file.
    """
    from medseg.io import read, read_segmentation, write_image, write_segmentation
    from medseg.io.atomic import require_absent

    source, target = Path(source), Path(target)
    if source.resolve() == target.resolve():
        raise InputError(f"{source} can't be converted onto itself")
    require_absent(target, force=force)
    options = options or ReadOptions()
    if mask or labels is not None or is_mask(source):
        segmentation = read_segmentation(source, options=options, labels=labels)
        write_segmentation(segmentation, target, force=force)
        return segmentation
    image = read(source, options=options)
    write_image(image, target, force=force)
    return image
