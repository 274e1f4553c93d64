"""CLAIM, the checklist for AI in medical imaging, with what Records say of each item; the rest is the authors'."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType

from medseg.domain import Record, Status
from medseg.domain.provenance import GIVEN
from medseg.reporting.record.older import model_of
from medseg.reporting.study.methods import counted, making_words, versions_of

__all__ = ["CLAIM", "claim_checklist"]

SOURCE = (
    "Tejani et al. 2024, Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 Update, "
    "Radiol Artif Intell 6(4):e240300, doi 10.1148/ryai.240300"
)
#: Items by number and subject, in our words; the published text counts.
CLAIM = MappingProxyType(
    {
        "Title and abstract": ((1, "title names the kind of AI"), (2, "structured abstract")),
        "Introduction": ((3, "background and intended use"), (4, "aims and hypotheses")),
        "Study design": ((5, "prospective or retrospective"), (6, "goal of the study")),
        "Data": (
            (7, "sources of the data"),
            (8, "who was included and excluded"),
            (9, "preprocessing"),
            (10, "choice of parts of the data"),
            (11, "de-identification"),
            (12, "missing data"),
            (13, "how images were acquired"),
        ),
        "Reference standard": (
            (14, "its definition"),
            (15, "why this one"),
            (16, "who annotated"),
            (17, "how the test set was annotated, with which software"),
            (18, "variability between annotators"),
        ),
        "Partitions": ((19, "how cases were assigned"), (20, "at which level they are apart")),
        "Test data": ((21, "intended sample size"),),
        "Model": ((22, "the model"), (23, "software and versions"), (24, "where its parameters began")),
        "Training": ((25, "how it was trained"), (26, "how it was chosen"), (27, "ensembles")),
        "Evaluation": (
            (28, "metrics"),
            (29, "uncertainty and tests"),
            (30, "robustness"),
            (31, "explanations of what it does"),
            (32, "testing on internal data"),
            (33, "testing on external data"),
            (34, "registration of a trial"),
        ),
        "Results": (
            (35, "numbers included and excluded"),
            (36, "demographics by partition"),
            (37, "performance against the reference"),
            (38, "estimates with their precision"),
            (39, "analysis of failures"),
        ),
        "Discussion": ((40, "limits of the study"), (41, "what follows for practice")),
        "Other": ((42, "the full protocol"), (43, "where software, model and data are"), (44, "funding")),
    }
)
_ACQUIRED = ("manufacturer", "model", "sequence", "field_strength_t", "kvp", "kernel", "contrast")


def claim_checklist(records: Sequence[Record]) -> str:
    """Markdown: a table of all items, each with what the Records say of it or that it is the authors' to answer."""
    head = (
        f"From {counted(len(records), 'record')}. What stands here was found in them and is a beginning: no item is "
        f"fulfilled by it alone, and the published checklist counts, not these short names: {SOURCE}."
    )
    told = {number: words for number, find in _FINDERS.items() if (words := find(records))}
    lines = [
        "# CLAIM",
        "",
        head,
        "",
        "| item | about | the records say |",
        "| --- | --- | --- |",
    ]
    for section, items in CLAIM.items():
        lines.append(f"| | **{section}** | |")
        lines += [f"| {number} | {about} | {_cell(told.get(number, ''))} |" for number, about in items]
    lines += ["", f"{len(told)} of {sum(map(len, CLAIM.values()))} items have something in the records."]
    return "\n".join([*lines, ""])


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ") or "nothing: for the authors"


def _makers(records: Sequence[Record]) -> str:
    return "; ".join(f"{counted(number, 'mask')} {words}" for words, number in _making(records).most_common())


def _making(records: Sequence[Record]) -> Counter[str]:
    return Counter(
        "given, of unknown making" if record.made_by.segmenter == GIVEN else f"by {making_words(record)}"
        for record in records
    )


def _missing(records: Sequence[Record]) -> str:
    rows = [row for record in records for row in record.measurements]
    absent = sum(row.status is Status.NOT_COMPUTED for row in rows)
    cut = sum(row.status in (Status.TRUNCATED_LOWER_BOUND, Status.TRUNCATED_UNRELIABLE) for row in rows)
    return (
        f"{absent} of {len(rows)} values were not computed, each with its reason and none filled in; {cut} are of "
        "structures cut by the field of view"
    )


def _acquired(records: Sequence[Record]) -> str:
    images = [item for record in records for item in record.images]
    kinds = Counter(item.modality or "of unstated modality" for item in images)
    parts = [f"{number} {kind}" for kind, number in kinds.most_common()]
    sizes = {
        " × ".join(f"{step:.3g}" for step in item.grid.spacing) + f" {item.grid.unit}" for item in images
    }
    parts += [f"voxels of {size}" for size in sorted(sizes)[:3]]
    parts += [f"and {len(sizes) - 3} other sizes"] if len(sizes) > 3 else []
    for key in _ACQUIRED:
        values = Counter(str(dict(item.details)[key]) for item in images if key in dict(item.details))
        if values:
            parts.append(f"{key.replace('_', ' ')} {', '.join(value for value, _ in values.most_common(4))}")
    return "; ".join(parts)


def _annotated(records: Sequence[Record]) -> str:
    edited = sum(bool(record.made_by.edits) for record in records)
    signed = sum(record.review.state == "reviewed" for record in records)
    version = versions_of(records, "medseg")
    return f"{edited} masks changed after segmenting, {signed} records signed by a reader; medseg {version}"


def _software(records: Sequence[Record]) -> str:
    names = dict.fromkeys(name for record in records for name, _ in record.versions)
    return ", ".join(f"{name} {versions_of(records, name)}" for name in names)


def _intervals(records: Sequence[Record]) -> str:
    found = sum(row.interval is not None for record in records for row in record.measurements)
    return f"{counted(found, 'volume')} with an interval of the model" if found else ""


def _failures(records: Sequence[Record]) -> str:
    codes = Counter(item.code for record in records for item in record.findings if item.severity != "info")
    return ", ".join(f"{code} ({number})" for code, number in codes.most_common(8))


def _of_models(part: str) -> Callable[[Sequence[Record]], str]:
    def said(records: Sequence[Record]) -> str:
        return "; ".join(dict.fromkeys(_told(records, part)))

    return said


def _told(records: Sequence[Record], part: str) -> Iterable[str]:
    for record in records:
        model = model_of(record)
        if model is None:
            continue
        value = getattr(model, part)
        for words in (value,) if isinstance(value, str) else value:
            if words:
                yield f"{model.name}: {words}"


_FINDERS: dict[int, Callable[[Sequence[Record]], str]] = {
    3: _of_models("intended_use"),
    12: _missing,
    13: _acquired,
    17: _annotated,
    22: _makers,
    23: _software,
    25: _of_models("trained_on"),
    29: _intervals,
    35: lambda records: (
        f"{counted(len(records), 'record')} of {counted(len({record.subject for record in records}), 'subject')}"
    ),
    39: _failures,
    40: _of_models("limits"),
    43: _of_models("licence"),
}
