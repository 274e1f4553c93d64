"""Convert: an image or a mask from one format to another, on the same grid; a mask to surfaces."""

from dataclasses import dataclass
from pathlib import Path

from medseg.domain import Image, Label, ReadOptions, Segmentation
from medseg.errors import InputError
from medseg.workflows.files import is_mask

__all__ = ["WrittenSurface", "convert", "convert_to_surfaces", "is_surface"]


@dataclass(frozen=True, slots=True)
class WrittenSurface:
    """One surface file.

    Parameters
    ----------
    path, label
        Where it stands, and whose surface it is.
    volume_ml
        Enclosed by the triangles that were written.
    volume_change
        Of smoothing, against the measured mesh, as a share; None where nothing was smoothed.
    """

    path: Path
    label: str
    volume_ml: float
    volume_change: float | None


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
        If source and target are the same file, or the target is a surface (see `convert_to_surfaces`).
    """
    from medseg.io import read, read_segmentation, write_image, write_segmentation
    from medseg.io.atomic import require_absent

    source, target = Path(source), Path(target)
    if is_surface(target):
        raise InputError(f"{target} is a surface; from Python, write it with convert_to_surfaces")
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


def is_surface(target: str | Path) -> bool:
    """Whether a file of this name holds a surface: STL or PLY."""
    from medseg.io.names import suffix_of
    from medseg.io.surfaces import SURFACE_SUFFIXES

    return suffix_of(target) in SURFACE_SUFFIXES


def convert_to_surfaces(
    source: str | Path | Segmentation,
    target: str | Path,
    *,
    label: str | None = None,
    smooth: bool = False,
    options: ReadOptions | None = None,
    labels: Path | None = None,
    force: bool = False,
) -> tuple[Segmentation, tuple[WrittenSurface, ...]]:
    """Write the closed surface of each label in RAS+ mm as STL or PLY; returns the mask and what was written.

    Parameters
    ----------
    source, target
        A mask (or its file); a file that may not exist yet. When several labels occur and none is chosen, each
        has a file of its own, `<stem>-<label>.stl`.
    label
        Name of the only label to write.
    smooth
        For looking: without the steps of voxels; its volume is another.
    options, labels
        How to read; the table of a mask without one.

    Raises
    ------
    InputError
        If the mask has no size in mm, is empty, or does not have this label; before anything is written.
    OutputError
        If a file exists and may not be replaced.
    """
    from medseg.io import read_segmentation
    from medseg.io.atomic import require_absent

    if not isinstance(source, Segmentation):
        source = read_segmentation(Path(source), options=options or ReadOptions(), labels=labels)
    chosen = _chosen(source, label)
    paths = _paths(Path(target), chosen, several=label is None and len(chosen) > 1)
    for path in paths:
        require_absent(path, force=force)
    written = [
        _write(source, item, path, smooth=smooth, force=force)
        for item, path in zip(chosen, paths, strict=True)
    ]
    return source, tuple(written)


def _chosen(segmentation: Segmentation, name: str | None) -> list[Label]:
    from medseg.masks.surfaces import NO_SIZE

    if segmentation.grid.unit != "mm":
        raise InputError(NO_SIZE)
    present = set(segmentation.present)
    found = [label for label in segmentation.table.labels if label.value in present]
    if not found:
        raise InputError("the mask is empty, so there is no surface to write")
    if name is None:
        return found
    chosen = [label for label in found if label.name == name]
    if not chosen:
        known = ", ".join(label.name for label in found)
        raise InputError(f"the mask holds no voxels of a label {name!r}; it has {known}")
    return chosen


def _paths(target: Path, labels: list[Label], *, several: bool) -> list[Path]:
    """One file each; names that are no file names, or equal without case, are told apart by their value."""
    if not several:
        return [target]
    from medseg.io.names import stem_of

    plain = [_file_name(label.name) for label in labels]
    folded = [name.casefold() for name in plain]
    names = [
        name if name and folded.count(name.casefold()) == 1 else f"{name or 'label'}-{label.value}"
        for name, label in zip(plain, labels, strict=True)
    ]
    if len({name.casefold() for name in names}) < len(names):
        names = [f"label-{label.value}" for label in labels]
    return [target.with_name(f"{stem_of(target)}-{name}{target.suffix}") for name in names]


def _file_name(name: str) -> str:
    kept = "".join(letter if letter.isalnum() or letter in "-_" else " " for letter in name)
    return "_".join(kept.split())[:80]


def _write(
    segmentation: Segmentation, label: Label, path: Path, *, smooth: bool, force: bool
) -> WrittenSurface:
    from medseg.io.surfaces import SurfaceNotes, write_surface
    from medseg.masks.surfaces import smoothed, surface_of, volume_change

    surface, change = surface_of(segmentation.mask(label.value), segmentation.grid), None
    if smooth:
        mesh, surface = surface, smoothed(surface)
        change = volume_change(mesh, surface)
    write_surface(surface, path, SurfaceNotes(label.name, label.rgb, change), force=force)
    return WrittenSurface(path, label.name, surface.volume_ml, change)
