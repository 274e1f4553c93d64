"""Whether numbers of two scans may be compared: the same patient, model, settings, review and protocol."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from medseg.domain import Finding, Image, InputRef, Record
from medseg.domain.provenance import GIVEN
from medseg.domain.study import Identity
from medseg.errors import ConfigError, MedsegError
from medseg.io.dicom.derived.origin import read_headers
from medseg.io.dicom.derived.study import identity_in
from medseg.masks import slice_axis

__all__ = [
    "ACCEPTABLE",
    "Difference",
    "method_differences",
    "require_acceptable",
    "said_differences",
    "scan_differences",
]

#: What a user may accept as no hindrance, in words; another patient never.
ACCEPTABLE = ("method", "settings", "review", "protocol")
#: Thicknesses, or spacings across slices where none is stated, within this relative difference are one protocol.
_THICKNESS = 0.25
#: Facts of an image that make another protocol where both say them, and those that are only told.
_PROTOCOL = {"sequence": "sequence", "acquisition": "acquisition", "contrast": "contrast", "kernel": "kernel"}
_TOLD = {
    "manufacturer": "manufacturer",
    "model": "scanner",
    "field_strength_t": "field strength",
    "kvp": "kVp",
    "echo_time_ms": "echo time",
    "repetition_time_ms": "repetition time",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """Why two scans can't be compared: the aspect (`patient`, or one of `ACCEPTABLE`), in words."""

    aspect: str
    words: str


def require_acceptable(aspects: Sequence[str]) -> None:
    """Refuse what can't be accepted.

    Raises
    ------
    ConfigError
        Naming what can.
    """
    for aspect in aspects:
        if aspect not in ACCEPTABLE:
            raise ConfigError(f"{', '.join(ACCEPTABLE)} can be accepted as they are, not {aspect!r}")


def scan_differences(
    first: Record, other: Record, images: tuple[Mapping[str, Image], Mapping[str, Image]]
) -> tuple[Difference, ...]:
    """All that keeps a change between two Records from being called, the worst first.

    Parameters
    ----------
    first, other
        The baseline, and a later scan.
    images
        Their images, by which DICOM headers are read; identity is compared and never kept.
    """
    return (
        *_patient(first, other, images),
        *method_differences(first, other),
        *_review(first, other),
        *_protocol(first, other),
    )


def said_differences(first: Record, other: Record, number: int) -> Iterator[Finding]:
    """What a reader must know and what hinders nothing: another scanner, grid, version."""
    for one, two in _pairs(first, other):
        for key, words in _TOLD.items():
            old, new = dict(one.details).get(key), dict(two.details).get(key)
            if old is not None and new is not None and old != new:
                text = f"Scan {number} has another {words} than the baseline: {new}, not {old}."
                yield Finding("followup.scanner", "warning", text)
    old_grid, new_grid = first.mask.grid, other.mask.grid
    if any(abs(a - b) > 1e-3 * a for a, b in zip(old_grid.spacing, new_grid.spacing, strict=True)):
        sizes = [" × ".join(f"{step:.3g}" for step in grid.spacing) for grid in (new_grid, old_grid)]
        text = f"Scan {number} has voxels of {sizes[0]} mm, the baseline of {sizes[1]} mm."
        yield Finding("followup.spacing", "info", text)
    versions = [dict(record.versions).get("medseg") for record in (first, other)]
    if versions[0] != versions[1]:
        text = f"Scan {number} was measured with medseg {versions[1]}, the baseline with {versions[0]}."
        yield Finding("followup.version", "info", text)


