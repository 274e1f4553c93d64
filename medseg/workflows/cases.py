"""Many cases: a folder, a dataset or a case list; one bad case is named and the rest goes on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medseg.domain import Case, ChannelFile, Record, Run, Segmentation, Segmenter
from medseg.domain.run import noted
from medseg.errors import InputError, OutputError
from medseg.io import inspect, is_dataset, open_dataset, read_segmentation
from medseg.io.atomic import write_bytes
from medseg.io.dicom.mask.source import series_of_mask
from medseg.io.masks import read_table
from medseg.io.names import stem_of
from medseg.io.probabilities import are_probabilities, has_probabilities, probability_files
from medseg.io.sidecar import has_sidecar, sidecar_path
from medseg.io.suffixes import image_suffixes, is_picture_name
from medseg.reporting.tables.csv import to_csv
from medseg.reporting.tables.rows import COLUMNS
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
from medseg.workflows.ledger import Ledger, ledger_path, open_ledger
from medseg.workflows.measure import MeasureOptions, MeasureTask, read_measuring
from medseg.workflows.record import is_record
from medseg.workflows.segment import SegmentOptions, SegmentTask, read_task, require_options, write_result
from medseg.workflows.segmenters import find_segmenter
from medseg.workflows.stages import Stages, bytes_when_read, each_in_stages, room_beside

__all__ = [
    "by_id",
    "cases_of_files",
    "find_cases",
    "holds_masks",
    "images_of_masks",
    "mask_suffix",
    "masks_by_stem",
    "measure_case",
    "measure_cases",
    "require_own_table",
    "segment_case",
    "segment_cases",
    "write_table",
]

MASK_SUFFIX = ".nii.gz"
TABLE = "measurements.csv"
#: Bytes of its first line, and far more.
_LONGEST_HEAD = 1 << 16


def find_cases(path: Path) -> tuple[Case, ...] | None:
    """Cases behind a path, or None when it is one image (a file, or a folder that is one DICOM study).

    A folder that is no dataset gives one case per image file in it; files named `*_mask` are left out. Files that
    share a stem are cases of one id, which no batch takes for one.
    """
    if is_dataset(path):
        dataset = open_dataset(path)
        return tuple(_in_order(case, dataset.channels) for case in dataset.cases)
    if not path.is_dir():
        return None
    images = {stem_of(item) for item in path.iterdir() if _is_image(item)}
    files = [item for item in sorted(path.iterdir()) if _is_image(item) or _is_only_named_so(item, images)]
    if not files:
        return None
    return tuple(Case(stem_of(item), stem_of(item), (ChannelFile("image", str(item)),)) for item in files)


def _in_order(case: Case, channels: Sequence[str]) -> Case:
    return replace(case, images=tuple(sorted(case.images, key=lambda file: channels.index(file.channel))))


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
    are asked for, `options.objects` is a folder too, and they get the names of the masks. While a case is segmented,
    the next one is read, where memory allows, and the last one is written: see `stages`.
    """
    options, run = options or SegmentOptions(), run or Run()
    engine = find_segmenter(name)
    require_options(engine, options)
    for folder in (out, options.objects):
        if folder is not None:
            make_folder(folder)
    known = by_id(cases)
    most = max((_channels(case) for case in cases), key=len, default=())

    def read(case_id: str) -> _Read:
        case = _only(known[case_id])
        if options.channels_by == "position" and _channels(case) != most:
            # One that is missing would move those behind it.
            raise InputError(
                f"by position, it has channels {', '.join(_channels(case))}, and others {', '.join(most)}"
            )
        target = out / f"{case.id}{mask_suffix(case, options)}"
        objects = None if options.objects is None else options.objects / target.name
        return _read_case(engine, case, target, replace(options, objects=objects), run)

    def write(case_id: str, done: _Done) -> CaseResult:
        return _written(engine, case_id, done, run)

    def beside(given: _Read, following: str) -> Run | None:
        ahead = known[following]
        return room_beside(given.needed, bytes_when_read(ahead[0]), run) if len(ahead) == 1 else None

    stages = Stages(read, _Read.work, write, beside)
    results = each_in_stages(known, stages, run, f"segment with {engine.spec.name}")
    wanted = {f"{case.id}{mask_suffix(case, options)}" for case in cases}
    left = (path for path in sorted(out.iterdir()) if has_sidecar(path) and path.name not in wanted)
    return (*results, *(_left_over(path) for path in left))


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """A case that is ready to be segmented: what of, where to, and what stands there already."""

    task: SegmentTask
    target: Path
    options: SegmentOptions
    standing: Standing

    @property
    def needed(self) -> int:
        """Bytes that segmenting takes; none where the mask is kept."""
        grids = {name: image.grid for name, image in self.task.images.items()}
        return 0 if self.standing.kept else self.task.engine.memory_bytes(grids, self.task.params)

    def work(self, run: Run) -> "_Done":
        """Segment, unless the mask that stands is kept."""
        result = None if self.standing.kept else self.task.run(run)
        return _Done(result, self.target, self.options, self.standing)


