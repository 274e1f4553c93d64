"""A paragraph on methods, from what Records say of themselves: every number in it is counted in them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from medseg.definitions.size import RULES
from medseg.domain import Record, Status
from medseg.domain.plan import LesionPlan
from medseg.domain.provenance import GIVEN
from medseg.reporting.record.older import model_of

__all__ = ["counted", "making_words", "methods_paragraph", "versions_of"]

_IBSI = "Zwanenburg et al. 2020, Radiology 295:328-338, doi 10.1148/radiol.2020191145"
_TOOL = "medseg: the medseg developers, version {version}"
_UNKNOWN = "of unknown version"
_LISTED = 8
#: What was drawn in a scan differs from one to the next, and is said in words.
_DRAWN = ("seeds", "seeds_digest", "within_voxels", "within_digest")


def methods_paragraph(records: Sequence[Record], sources: Mapping[str, str]) -> str:
    """Markdown: a paragraph, its references, and what the Records do not know and an author has to add.

    Where Records differ, the paragraph says how many are which. `sources` are citations of segmenters by name.
    """
    if not records:
        return "# Methods\n\nThere are no records.\n"
    cited: list[str] = []

    def cite(text: str) -> str:
        if text not in cited:
            cited.append(text)
        return f"[{cited.index(text) + 1}]"

    parts = [
        _scans(records),
        *_segmenting(records, sources, cite),
        *_changes(records),
        _measuring(records, cite),
        *_lesions(records, cite),
        *_statuses(records),
        *_libraries(records),
    ]
    lines = ["# Methods", "", " ".join(parts), "", "## References", ""]
    lines += [f"{number}. {text}" for number, text in enumerate(cited, 1)]
    lines += ["", "## To be added by the authors", ""]
    lines += [f"- {text}" for text in _open(records)]
    return "\n".join([*lines, ""])


def _scans(records: Sequence[Record]) -> str:
    subjects = len({record.subject for record in records})
    kinds = Counter(item.modality or "of unstated modality" for record in records for item in record.images)
    shown = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
    images = f" on {counted(sum(kinds.values()), 'image')} ({shown})" if kinds else ""
    were = "was" if len(records) == 1 else "were"
    return f"{counted(len(records), 'mask')} of {counted(subjects, 'subject')} {were} measured{images}."


def _segmenting(
    records: Sequence[Record], sources: Mapping[str, str], cite: Callable[[str], str]
) -> Iterable[str]:
    groups = Counter((record.made_by.segmenter, _making(record)) for record in records)
    for (name, words), number in groups.most_common():
        share = "All" if number == len(records) else f"{number} of {len(records)}"
        if name == GIVEN:
            yield f"{share} masks were given; how they were drawn is not recorded."
            continue
        source = f" {cite(sources[name])}" if name in sources else ""
        yield f"{share} masks were made by {' '.join([f'{words[0]}{source}', *words[1:]])}."


def making_words(record: Record) -> str:
    """What made a Record's mask, with version, weights, training and parameters."""
    return " ".join(_making(record))


def _making(record: Record) -> tuple[str, ...]:
    """Name and version, and what stands in brackets after them."""
    made, model = record.made_by, model_of(record)
    more = [
        f"weights SHA-256 {made.weights_digest[:12]}" if made.weights_digest else "",
        f"trained on: {model.trained_on}" if model and model.trained_on else "",
    ]
    told = "; ".join(part for part in more if part)
    given = dict(made.parameters)
    chosen = ", ".join(
        f"{name} {value}" for name, value in given.items() if value is not None and name not in _DRAWN
    )
    return (
        f"{made.segmenter}{f' {model.version}' if model and model.version else ''}",
        *([f"({told})"] if told else []),
        *([f"(parameters: {chosen})"] if chosen else []),
        *(["from seeds placed in each scan"] if "seeds" in given else []),
        *(["within limits drawn in each scan"] if "within_voxels" in given else []),
    )


