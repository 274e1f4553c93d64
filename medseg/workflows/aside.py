"""What a folder holds beside the files that are read, so that nothing is left out without a word."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from medseg.domain import Case, Finding
from medseg.domain.values import as_details
from medseg.errors import InputError
from medseg.io.datasets.patients import several_masks
from medseg.io.names import split_part, stem_of
from medseg.io.probabilities import are_probabilities
from medseg.io.suffixes import image_suffixes

__all__ = ["files_of_cases", "left_aside", "reference_files", "without_reference"]

#: Text about images, tables of results and ledgers: nobody takes them for images.
_TEXT = (".json", ".jsonl", ".csv", ".tsv", ".txt", ".md", ".rst", ".yaml", ".yml", ".log", ".bval", ".bvec")
_ABOUT = {"README", "LICENSE", "CHANGES", "CITATION", "DICOMDIR"}
#: So many names stand in a message.
_NAMED = 5


def left_aside(folder: Path, used: Iterable[str | Path]) -> tuple[Finding, ...]:
    """One Finding that names the files and folders in which nothing was read; none for a path that is no folder.

    Sidecars, the second file of a pair, text and hidden files are no images and are not named.
    """
    read = {Path(path).absolute() for path in used}
    if not folder.is_dir() or folder.absolute() in read:
        return ()  # a folder of DICOM is read as a whole, and its reader says what lies beside
    above = {parent for path in read for parent in path.parents}
    names = [_name(path, folder) for path in _beside(folder.absolute(), read, above)]
    if not names:
        return ()
    shown = ", ".join(names[:_NAMED]) + ", …" * (len(names) > _NAMED)
    what = "a name" if len(names) == 1 else f"{len(names)} names"
    text = f"{folder} also holds {what} of which nothing was read: {shown}."
    return (Finding("folder.aside", "info", text, as_details(names=len(names))),)


def files_of_cases(cases: Iterable[Case]) -> Iterator[Path]:
    """Images and references of cases."""
    for case in cases:
        yield from (split_part(file.path)[0] for file in case.images)
        if case.reference is not None:
            yield split_part(case.reference)[0]


def reference_files(cases: Sequence[Case]) -> dict[str, tuple[Path, ...]]:
    """The reference masks of cases by id, to be read as the files are.

    Raises
    ------
    InputError
        If the numbers in them are no labels, as those of Cityscapes' pictures or of objects in a video.
    """
    if numbered := [case.id for case in cases if case.reference and case.labels and case.labels.renames]:
        raise InputError(
            f"the numbers in the masks of {len(numbered)} cases ({numbered[0]}, …) are no labels; write masks "
            "with labels first: medseg convert SET OUT.json"
        )
    return {case.id: (Path(case.reference),) for case in cases if case.reference}


def without_reference(cases: Iterable[Case]) -> tuple[Finding, ...]:
    """One Finding that names the cases of a dataset that have no reference mask, and why where there are several."""
    names = [f"{case.id}{_why(several_masks(case))}" for case in cases if case.reference is None]
    if not names:
        return ()
    shown = ", ".join(names[:_NAMED]) + ", …" * (len(names) > _NAMED)
    what = "1 case has" if len(names) == 1 else f"{len(names)} cases have"
    text = f"{what} no reference mask and stand in no result: {shown}."
    text = text.replace("and stand in", "and stands in") if len(names) == 1 else text
    return (Finding("dataset.no_reference", "warning", text, as_details(cases=len(names))),)


def _why(masks: tuple[Path, ...]) -> str:
    names = ", ".join(path.name for path in masks)
    return f" ({len(masks)} may be it: {names}; keep one)" if masks else ""


def _beside(folder: Path, read: set[Path], above: set[Path]) -> Iterator[Path]:
    stems = {stem_of(path) for path in read if path.parent == folder}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path in read:
            continue
        if path.is_dir():
            yield from _beside(path, read, above) if path in above else (path,)
        elif not _is_about(path, stems):
            yield path


def _is_about(path: Path, stems: set[str]) -> bool:
    name = path.name.lower()
    if name.endswith(image_suffixes()):
        return are_probabilities(path)
    return name.endswith(_TEXT) or path.stem.upper() in _ABOUT or path.stem in stems


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder.absolute()).as_posix() + "/" * path.is_dir()