@dataclass(frozen=True, slots=True, eq=False)
class _Done:
    """A case that is ready to be written, without its images; no result where the mask that stands is kept."""

    result: Segmentation | None
    target: Path
    options: SegmentOptions
    standing: Standing


def _read_case(engine: Segmenter, case: Case, target: Path, options: SegmentOptions, run: Run) -> _Read:
    own = replace(options, same_space=options.same_space or case.same_space)
    with noted(run, "seconds.read"):
        task = read_task(engine, {image.channel: image for image in case.images}, target, own)
    return _Read(task, target, own, Standing() if options.force else _mask_standing(task, target, own))


def _written(engine: Segmenter, case_id: str, done: _Done, run: Run) -> CaseResult:
    standing, expected = done.standing, done.standing.expected_dice
    if done.result is not None:
        expected = done.result.made_by.expected_dice
        own = replace(done.options, force=done.options.force or standing.replaces)
        with noted(run, "seconds.write"):
            write_result(done.result, engine, done.target, own)
    return CaseResult(case_id, standing.state, 0.0, str(done.target), standing.reason, expected)


def segment_case(
    engine: Segmenter, case: Case, target: Path, options: SegmentOptions, run: Run
) -> CaseResult:
    """Segment one case into `target` unless a mask that is asked for alike stands there: see `batch`.

    Raises
    ------
    InputError
        If the case can't be segmented.
    OutputError
        If what stands there may not be replaced, or the mask can't be written.
    """
    return _written(engine, case.id, _read_case(engine, case, target, options, run).work(run), run)


def measure_cases(
    masks: Mapping[str, tuple[Path, ...]],
    images: Mapping[str, tuple[Case, ...]] | None,
    out: Path,
    *,
    options: MeasureOptions | None = None,
    run: Run | None = None,
) -> tuple[tuple[CaseResult, ...], tuple[Record, ...]]:
    """Measure every mask with the images of its case into `out/<id>.json`; also the records, in order.

    A Record that stands is kept where mask, images, plan and versions are the same: see `batch`. Contours and masks
    of lesions, where they are asked for, go into folders by the same names. `images` are cases by id; None measures the
    masks alone.
    """
    options, run = options or MeasureOptions(), run or Run()
    require_own_table(out, force=options.force)
    if options.labels is not None:
        read_table(options.labels)
    for folder in (out, options.contours, options.lesions):
        if folder is not None:
            make_folder(folder)
    extras = _Extras.beside(options)
    records: list[Record] = []

    def one(case_id: str) -> CaseResult:
        mask, case = only(masks[case_id]), None if images is None else _case_of(case_id, images)
        result, record = measure_case(case_id, mask, case, out / f"{case_id}.json", options, extras.settle)
        records.append(record)
        return result

    results = each(masks, one, run, "measure")
    left = (path for path in sorted(out.glob("*.json")) if path.stem not in masks and is_record(path))
    return (*results, *(_left_over(path) for path in left)), tuple(records)


