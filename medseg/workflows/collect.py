"""Collect: corrected cases become a data set that training reads, one case after the other."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from medseg.domain import Case, ChannelFile, Image, LabelTable, Run, Segmentation
from medseg.errors import InputError
from medseg.geometry import same_grid
from medseg.io import open_dataset, read_segmentation, write_image, write_segmentation
from medseg.io.atomic import write_bytes
from medseg.io.unfinished import together

__all__ = ["CASES", "REFERENCE", "add_case"]

#: The list of cases, which `medseg info` and `data.cases` of a training take; and the name of a case's mask.
CASES, REFERENCE = "cases.csv", "reference"
_SUFFIX = ".nii.gz"
_FORMULA_STARTS = ("=", "+", "-", "@")
_FIXED = ("id", "subject", "reference", "same_space")


def add_case(
    folder: Path,
    segmentation: Segmentation,
    images: Mapping[str, Image],
    *,
    case: str,
    subject: str,
    same_space: bool = False,
    run: Run | None = None,
) -> Path:
    """Add a mask and its images to the data set in `folder`, which is begun with the first case.

    Images are written as NIfTI into a folder of the case, with the mask as `reference` and its names beside it, and
    the case gets a row in `cases.csv`: all of it or nothing. Nothing that is there is replaced.

    Parameters
    ----------
    case
        Its name, which no other case has.
    subject
        Whom it shows (a pseudonym): folds keep a subject's cases together, so nobody guesses it.
    same_space
        Declares that images on other grids share the mask's world space.

    Returns
    -------
    Path
        The list of cases.

    Raises
    ------
    InputError
        If case or subject is not named, the case is there already, no image lies on the mask's grid, the mask is
        empty, or channels or labels are not those of the other cases.
    OutputError
        If something can't be written.
    """
    run = run or Run()
    folder = folder.absolute()
    listed = folder / CASES
    _require_names(case, subject, images)
    if not segmentation.present:
        raise InputError("the mask is empty; a case to learn from has at least one labelled voxel")
    if not any(same_grid(image.grid, segmentation.grid) for image in images.values()):
        raise InputError("no image lies on the mask's grid, so training can't lay one over the other")
    known = open_dataset(listed).cases if listed.exists() else ()
    _require_like(known, case, set(images), segmentation.table)
    with together(listed, folder / case):
        for number, (name, image) in enumerate(images.items()):
            run.check()
            run.progress(number, len(images) + 1, f"writing {name}")
            write_image(image, folder / case / f"{name}{_SUFFIX}")
        run.check()
        mask = write_segmentation(segmentation, folder / case / f"{REFERENCE}{_SUFFIX}")
        files = tuple(ChannelFile(name, str(folder / case / f"{name}{_SUFFIX}")) for name in images)
        added = Case(case, subject.strip(), files, str(mask), same_space=same_space)
        run.check()
        write_bytes(listed, _table((*known, added), folder), force=listed.exists())
    return listed


def _require_names(case: str, subject: str, images: Mapping[str, Image]) -> None:
    if not subject.strip():
        raise InputError("say whom the case shows (a pseudonym): folds keep the cases of a subject together")
    bad = (
        not case
        or case.startswith(".")
        or any(sign in '/\\:*?"<>|' or not sign.isprintable() for sign in case)
    )
    if bad or case != case.strip():
        raise InputError(f"a case needs a name that can be a folder's, not {case!r}")
    for text in (case, subject.strip()):
        if text.startswith(_FORMULA_STARTS):
            raise InputError(
                f"{text!r} begins as a formula does, which spreadsheets would run; choose another name"
            )
    if not images:
        raise InputError("a case to learn from has at least one image")
    for name in images:
        if name in (*_FIXED, "case", REFERENCE):
            raise InputError(f"a channel can't be called {name!r}, which means something else in {CASES}")


def _require_like(known: tuple[Case, ...], case: str, channels: set[str], table: LabelTable) -> None:
    """The new case has what the others have: another channel or meaning of a label would be learned as the same."""
    if case.casefold() in {item.id.casefold() for item in known}:
        raise InputError(f"case {case} is in this data set already; give this one another name")
    for item in known:
        theirs = {file.channel for file in item.images}
        if theirs != channels:
            raise InputError(
                f"this case has channels {', '.join(sorted(channels))}, and case {item.id} of the data set has "
                f"{', '.join(sorted(theirs))}"
            )
        if item.reference is not None:
            _require_labels(table, read_segmentation(Path(item.reference)).table, item.id)


def _require_labels(table: LabelTable, other: LabelTable, case: str) -> None:
    names = {label.value: label.name for label in other.labels}
    for label in table.labels:
        theirs = names.get(label.value, label.name)
        if theirs != label.name:
            raise InputError(
                f"label {label.value} is {label.name!r} here and {theirs!r} in case {case} of the data set"
            )


def _table(cases: Iterable[Case], folder: Path) -> bytes:
    """The case list; paths are relative to it."""
    cases = sorted(cases, key=lambda item: item.id)
    channels = [file.channel for file in cases[0].images]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([*_FIXED, *channels])
    for item in cases:
        paths = {file.channel: _inside(file.path, folder) for file in item.images}
        reference = "" if item.reference is None else _inside(item.reference, folder)
        shared = "yes" if item.same_space else "no"
        writer.writerow([item.id, item.subject, reference, shared, *(paths[name] for name in channels)])
    return text.getvalue().encode()


def _inside(path: str, folder: Path) -> str:
    return Path(path).absolute().relative_to(folder).as_posix()
