"""Convert: an image or a mask from one format to another, on the same grid; a mask to surfaces."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from medseg.domain import Image, ReadOptions, Run, Segmentation
from medseg.domain.labels import distinct_color
from medseg.domain.source import Verdict
from medseg.errors import InputError
from medseg.io import inspect, read, read_segmentation, write_image, write_segmentation
from medseg.io.atomic import require_absent, require_apart
from medseg.io.names import split_part, stem_of, suffix_of
from medseg.io.protocols import MASK_DETAIL
from medseg.io.surface.file import SURFACE_SUFFIXES, SurfaceNotes, write_surface
from medseg.io.unfinished import together
from medseg.masks.flatten import Structure, flattened, numbers_of, structures_of, taken_findings, values_of
from medseg.masks.onto import onto_grid
from medseg.masks.surfaces import NO_SIZE, smoothed, surface_of
from medseg.masks.surfaces import volume_change as surface_change
from medseg.workflows.batch import CaseResult, each, make_folder, only
from medseg.workflows.convert_set import write_one
from medseg.workflows.files import is_mask
from medseg.workflows.ledger import file_digest, ledger_path, mask_digest, open_ledger

__all__ = [
    "WrittenSurface",
    "convert",
    "convert_cases",
    "convert_to_surfaces",
    "holds_mask",
    "is_set_target",
    "is_surface",
    "read_mask",
    "with_flattened",
]

#: Readers whose files are masks and nothing else.
_MASK_FORMATS = ("coco", "labelset", "pascalvoc", "surface")
#: Formats that keep overlapping structures.
_HOLD_OVERLAPS = (".seg.nrrd", ".json")


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
    image: Path | None = None,
    keep_parts: bool = False,
    force: bool = False,
) -> Image | Segmentation:
    """Read `source` and write it as `target`, whose suffix names the format; returns what was written.

    Where structures overlap and the format holds one label per voxel, the later in the order of the table owns
    the voxel; a Finding `overlap.flattened` per pair of structures says how many changed owner.

    Parameters
    ----------
    source, target
        A file or DICOM folder; a file that may not exist yet. A `.json` is COCO, a name without suffix a Pascal
        VOC folder, both of one picture (`convert_set` writes many).
    mask
        Treat it as a mask: whole numbers, label table, sidecar. A file that can only be one, or has a sidecar, is
        one anyway.
    options, labels
        How to read; the table of a mask without one.
    image
        The image that the mask belongs to: needed for surfaces, and for structure sets without their series.
    keep_parts
        Write the disjoint parts of overlapping structures, which medseg puts together again by the sidecar.

    Raises
    ------
    InputError
        If source and target are the same file, or the target is a surface (see `convert_to_surfaces`).
    """
    source, target = Path(source), Path(target)
    if is_surface(target):
        raise InputError(f"{target} is a surface; from Python, write it with convert_to_surfaces")
    if source.resolve() == target.resolve():
        raise InputError(f"{source} can't be converted onto itself")
    with together(target):
        if not is_set_target(target):
            require_absent(target, force=force)
        require_apart([target], (labels, image))
        options = options or ReadOptions()
        if (
            mask
            or labels is not None
            or image is not None
            or is_set_target(target)
            or holds_mask(source, target)
        ):
            segmentation = read_mask(source, options=options, labels=labels, image=image)
            return _write_mask(segmentation, target, (source, image), keep_parts=keep_parts, force=force)
        found = read(source, options=options)
        write_image(found, target, force=force)
        return found


def convert_cases(  # noqa: PLR0913 - the keywords of `convert`
    sources: Mapping[str, tuple[Path, ...]],
    out: Path,
    suffix: str,
    *,
    mask: bool = False,
    options: ReadOptions | None = None,
    labels: Path | None = None,
    keep_parts: bool = False,
    force: bool = False,
    run: Run | None = None,
) -> tuple[CaseResult, ...]:
    """Write every file as `out/<stem><suffix>`; what stands and is asked for alike is kept.

    Raises
    ------
    InputError
        If the suffix is that of a set or a surface.
    """
    if not suffix.startswith(".") or is_surface(f"x{suffix}") or is_set_target(f"x{suffix}"):
        raise InputError(f"--to takes the suffix of an image or mask format, such as .nii.gz; not {suffix!r}")
    make_folder(out)
    ledger = open_ledger(ledger_path(out, "convert"), "convert")
    rest = {
        "the way of reading": repr((options or ReadOptions(), mask, keep_parts)),
        "the labels": "" if labels is None else file_digest(labels),
    }

    def one(case: str) -> CaseResult:
        source = only(sources[case])
        target = out / f"{case}{suffix}"

        def make(replaces: bool) -> None:  # noqa: FBT001 - the ledger's signature
            convert(
                source,
                target,
                mask=mask,
                options=options,
                labels=labels,
                keep_parts=keep_parts,
                force=replaces,
            )

        asked = {"the file": mask_digest(source), **rest}
        return ledger.settle(case, asked, (target,), make, force=force)[0]

    return each(sources, one, run or Run(), "convert")


def read_mask(
    source: Path, *, options: ReadOptions, labels: Path | None = None, image: Path | None = None
) -> Segmentation:
    """A mask, on the grid of its image if one is given; the options then say how to read the image too.

    Raises
    ------
    GridMismatchError
        If the mask's voxels are not the image's and `options.resample` is not asked for.
    """
    if image is None:
        return read_segmentation(source, options=options, labels=labels)
    on = read(image, options=options)
    # A series or volume chosen for the image says nothing about the mask's file.
    own = (
        ReadOptions(space=options.space) if is_surface(source) else replace(options, series=None, volume=None)
    )
    found = read_segmentation(source, options=own, labels=labels, on=on)
    return onto_grid(found, on.grid, resample=options.resample)


def holds_mask(source: Path, target: Path) -> bool:
    """Whether what stands there, or its new format, can only be a mask."""
    if is_mask(source) or ".seg.nrrd" in (suffix_of(source), suffix_of(target)):
        return True
    sources = inspect(split_part(source)[0])
    if any(item.format in _MASK_FORMATS for item in sources):
        return True
    masks = [item for item in sources if item.detail(MASK_DETAIL) is not None]
    return bool(masks) and not any(item.verdict is not Verdict.NOT_A_VOLUME for item in sources)


def _write_mask(
    segmentation: Segmentation,
    target: Path,
    names: tuple[Path, Path | None],
    *,
    keep_parts: bool,
    force: bool,
) -> Segmentation:
    if not keep_parts and suffix_of(target) not in _HOLD_OVERLAPS:
        segmentation = with_flattened(segmentation)
    if is_set_target(target):
        write_one(segmentation, target, *names, force=force)
    else:
        write_segmentation(segmentation, target, force=force)
    return segmentation


def with_flattened(segmentation: Segmentation) -> Segmentation:
    """One label for every structure, and a Finding per pair of structures whose voxels changed owner."""
    flat, taken = flattened(segmentation)
    if flat is segmentation:
        return segmentation
    kept = tuple(item for item in flat.findings if item.code != "seg.overlap")
    return replace(flat, findings=(*kept, *taken_findings(taken)))


def is_set_target(target: str | Path) -> bool:
    """Whether a file or folder of this name is COCO (`.json`) or Pascal VOC (no suffix)."""
    return suffix_of(target) in (".json", "")


def is_surface(target: str | Path) -> bool:
    """Whether a file of this name holds a surface: STL or PLY."""
    return suffix_of(target) in SURFACE_SUFFIXES


def convert_to_surfaces(
    source: str | Path | Segmentation,
    target: str | Path,
    *,
    label: str | None = None,
    smooth: bool = False,
    options: ReadOptions | None = None,
    labels: Path | None = None,
    image: Path | None = None,
    force: bool = False,
) -> tuple[Segmentation, tuple[WrittenSurface, ...]]:
    """Write the closed surface of each structure in RAS+ mm as STL or PLY; returns the mask and what was written.

    Structures are labels, and regions over the parts of structures that overlap: each surface is whole.

    Parameters
    ----------
    source, target
        A mask (or its file); a file that may not exist yet. When several labels occur and none is chosen, each
        has a file of its own, `<stem>-<label>.stl`.
    label
        Name of the only label to write.
    smooth
        For looking: without the steps of voxels; its volume is another.
    options, labels, image
        How to read; the table of a mask without one; the image that it belongs to, for formats without a grid.

    Raises
    ------
    InputError
        If the mask has no size in mm, is empty, or does not have this label; before anything is written.
    OutputError
        If a file exists and may not be replaced.
    """
    if not isinstance(source, Segmentation):
        source = read_mask(Path(source), options=options or ReadOptions(), labels=labels, image=image)
    chosen = _chosen(source, label)
    several = label is None and len(chosen) > 1
    paths = _paths(Path(target), chosen, numbers_of(source.table), several=several)
    with together(*paths):
        for path in paths:
            require_absent(path, force=force)
        written = [
            _write(source, item, path, smooth=smooth, force=force)
            for item, path in zip(chosen, paths, strict=True)
        ]
    return source, tuple(written)


def _chosen(segmentation: Segmentation, name: str | None) -> list[Structure]:
    if segmentation.grid.unit != "mm":
        raise InputError(NO_SIZE)
    present = set(segmentation.present)
    found = [item for item in structures_of(segmentation.table) if present & set(values_of(item))]
    if not found:
        raise InputError("the mask is empty, so there is no surface to write")
    if name is None:
        return found
    chosen = [item for item in found if item.name == name]
    if not chosen:
        known = ", ".join(item.name for item in found)
        raise InputError(f"the mask holds no voxels of a label {name!r}; it has {known}")
    return chosen


def _paths(target: Path, chosen: list[Structure], numbers: dict[str, int], *, several: bool) -> list[Path]:
    """One file each; names that are no file names, or equal without case, are told apart by their value."""
    if not several:
        return [target]

    plain = [_file_name(item.name) for item in chosen]
    folded = [name.casefold() for name in plain]
    names = [
        name if name and folded.count(name.casefold()) == 1 else f"{name or 'label'}-{numbers[item.name]}"
        for name, item in zip(plain, chosen, strict=True)
    ]
    if len({name.casefold() for name in names}) < len(names):
        names = [f"label-{numbers[item.name]}" for item in chosen]
    return [target.with_name(f"{stem_of(target)}-{name}{target.suffix}") for name in names]


def _file_name(name: str) -> str:
    kept = "".join(letter if letter.isalnum() or letter in "-_" else " " for letter in name)
    return "_".join(kept.split())[:80]


def _write(
    segmentation: Segmentation, item: Structure, path: Path, *, smooth: bool, force: bool
) -> WrittenSurface:
    values = values_of(item)
    surface, change = surface_of(segmentation.mask(*values), segmentation.grid), None
    if smooth:
        mesh, surface = surface, smoothed(surface)
        change = surface_change(mesh, surface)
    color = item.color or distinct_color(values[0])
    write_surface(surface, path, SurfaceNotes(item.name, color, change), force=force)
    return WrittenSurface(path, item.name, surface.volume_ml, change)