def measure_case(  # noqa: PLR0917 - a mask, its images, where to and how
    case_id: str,
    mask: Path,
    case: Case | None,
    target: Path,
    options: MeasureOptions,
    settle: Callable[[str, MeasureTask, MeasureOptions], list[str]] | None = None,
) -> tuple[CaseResult, Record]:
    """Measure one mask into `target` unless a Record that is asked for alike stands there: see `batch`.

    `settle` writes what is asked for beside the Record, and gives words for what it found.

    Raises
    ------
    InputError
        If it can't be measured.
    OutputError
        If what stands there may not be replaced, or the Record can't be written.
    """
    own = replace(
        options,
        subject=options.subject or case_id,
        same_space=options.same_space or (case is not None and case.same_space),
    )
    channels = {} if case is None else {image.channel: image for image in case.images}
    task = read_measuring(mask, channels, own)
    standing, record = (Standing(), None) if options.force else record_standing(target, task.draft)
    beside = [] if settle is None else settle(case_id, task, own)
    if record is None or not standing.kept:
        record = task.write(target, force=own.force or standing.replaces)
    reason = "; ".join(filter(None, (standing.reason, *beside)))
    return CaseResult(case_id, standing.state, 0.0, str(target), reason), record


@dataclass(frozen=True, slots=True)
class _Extras:
    """Outlines and lesions beside the Records of a batch, each folder with its ledger."""

    contours: Ledger | None
    lesions: Ledger | None

    @classmethod
    def beside(cls, options: MeasureOptions) -> "_Extras":
        """Ledgers in the folders that are asked for."""
        folders = {"contours": options.contours, "lesions": options.lesions}
        return cls(
            *(
                None if folder is None else open_ledger(ledger_path(folder, name), name)
                for name, folder in folders.items()
            )
        )

    def settle(self, case: str, task: MeasureTask, options: MeasureOptions) -> list[str]:
        """Write what is asked for and does not stand; words for what somebody changed or was made again."""
        results = []
        if self.contours is not None and options.contours is not None:
            results.append(self._contours(self.contours, options.contours / f"{case}.json", task, options))
        if self.lesions is not None and options.lesions is not None:
            results.append(
                self._lesions(self.lesions, options.lesions / f"{case}{MASK_SUFFIX}", task, options)
            )
        return [f"{Path(item.output).name} {item.state}: {item.reason}" for item in results if item.reason]

    @staticmethod
    def _contours(ledger: Ledger, path: Path, task: MeasureTask, options: MeasureOptions) -> CaseResult:
        def make(replaces: bool) -> None:  # noqa: FBT001 - the ledger's signature
            task.write_contours(path, options, force=replaces)

        asked = {"the record": task.request, "the planes": options.contour_planes}
        return ledger.settle(path.stem, asked, (path,), make, force=options.force)[0]

    @staticmethod
    def _lesions(ledger: Ledger, path: Path, task: MeasureTask, options: MeasureOptions) -> CaseResult:
        def make(replaces: bool) -> None:  # noqa: FBT001 - the ledger's signature
            task.write_lesions(path, force=replaces)

        asked = {"the record": task.request}
        files = (path, sidecar_path(path))
        return ledger.settle(stem_of(path), asked, files, make, force=options.force)[0]


def _channels(case: Case) -> tuple[str, ...]:
    return tuple(file.channel for file in case.images)


def _case_of(case_id: str, images: Mapping[str, tuple[Case, ...]]) -> Case:
    if case_id not in images:
        raise InputError(f"no image is named {case_id}; the images are {', '.join(list(images)[:5])}")
    return _only(images[case_id])


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
    if options.probabilities:
        _require_own_probabilities(target)
        if standing.kept and not has_probabilities(read_segmentation(target), target):
            lacks.append("probabilities")
    if not standing.kept:
        alone = objects is not None and objects.kept and not standing.replaces
        if alone and objects is not None and objects.reason:
            raise OutputError(
                f"{options.objects} holds later work ({objects.reason}) and has no mask; use --force to replace it"
            )
        return Standing(replaces=True, reason="its objects stood without it") if alone else standing
    if lacks and standing.reason:
        raise OutputError(
            f"{target} holds later work ({standing.reason}) and has no {' and '.join(lacks)} of its own; "
            "use --force to segment again"
        )
    if lacks:
        return Standing(replaces=True, reason=f"it stood without its {' and '.join(lacks)}")
    told = objects.reason if objects is not None and objects.reason else ""
    return replace(standing, reason="; ".join(filter(None, (standing.reason, told))))


