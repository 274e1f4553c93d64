"""Whether there is anything to learn, and whether what is learned can be judged: before the first step, in numbers."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from medseg.domain import Finding
from medseg.domain.values import as_details
from medseg.errors import ConfigError
from medseg.io.atomic import write_bytes
from medseg.training.cache import CachedCase
from medseg.training.run_folder import RunFolder

__all__ = ["check_cases", "check_names", "read_findings", "write_findings"]

_ADAPTER: TypeAdapter[tuple[Finding, ...]] = TypeAdapter(tuple[Finding, ...])
_FILE = "findings.json"
#: So many names stand in a message.
_NAMED = 5


def check_cases(plan: RunFolder, cache: Mapping[str, CachedCase]) -> tuple[Finding, ...]:
    """What a reader of the model must know of the cases that it is trained on.

    Raises
    ------
    ConfigError
        If nothing can be learned (no mask holds a label, a label vanishes at the model's spacing), or one image
        stands in two folds, so that the model would be judged on what it was trained on.
    """
    cases = [cache[case.id] for case in plan.cases]
    _refuse_empty(cases)
    _refuse_twins(plan, cases)
    return (
        *check_names(plan),
        *_vanishing(plan, cases),
        *_absent(plan, cases),
        *_about_values(plan),
        *_left_out(plan),
        *_ignored(cases),
        *_alone(plan),
    )


def check_names(plan: RunFolder) -> tuple[Finding, ...]:
    """Said where the data set calls a label's value something else than the configuration does."""
    if plan.dataset.table is None:
        return ()
    theirs = {item.value: item.name for item in plan.dataset.table.labels}
    other = [
        f"{item.value} is {item.name!r} here and {theirs[item.value]!r} there"
        for item in plan.config.labels.labels
        if item.value in theirs and theirs[item.value].casefold() != item.name.casefold()
    ]
    if not other:
        return ()
    text = f"The configuration and the data set name labels differently: {'; '.join(other[:_NAMED])}."
    return (Finding("train.label_names", "warning", text, as_details(labels=len(other))),)


def read_findings(run: Path) -> tuple[Finding, ...]:
    """Findings that a run left in its folder; none where it left none."""
    path = run / _FILE
    return _ADAPTER.validate_json(path.read_bytes()) if path.is_file() else ()


def write_findings(run: Path, findings: Iterable[Finding]) -> None:
    """Add findings to a run's folder, each once."""
    kept = tuple(dict.fromkeys((*read_findings(run), *findings)))
    write_bytes(run / _FILE, _ADAPTER.dump_json(kept, indent=1), force=True)


def _refuse_empty(cases: Sequence[CachedCase]) -> None:
    if not any(count[0] for case in cases for count in case.objects.values()):
        raise ConfigError(
            f"there is nothing to learn: none of the {len(cases)} masks holds a label that the configuration names"
        )


def _refuse_twins(plan: RunFolder, cases: Sequence[CachedCase]) -> None:
    """Equal images of two subjects in two folds; flat ones (the empty slices of a stack) are no twins."""
    fold = {name: number for number, part in enumerate(plan.split.folds) for name in part}
    fold |= dict.fromkeys(plan.split.held_out, -1)
    seen: dict[str, CachedCase] = {}
    twins: list[str] = []
    for case in cases:
        if not case.image:
            continue
        first = seen.setdefault(case.image, case)
        if first.set_name != case.set_name:
            raise ConfigError(
                f"{first.id} and {case.id} of two sets show the same image, and each mask says nothing of what the "
                "other holds; join both to one case of a set that holds all, or leave one out"
            )
        if fold[first.subject] != fold[case.subject]:
            twins.append(f"{first.id} and {case.id}")
    if twins:
        raise ConfigError(
            f"{len(twins)} pairs of cases show the same image and stand in different folds, so the model would be "
            f"judged on what it was trained on: {'; '.join(twins[:_NAMED])}; give them one subject, or leave one out"
        )


def _vanishing(plan: RunFolder, cases: Sequence[CachedCase]) -> list[Finding]:
    found = []
    spacing = plan.config.grid.spacing
    for label in plan.config.labels.labels:
        counts = [case.objects.get(str(label.value), (0, 0)) for case in cases]
        native, kept = (sum(count[place] for count in counts) for place in (0, 1))
        if native and not kept:
            raise ConfigError(
                f"nothing is left of label {label.name!r} at grid.spacing={list(spacing or ())}: all of its {native} "
                "separate objects are smaller than what this spacing can hold"
            )
        if kept < native:
            text = (
                f"{native - kept} of the {native} separate objects of {label.name} vanish at the model's spacing "
                f"({' × '.join(f'{step:g}' for step in spacing or ())} mm), so that they are not learned."
            )
            details = as_details(label=label.name, objects=native, kept=kept)
            found.append(Finding("train.objects_vanish", "warning", text, details))
    return found


def _absent(plan: RunFolder, cases: Sequence[CachedCase]) -> list[Finding]:
    found = []
    for label in plan.config.labels.labels:
        place = plan.config.labels.values.index(label.value) + 1
        told = [case for case in cases if not case.held or place in case.held]
        holding = sum(1 for case in told if case.objects.get(str(label.value), (0, 0))[0])
        if holding == 0:
            text = f"None of the {len(told)} masks holds label {label.name}, so it can't be learned."
            found.append(Finding("train.label_absent", "warning", text, as_details(label=label.name)))
    return found


def _about_values(plan: RunFolder) -> list[Finding]:
    """What a label of a set was taken for, where its name is another."""
    found = []
    ours = {label.value: label.name for label in plan.config.labels.labels}
    for item in plan.config.data.sets:
        case = next((case for case in plan.cases if case.labels and case.labels.set_name == item.name), None)
        if case is None or case.labels is None:
            continue
        pairs = [f"{theirs} is {ours[own]!r}" for theirs, own in case.labels.values if own]
        dropped = [str(theirs) for theirs, own in case.labels.values if not own]
        text = f"Masks of the set {item.name}: {', '.join(pairs)}" + (
            f"; background: {', '.join(dropped)}." if dropped else "."
        )
        found.append(Finding("train.set_values", "info", text, as_details(set=item.name)))
    return found


def _left_out(plan: RunFolder) -> list[Finding]:
    if not plan.left_out:
        return []
    shown = ", ".join(plan.left_out[:_NAMED]) + ", …" * (len(plan.left_out) > _NAMED)
    text = f"Cases without a reference mask, from which nothing is learned: {len(plan.left_out)} ({shown})."
    return [Finding("train.no_reference", "warning", text, as_details(cases=len(plan.left_out)))]


def _ignored(cases: Sequence[CachedCase]) -> list[Finding]:
    partly = [case for case in cases if case.ignored]
    if not partly:
        return []
    count, size = sum(case.ignored for case in partly), sum(case.voxels for case in partly)
    text = (
        f"{count} voxels ({100 * count / size:.3g} %) of {len(partly)} of the {len(cases)} masks are marked 'ignore': "
        "nobody judged them, and neither loss nor Dice counts them."
    )
    return [Finding("train.ignored", "warning", text, as_details(voxels=count, cases=len(partly)))]


def _alone(plan: RunFolder) -> list[Finding]:
    if plan.on_hold_out or len(plan.split.folds) > 1:
        return []
    count = sum(len(part) for part in plan.split.folds)
    if count == 1:
        text = "Trained on one subject and judged by the same one, so that its figures say nothing of others."
        return [Finding("train.one_subject", "warning", text)]
    text = (
        f"Trained on {count} subjects and judged by the same ones, so that its figures say nothing of others."
    )
    return [Finding("train.judged_by_itself", "warning", text)]
