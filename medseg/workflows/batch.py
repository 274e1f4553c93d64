"""Many cases: what stands already, and what is done of the rest; one bad case is named and the others go on.

An output that stands is **kept** where all that was asked is the same, **made again** where medseg made it and
something that was asked differs, and **refused** where it holds work of a person, or is none of medseg's.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from medseg.domain import InputRef, Record, Run, Segmentation
from medseg.domain.provenance import GIVEN
from medseg.errors import InputError, MedsegError, OutputError
from medseg.geometry import Agreement, compare_grids
from medseg.io import read_segmentation
from medseg.io.names import stem_of
from medseg.io.sidecar import OTHER_PLACE, UNFINISHED
from medseg.io.unfinished import settle
from medseg.masks.changes import edit_text
from medseg.workflows.record import read_record, result_digest

__all__ = [
    "CaseResult",
    "Standing",
    "each",
    "failed",
    "make_folder",
    "mask_standing",
    "only",
    "record_standing",
    "unique",
]

State: TypeAlias = Literal["done", "kept", "made again", "failed", "left over"]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One line of the table at the end; `expected_dice` only of masks that a model made and nobody changed."""

    case: str
    state: State
    seconds: float
    output: str = ""
    reason: str = ""
    expected_dice: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What is to be done about an output: whether it is kept, or one that stands is replaced; and why.

    `expected_dice` is what the model expected of a mask that is kept as the model left it.
    """

    kept: bool = False
    replaces: bool = False
    reason: str = ""
    expected_dice: float | None = None

    @property
    def state(self) -> State:
        """The word of the table, once it is done."""
        return "kept" if self.kept else "made again" if self.replaces else "done"


def mask_standing(
    target: Path, request: str, segmenter: str, differs: Callable[[Segmentation], str]
) -> Standing:
    """What is to be done about a mask at `target` that `request` asks for.

    `differs` says in words how a mask was asked for otherwise.

    Raises
    ------
    OutputError
        If what stands there is no mask of this segmenter, or was changed by a person and is asked for otherwise.
    """
    if not target.exists():
        return Standing()
    try:
        found = read_segmentation(target)
    except MedsegError as error:
        raise OutputError(f"{target} exists and is no mask ({error}); use --force to replace it") from error
    made, codes = found.made_by, {item.code for item in found.findings}
    if UNFINISHED in codes:
        return Standing(replaces=True, reason="an earlier run was stopped before it replaced it")
    if made.segmenter == GIVEN:
        raise OutputError(
            f"{target} exists and has no history that holds, so what made it is not known; use --force to replace it"
        )
    work = [edit_text(item) for item in made.edits]
    work += ["its place in the header was changed"] if OTHER_PLACE in codes else []
    hand = "; ".join(work)
    if made.request_digest == request:
        return Standing(kept=True, reason=hand, expected_dice=None if hand else made.expected_dice)
    if made.segmenter != segmenter:
        raise OutputError(
            f"{target} exists and was made by {made.segmenter}, not by {segmenter}; "
            "use --force to replace it, or another --out to keep both"
        )
    why = differs(found)
    if hand:
        raise OutputError(
            f"{target} holds later work ({hand}) and is asked for otherwise now ({why}); "
            "use --force to replace it, or another --out to keep both"
        )
    return Standing(replaces=True, reason=why)


def record_standing(target: Path, draft: Record) -> tuple[Standing, Record | None]:
    """What is to be done about a Record at `target` that is asked for as in `draft`, and the Record if it is kept.

    Raises
    ------
    OutputError
        If what stands there is no Record, or a person signed it and it is asked for otherwise.
    """
    if not target.exists():
        return Standing(), None
    try:
        found = read_record(target)
    except MedsegError as error:
        raise OutputError(f"{target} exists and is no record ({error}); use --force to replace it") from error
    signer = found.review.reviewer if found.review.state == "reviewed" else None
    if found.result_digest is not None and found.result_digest != result_digest(found):
        raise OutputError(
            f"the numbers in {target} were changed since they were measured; use --force to measure again"
        )
    if found.request_digest == draft.request_digest:
        return Standing(kept=True, reason=f"signed by {signer}" if signer else ""), found
    why = "; ".join(_record_differences(found, draft)) or "an earlier medseg measured it"
    if signer or found.review.amends:
        raise OutputError(
            f"{target} was signed and is asked for otherwise now ({why}); "
            "use --force to replace it, or another --out to keep both"
        )
    return Standing(replaces=True, reason=why), None


def _record_differences(found: Record, draft: Record) -> Iterable[str]:
    before = {_input_name(item): item for item in found.inputs}
    now = {_input_name(item): item for item in draft.inputs}
    for name, item in now.items():
        old = before.get(name)
        if old is None:
            yield f"{name} was not there"
        elif old.digest != item.digest:
            yield f"{name} is another one"
        elif (old.modality, old.value_unit) != (item.modality, item.value_unit):
            yield f"the values of {name} are declared otherwise"
        elif compare_grids(old.grid, item.grid).agreement is not Agreement.SAME:
            yield f"{name} lies elsewhere"
    yield from (f"{name} is not given" for name in before if name not in now)
    pairs = {
        "names of labels": (found.table, draft.table),
        "history of the mask": (found.made_by, draft.made_by),
        "what is measured": (found.plan, draft.plan),
        "the way of reading": (found.read, draft.read),
        "the subject's name": (found.subject, draft.subject),
        "versions of medseg or its libraries": (found.versions, draft.versions),
        "what is known of the inputs": (set(draft.findings) - set(found.findings), set()),
    }
    yield from (f"{name} differs" for name, (one, two) in pairs.items() if one != two)


def _input_name(item: InputRef) -> str:
    return f"the {item.role}" + (f" {item.channel}" if item.channel not in ("", item.role) else "")


def each(
    names: Iterable[str], one: Callable[[str], CaseResult], run: Run, what: str
) -> tuple[CaseResult, ...]:
    """Do every case; a failure is a line of its own, only a stop by the user ends it all."""
    results = []
    names = tuple(names)
    for number, name in enumerate(names):
        run.check()
        run.progress(number, len(names), f"{what}: {name}")
        start = time.monotonic()
        try:
            result = one(name)
        except Exception as error:  # noqa: BLE001 - the edge of a batch: one case must not stop the others
            result = failed(name, error)
        results.append(replace(result, seconds=round(time.monotonic() - start, 2)))
    run.progress(len(names), len(names), what)
    return tuple(results)


def failed(name: str, error: Exception) -> CaseResult:
    """The line of a case that ended in an error; a stop by the user is raised again, as it ends all."""
    if isinstance(error, MedsegError):
        if error.exit_code == 130:
            raise error
        return CaseResult(name, "failed", 0.0, reason=str(error))
    return CaseResult(name, "failed", 0.0, reason=f"a fault in medseg: {type(error).__name__}: {error}")


def unique(files: Iterable[Path]) -> dict[str, tuple[Path, ...]]:
    """Files by stem, in order; a stem of several files is a clash that `only` names."""
    found: dict[str, tuple[Path, ...]] = {}
    for file in files:
        found[stem_of(file)] = (*found.get(stem_of(file), ()), file)
    return found


def only(files: tuple[Path, ...]) -> Path:
    """The one file of a stem.

    Raises
    ------
    InputError
        If several share it: nobody says which of them is meant.
    """
    if len(files) > 1:
        names = " and ".join(file.name for file in files)
        raise InputError(f"{names} share the name {stem_of(files[0])}; rename or remove all but one")
    return files[0]


def make_folder(path: Path) -> None:
    """Make a folder of outputs; what killed runs left in it is swept, also where all of them are going to be kept.

    Raises
    ------
    OutputError
        If that can't be.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        settle(path)
    except OSError as error:
        raise OutputError(f"can't make folder {path}: {error.strerror or error}") from error
