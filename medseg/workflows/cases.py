"""Many cases: a folder, a dataset or a case list; one bad case is named and the rest goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from medseg.domain import Case, ChannelFile, Record, Run, Segmentation
from medseg.errors import InputError, OutputError
from medseg.io import is_dataset, open_dataset, read_segmentation
from medseg.io.atomic import write_bytes
from medseg.io.names import stem_of
from medseg.io.probabilities import has_probabilities
from medseg.io.sidecar import has_sidecar
from medseg.io.suffixes import image_suffixes, is_picture_name
from medseg.reporting.tables.csv import to_csv
from medseg.workflows.asked import differences
from medseg.workflows.batch import (
    CaseResult,
    Standing,
    each,
    make_folder,
    mask_standing,
    only,
    record_standing,
    unique,
)
from medseg.workflows.measure import MeasureOptions, read_measuring
from medseg.workflows.record import is_record
from medseg.workflows.segment import SegmentOptions, SegmentTask, read_task, write_result
from medseg.workflows.segmenters import find_segmenter

__all__ = [
    "cases_of_files",
    "find_cases",
    "holds_masks",
    "masks_by_stem",
    "measure_cases",
    "segment_cases",
    "write_table",
]

MASK_SUFFIX = ".nii.gz"


def find_cases(path: Path) -> tuple[Case, ...] | None:
    """Cases behind a path, or None when it is one image (a file, or a folder that is one DICOM study).

    A folder that is no dataset gives one case per image file in it; files named `*_mask` are left out. Files that
    share a stem are cases of one id, which no batch takes for one.
    """
    if is_dataset(path):
        return open_dataset(path).cases
    if not path.is_dir():
        return None
    images = {stem_of(item) for item in path.iterdir() if _is_image(item)}
    files = [item for item in sorted(path.iterdir()) if _is_image(item) or _is_only_named_so(item, images)]
    if not files:
        return None
    return tuple(Case(stem_of(item), stem_of(item), (ChannelFile("image", str(item)),)) for item in files)


def segment_cases(
    name: str,
    cases: tuple[Case, ...],
    out: Path,
    *,
    options: SegmentOptions | None = None,
    run: Run | None = None,
) -> tuple[CaseResult, ...]:
    """Segment every case into `out/<id>.nii.gz` (`.png` for `px` images); the model is loaded once.

    A mask that stands is kept where segmenter, weights, parameters and images are the same, so an interrupted run
    goes on where it stopped; else it is made again, or refused if a person worked on it: see `batch`. Where objects
    are asked for, `options.objects` is a folder too, and they get the names of the masks.
    """
    options, run = options or SegmentOptions(), run or Run()
    engine = find_segmenter(name)
    for folder in (out, options.objects):
        if folder is not None:
            make_folder(folder)
    known = _by_id(cases)

    def one(case_id: str) -> CaseResult:
        case = _only(known[case_id])
        target = out / f"{case.id}{_suffix(case)}"
        objects = None if options.objects is None else options.objects / target.name
        own = replace(options, objects=objects, same_space=options.same_space or case.same_space)
        task = read_task(engine, {image.channel: image for image in case.images}, target, own)
        standing = Standing() if options.force else _mask_standing(task, target, own)
        if not standing.kept:
            result = task.run(run)
            write_result(result, engine, target, replace(own, force=own.force or standing.replaces))
        return CaseResult(case.id, standing.state, 0.0, str(target), standing.reason)

    results = each(known, one, run, f"segment with {engine.spec.name}")
    wanted = {f"{case.id}{_suffix(case)}" for case in cases}
    left = (path for path in sorted(out.iterdir()) if has_sidecar(path) and path.name not in wanted)
    return (*results, *(_left_over(path) for path in left))


def measure_cases(
    masks: Mapping[str, tuple[Path, ...]],
    images: Mapping[str, Case],
    out: Path,
    *,
    options: MeasureOptions | None = None,
    run: Run | None = None,
) -> tuple[tuple[CaseResult, ...], tuple[Record, ...]]:
    """Measure every mask with the images of its case into `out/<id>.json`; also the records, in order.

    A Record that stands is kept where mask, images, plan and versions are the same: see `batch`. Contours and masks
    of lesions, where they are asked for, go into folders by the same names.
    """
    options, run = options or MeasureOptions(), run or Run()
    for folder in (out, options.contours, options.lesions):
        if folder is not None:
            make_folder(folder)
    records: list[Record] = []

    def one(case_id: str) -> CaseResult:
        mask, case = only(masks[case_id]), images.get(case_id)
        if images and case is None:
            raise InputError(f"no image is named {case_id}; the images are {', '.join(list(images)[:5])}")
        target = out / f"{case_id}.json"
        own = replace(
            options,
            subject=options.subject or case_id,
            same_space=options.same_space or (case is not None and case.same_space),
            contours=None if options.contours is None else options.contours / f"{case_id}.json",
            lesions=None if options.lesions is None else options.lesions / f"{case_id}{MASK_SUFFIX}",
        )
        channels = {} if case is None else {image.channel: image for image in case.images}
        task = read_measuring(mask, channels, own)
        standing, record = (Standing(), None) if options.force else record_standing(target, task.draft)
        standing = _with_extras(standing, own)
        if record is None or not standing.kept:
            record = task.write(target, replace(own, force=own.force or standing.replaces))
        records.append(record)
        return CaseResult(case_id, standing.state, 0.0, str(target), standing.reason)

    results = each(masks, one, run, "measure")
    left = (path for path in sorted(out.glob("*.json")) if path.stem not in masks and is_record(path))
    return (*results, *(_left_over(path) for path in left)), tuple(records)


def _mask_standing(task: SegmentTask, target: Path, options: SegmentOptions) -> Standing:
    """As `mask_standing`; a mask that lacks what is asked for beside it is made again."""

    def differs(found: Segmentation) -> str:
        return differences(found.made_by, task.engine, task.images, task.params)

    def standing_of(path: Path) -> Standing:
        return mask_standing(path, task.request, task.engine.spec.name, differs)

    standing, lacks = standing_of(target), []
    objects = None if options.objects is None else standing_of(options.objects)
    if objects is not None and not objects.kept:
        lacks.append("objects")
    if standing.kept and options.probabilities and not has_probabilities(read_segmentation(target), target):
        lacks.append("probabilities")
    if not standing.kept:
        alone = objects is not None and objects.kept and not standing.reason
        return Standing(reason="its objects stood without it") if alone else standing
    if lacks and standing.reason:
        raise OutputError(
            f"{target} holds later work ({standing.reason}) and has no {' and '.join(lacks)} of its own; "
            "use --force to segment again"
        )
    return Standing(reason=f"it stood without its {' and '.join(lacks)}") if lacks else standing


def _with_extras(standing: Standing, options: MeasureOptions) -> Standing:
    """A Record that lacks the contours or lesions asked for beside it is made again."""
    absent = [path for path in (options.contours, options.lesions) if path is not None and not path.exists()]
    if standing.kept and absent:
        return Standing(reason=f"{absent[0]} was not there")
    return standing


def _by_id(cases: tuple[Case, ...]) -> dict[str, tuple[Case, ...]]:
    found: dict[str, tuple[Case, ...]] = {}
    for case in cases:
        found[case.id] = (*found.get(case.id, ()), case)
    return found


def _only(cases: tuple[Case, ...]) -> Case:
    only(tuple(Path(case.images[0].path) for case in cases))
    return cases[0]


def _left_over(path: Path) -> CaseResult:
    reason = "it stands there and is none of these cases; remove it if its case is gone"
    return CaseResult(stem_of(path), "left over", 0.0, str(path), reason)


def holds_masks(path: Path) -> bool:
    """Whether a path is a folder with files that may be masks, each by itself."""
    return path.is_dir() and any(_is_image(item, masks=True) for item in path.iterdir())


def masks_by_stem(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Mask files of a folder by stem; a stem of several files is a clash."""
    found = unique(item for item in sorted(folder.iterdir()) if _is_image(item, masks=True))
    if not found:
        raise InputError(f"{folder} holds no mask files ({', '.join(image_suffixes())})")
    return found