def _changes(records: Sequence[Record]) -> Iterable[str]:
    edited = sum(bool(record.made_by.edits) for record in records)
    signed = sum(record.review.state == "reviewed" for record in records)
    if edited:
        yield f"{edited} of {len(records)} masks were changed after segmenting."
    yield f"{signed} of {len(records)} records were reviewed and signed by a reader."


def _measuring(records: Sequence[Record], cite: Callable[[str], str]) -> str:
    infos = {
        item.quantity: item.quantity.info
        for record in records
        for item in record.measurements
        if item.value is not None
    }
    first = [info for info in infos.values() if info.headline] or list(infos.values())
    named = [f"{info.title.lower()}{f' (IBSI {info.ibsi})' if info.ibsi else ''}" for info in first[:_LISTED]]
    ibsi = (
        f"; definitions of the Image Biomarker Standardisation Initiative where there are any {cite(_IBSI)}"
        if any(info.ibsi for info in infos.values())
        else ""
    )
    version = versions_of(records, "medseg")
    tool = cite(_TOOL.format(version=version))
    more = f", and {len(infos) - len(named)} more" if len(infos) > len(named) else ""
    return f"Measured with medseg {version} {tool}: {', '.join(named)}{more}{ibsi}."


def _lesions(records: Sequence[Record], cite: Callable[[str], str]) -> Iterable[str]:
    plans = Counter(record.plan.lesions for record in records if record.plan.lesions is not None)
    for plan, number in plans.most_common():
        yield f"In {number} of {len(records)} records lesions were {_plan_words(plan)}."
        if plan.rule is not None:
            rule = RULES[plan.rule]
            yield f"Their size was judged by the size criterion of {rule.title} {cite(rule.source)}; it is no reading."


def _plan_words(plan: LesionPlan) -> str:
    least = f" of at least {plan.minimum_mm3:g} mm³" if plan.minimum_mm3 else ""
    parted = f", split at necks of {plan.split_mm:g} mm" if plan.split_mm else ""
    return f"connected parts of the mask ({plan.connectivity} neighbours){least}{parted}"


def _statuses(records: Sequence[Record]) -> Iterable[str]:
    counts = Counter(item.status for record in records for item in record.measurements)
    total = sum(counts.values())
    bounds = counts[Status.TRUNCATED_LOWER_BOUND] + counts[Status.TRUNCATED_UNRELIABLE]
    if bounds:
        yield f"{bounds} of {total} values were of structures cut by the field of view: they are bounds or unreliable."
    if counts[Status.NOT_COMPUTED]:
        yield f"{counts[Status.NOT_COMPUTED]} of {total} could not be computed; each has its reason."


def _libraries(records: Sequence[Record]) -> Iterable[str]:
    names = [name for name, _ in records[0].versions if name != "medseg"]
    if names:
        yield f"Libraries: {', '.join(f'{name} {versions_of(records, name)}' for name in names)}."


def versions_of(records: Sequence[Record], name: str) -> str:
    """Versions of a library in the Records."""
    found = dict.fromkeys(
        str(dict(record.versions)[name]) for record in records if name in dict(record.versions)
    )
    return " and ".join(found) or _UNKNOWN


def _open(records: Sequence[Record]) -> Iterable[str]:
    yield "who the subjects are, how they were chosen, and which ethics board agreed;"
    yield "how scans were acquired (medseg info --protocol checks it case by case);"
    if any(record.made_by.edits for record in records):
        yield "who changed masks, with which experience, and by which rules;"
    if any(record.made_by.segmenter == GIVEN for record in records):
        yield "who drew the masks that were given, and how;"
    yield "how accurate the segmentation is on scans like these (medseg evaluate);"
    yield "how repeatable its numbers are (medseg repeatability);"
    yield "that the software is for research and no medical device."


def counted(number: int, noun: str) -> str:
    """`1 mask`, `2 masks`."""
    return f"{number} {noun}{'s' * (number != 1)}"
