"""Many cases: a folder, a dataset or a case list; one bad case is named and the rest goes on."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from medseg.domain import Case, ChannelFile, Record, Run
from medseg.errors import InputError, MedsegError, OutputError
from medseg.io.names import stem_of
from medseg.workflows.measure import MeasureOptions, measure_files
from medseg.workflows.segment import SegmentOptions, segment_files
from medseg.workflows.segmenters import find_segmenter

__all__ = ["CaseResult", "find_cases", "masks_by_stem", "measure_cases", "segment_cases", "write_table"]

#: Files that a folder of cases may hold; anything else in it is left alone.
IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd", ".png", ".tif", ".tiff", ".jpg", ".jpeg")
MASK_SUFFIX = ".nii.gz"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One line of the table at the end."""

    case: str
    state: str  # done | kept | failed
    seconds: float
    output: str = ""
    reason: str = ""


def find_cases(path: Path) -> tuple[Case, ...] | None:
    """Cases behind a path, or None when it is one image (a file, or a folder that is one DICOM study).

    A folder that is no dataset gives one case per image file in it; files named `*_mask` are left out.
    """
    from medseg.io import is_dataset, open_dataset

    if is_dataset(path):
        return open_dataset(path).cases
    if not path.is_dir():
        return None
    files = [item for item in sorted(path.iterdir()) if _is_image(item)]
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

    A mask that this segmenter wrote before is kept, so an interrupted run goes on where it stopped. Where objects are
    asked for, `options.objects` is a folder too, and they get the names of the masks.
    """
    options, run = options or SegmentOptions(), run or Run()
    find_segmenter(name)
    for folder in (out, options.objects):
        if folder is not None:
            _make_folder(folder)

    def one(case: Case) -> CaseResult:
        target = out / f"{case.id}{_suffix(case)}"
        objects = None if options.objects is None else options.objects / target.name
        if target.exists() and not options.force:
            return _kept(case, target, name, objects)
        inputs = {image.channel: image for image in case.images}
        own = replace(options, objects=objects, same_space=options.same_space or case.same_space)
        segment_files(name, inputs, target, options=own, run=run)
        return CaseResult(case.id, "done", 0.0, str(target))

    return _each(cases, one, run, f"segment with {name}")


def measure_cases(
    masks: Mapping[str, Path],
    images: Mapping[str, Case],
    out: Path,
    *,
    options: MeasureOptions | None = None,
    run: Run | None = None,
) -> tuple[tuple[CaseResult, ...], tuple[Record, ...]]:
    """Measure every mask with the images of its case into `out/<id>.json`; also the records, in order."""
    options, run = options or MeasureOptions(), run or Run()
    _make_folder(out)
    records: list[Record] = []

    def one(case: Case) -> CaseResult:
        target = out / f"{case.id}.json"
        inputs = {image.channel: image for image in case.images}
        own = replace(
            options,
            subject=options.subject or case.id,
            same_space=options.same_space or case.same_space,
        )
        records.append(measure_files(masks[case.id], inputs, target, options=own))
        return CaseResult(case.id, "done", 0.0, str(target))

    cases = tuple(images.get(name, Case(name, name, ())) for name in masks)
    return _each(cases, one, run, "measure"), tuple(records)


def masks_by_stem(folder: Path) -> dict[str, Path]:
    """Mask files of a folder by stem."""
    found = {stem_of(item): item for item in sorted(folder.iterdir()) if _is_image(item, masks=True)}
    if not found:
        raise InputError(f"{folder} holds no mask files ({', '.join(IMAGE_SUFFIXES[:5])}, …)")
    return found


def _each(
    cases: tuple[Case, ...], one: Callable[[Case], CaseResult], run: Run, what: str
) -> tuple[CaseResult, ...]:
    results = []
    for number, case in enumerate(cases):
        run.check()
        run.progress(number, len(cases), f"{what}: {case.id}")
        start = time.monotonic()
        try:
            result = one(case)
        except MedsegError as error:
            if error.exit_code == 130:
                raise
            result = CaseResult(case.id, "failed", 0.0, reason=str(error))
        except Exception as error:  # noqa: BLE001 - the edge of a batch: one case must not stop the others
            result = CaseResult(
                case.id, "failed", 0.0, reason=f"a fault in medseg: {type(error).__name__}: {error}"
            )
        results.append(replace(result, seconds=round(time.monotonic() - start, 2)))
    run.progress(len(cases), len(cases), what)
    return tuple(results)


def _kept(case: Case, target: Path, name: str, objects: Path | None) -> CaseResult:
    from medseg.io import read_segmentation

    if read_segmentation(target).made_by.segmenter != name:
        raise OutputError(f"{target} exists and was not made by {name}; use --force to replace it")
    if objects is not None and not objects.exists():
        raise OutputError(f"{target} exists without its objects; use --force to segment again")
    return CaseResult(case.id, "kept", 0.0, str(target))


def _suffix(case: Case) -> str:
    first = Path(case.images[0].path).name.lower()
    return ".png" if first.endswith((".png", ".jpg", ".jpeg", ".tif", ".tiff")) else MASK_SUFFIX


def _is_image(path: Path, *, masks: bool = False) -> bool:
    name = path.name.lower()
    if not path.is_file() or name.startswith(".") or not name.endswith(IMAGE_SUFFIXES):
        return False
    return masks or not stem_of(path).lower().endswith(("_mask", ".seg", "_seg", ".probabilities"))


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"can't make folder {path}: {error.strerror or error}") from error


def write_table(records: tuple[Record, ...], folder: Path, *, force: bool = False) -> Path:
    """All records of a batch as one tidy CSV, `measurements.csv` in the folder."""
    from medseg.io.atomic import write_bytes
    from medseg.reporting import to_csv

    return write_bytes(folder / "measurements.csv", to_csv(list(records)), force=force)