def _require_own_probabilities(target: Path) -> None:
    _, file = probability_files(target)
    if file.exists() and not are_probabilities(file):
        raise OutputError(f"{file} exists and holds no probabilities of medseg's; use --force to replace it")


def by_id(cases: tuple[Case, ...]) -> dict[str, tuple[Case, ...]]:
    """Cases by id; several of one id are a clash that no batch takes for one case."""
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
    return path.is_dir() and any(_may_be_mask(item) for item in path.iterdir())


def masks_by_stem(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Mask files of a folder by stem; a stem of several files is a clash."""
    found = unique(item for item in sorted(folder.iterdir()) if _may_be_mask(item))
    if not found:
        raise InputError(f"{folder} holds no mask files ({', '.join(image_suffixes())}, SEG, RTSTRUCT)")
    return found


def images_of_masks(image: Path, masks: Mapping[str, tuple[Path, ...]]) -> dict[str, tuple[Case, ...]]:
    """Images of many masks by their names; of SEG and RTSTRUCT, by the series that they were made from.

    Raises
    ------
    InputError
        If it is no folder or dataset of images.
    """
    found = _by_series(image, masks)
    cases = find_cases(image) if len(found) < len(masks) else ()
    if cases or len(found) == len(masks):
        return {**by_id(cases or ()), **found}
    empty = image.is_dir() and not any(image.iterdir())
    if len(masks) > 1 or empty or not image.exists():
        raise InputError(f"{image} is no folder or dataset with an image for each of the {len(masks)} masks")
    (name,) = masks
    return {name: (Case(name, name, (ChannelFile("image", str(image)),)),)}


def _by_series(image: Path, masks: Mapping[str, tuple[Path, ...]]) -> dict[str, tuple[Case, ...]]:
    """Case of each mask of DICOM whose series lies in a folder, however deep."""
    named = {name: series_of_mask(files[0]) for name, files in masks.items() if len(files) == 1}
    wanted = {name: series for name, series in named.items() if series}
    if not wanted or not image.is_dir():
        return {}
    try:
        there = {source.series_uid for source in inspect(image) if source.series_uid}
    except InputError:
        return {}  # no DICOM
    return {
        name: (Case(name, name, (ChannelFile("image", str(image), series=found[0]),)),)
        for name, series in wanted.items()
        if len(found := sorted(series & there)) == 1
    }


def mask_suffix(case: Case, options: SegmentOptions) -> str:
    """Suffix of a mask: a picture's is a picture, unless its pixels are given a size, which no picture holds."""
    in_pixels = options.read.spacing is None and is_picture_name(case.images[0].path)
    return ".png" if in_pixels else MASK_SUFFIX


def _is_image(path: Path, *, masks: bool = False) -> bool:
    name = path.name.lower()
    if not path.is_file() or name.startswith(".") or not name.endswith(image_suffixes()):
        return False
    if are_probabilities(path):
        return False
    return masks or not stem_of(path).lower().endswith(("_mask", ".seg", "_seg", ".probabilities"))


def _may_be_mask(path: Path) -> bool:
    return _is_image(path, masks=True) or series_of_mask(path) is not None


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
    require_own_table(folder, force=force)
    return write_bytes(folder / TABLE, to_csv(list(records)), force=True)


def require_own_table(folder: Path, *, force: bool = False) -> None:
    """Refuse, before any work, a folder in which a file of the table's name holds something else.

    Raises
    ------
    OutputError
        Naming it.
    """
    path = folder / TABLE
    if path.exists() and not force and not _is_table(path):
        raise OutputError(f"{path} exists and is no table of medseg's; move it, or replace it with --force")


def _is_table(path: Path) -> bool:
    """Whether a file is a table as this batch writes it, or wrote it before a column was added."""
    try:
        with path.open("rb") as file:
            names = file.readline(_LONGEST_HEAD).decode("utf-8", "replace").strip().split(",")
    except OSError:
        return False
    return {"subject", "quantity", "value", "status"} <= set(names) <= set(COLUMNS)