def _patient(
    first: Record, other: Record, images: tuple[Mapping[str, Image], Mapping[str, Image]]
) -> Iterator[Difference]:
    one, two = (identity_of_images(item) for item in images)
    if one is not None and two is not None:
        for field, words in (("patient_id", "patient ID"), ("sex", "sex"), ("birth_date", "birth date")):
            old, new = getattr(one, field), getattr(two, field)
            if old and new and old != new:
                yield Difference("patient", f"the {words} in the headers is another one")
                return
    named = [record.subject for record in (first, other) if not _is_derived(record)]
    if len(named) == 2 and named[0] != named[1]:
        yield Difference("patient", f"the records name other subjects: {named[0]} and {named[1]}")


def identity_of_images(images: Mapping[str, Image]) -> Identity | None:
    """The patient that the headers of the first DICOM image name; None without one."""
    for image in images.values():
        if image.source is not None and image.source.format == "dicom":
            try:
                headers = read_headers(image.source)
            except MedsegError:
                continue
            if headers:
                return identity_in(next(iter(headers.values())))
    return None


def _is_derived(record: Record) -> bool:
    """Whether the pseudonym is the digest of an image, which says nothing of the patient."""
    seeds = [item.digest for item in record.inputs]
    return record.subject in {f"case-{seed[:8]}" for seed in seeds}


def method_differences(first: Record, other: Record) -> Iterator[Difference]:
    """Whether the same method, weights, settings and rules of lesions made both Records."""
    one, two = first.made_by, other.made_by
    if (one.segmenter, one.weights_digest) != (two.segmenter, two.weights_digest):
        yield Difference("method", f"other segmenters: {_named(first)} and {_named(other)}")
    elif one.segmenter == GIVEN:
        yield Difference(
            "method", "both masks were given, and nothing says that they were made in the same way"
        )
    elif one.parameters != two.parameters:
        changed = sorted({key for key, _ in set(one.parameters) ^ set(two.parameters)})
        yield Difference("settings", f"the segmenter had other settings ({', '.join(changed)})")
    plans = first.plan.lesions, other.plan.lesions
    if None not in plans and plans[0] != plans[1]:
        yield Difference(
            "settings", "lesions were found by other rules (connectivity, least size, split or rule set)"
        )


def _named(record: Record) -> str:
    weights = record.made_by.weights_digest
    return f"{record.made_by.segmenter}{f' (weights {weights[:8]})' if weights else ''}"


def _review(first: Record, other: Record) -> Iterator[Difference]:
    signed = [record.review.state == "reviewed" for record in (first, other)]
    edited = [bool(record.made_by.edits) for record in (first, other)]
    if any(edited) and not all(signed):
        which = "both masks were" if all(edited) else "one mask was"
        yield Difference("review", f"{which} edited, and not both were reviewed")


def _protocol(first: Record, other: Record) -> Iterator[Difference]:
    for one, two in _pairs(first, other):
        if one.modality != two.modality and one.modality and two.modality:
            yield Difference("protocol", f"{one.modality} and {two.modality}")
        facts = dict(one.details), dict(two.details)
        for key, words in _PROTOCOL.items():
            old, new = facts[0].get(key), facts[1].get(key)
            if old is not None and new is not None and old != new:
                yield Difference("protocol", f"another {words}: {old} and {new}")
        (old, what), (new, _) = _thickness(one), _thickness(two)
        if abs(old - new) > _THICKNESS * min(old, new):
            yield Difference("protocol", f"another slice {what}: {old:.3g} and {new:.3g} mm")


def _thickness(item: InputRef) -> tuple[float, str]:
    """As stated, else the spacing across slices; and which of them."""
    stated = item.grid.slice_thickness
    if stated is not None:
        return stated, "thickness"
    return item.grid.spacing[slice_axis(item.grid)], "spacing"


def _pairs(first: Record, other: Record) -> Iterator[tuple[InputRef, InputRef]]:
    """Images of the same channel; of one each, those."""
    theirs = {item.channel: item for item in other.images}
    if len(first.images) == len(other.images) == 1:
        yield first.images[0], other.images[0]
        return
    for item in first.images:
        if item.channel in theirs:
            yield item, theirs[item.channel]