def _suffix(case: Case) -> str:
    return ".png" if is_picture_name(case.images[0].path) else MASK_SUFFIX


def _is_image(path: Path, *, masks: bool = False) -> bool:
    name = path.name.lower()
    if not path.is_file() or name.startswith(".") or not name.endswith(image_suffixes()):
        return False
    return masks or not stem_of(path).lower().endswith(("_mask", ".seg", "_seg", ".probabilities"))


def _is_only_named_so(path: Path, images: set[str]) -> bool:
    """Whether a file is called a mask and there is no image that it would be the mask of."""
    stem = stem_of(path)
    return (
        _is_image(path, masks=True)
        and stem.lower().endswith(("_mask", "_seg"))
        and stem.rpartition("_")[0] not in images
    )


def cases_of_files(paths: Sequence[Path]) -> tuple[Case, ...] | None:
    """A case per file, where several files are named that are an image each; None for slices of a series."""
    if len(paths) < 2 or not all(path.is_file() and _is_image(path, masks=True) for path in paths):
        return None
    return tuple(Case(stem_of(item), stem_of(item), (ChannelFile("image", str(item)),)) for item in paths)


def write_table(records: tuple[Record, ...], folder: Path, *, force: bool = False) -> Path:
    """All records of a batch as one tidy CSV, `measurements.csv` in the folder; an earlier such table is replaced.

    Raises
    ------
    OutputError
        If a file of that name holds something else.
    """
    path = folder / "measurements.csv"
    return write_bytes(path, to_csv(list(records)), force=force or _is_table(path))


def _is_table(path: Path) -> bool:
    """Whether a file is a table as this batch writes it."""
    head = to_csv([])
    try:
        with path.open("rb") as file:
            return file.read(len(head)) == head
    except OSError:
        return False
