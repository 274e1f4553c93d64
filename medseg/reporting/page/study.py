"""Two lines under the headline: which scans these are, and what speaks for or against the numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from medseg.domain import InputRef, Measurement, Record
from medseg.reporting.index import index_of
from medseg.reporting.numbers import number_text, unit_text
from medseg.reporting.places import cut_words

__all__ = ["ScanVerdict", "judge_scan", "study_lines"]

#: Findings that say that slices are missing or unevenly spaced, or that voxels were interpolated.
_GEOMETRY = ("dicom.gap", "dicom.variable_spacing", "dicom.resampled", "dicom.duplicates", "seg.step_unknown")
#: Structures whose cut ends are named; of more, their number is.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class ScanVerdict:
    """A verdict on the scan for these numbers, by icon and word, with its reasons."""

    kind: Literal["ok", "cut", "none"]
    icon: str
    word: str
    reasons: tuple[str, ...]


def study_lines(record: Record, acquired: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """A line per image (modality, sequence or kernel, voxels, contrast, scanner), and one on the analysis.

    `acquired` says when, by channel; only pages that name the patient have it.
    """
    days = acquired or {}
    scans = [
        _scan(item, several=len(record.images) > 1, acquired=days.get(item.channel, ""))
        for item in record.images
    ]
    version = dict(record.versions).get("medseg")
    by = f"medseg {version}" if version else "medseg"
    when = (
        f"Analysed on {record.analysed_on} by {by}"
        if record.analysed_on
        else f"Analysed by {by}, day not kept"
    )
    return (*scans, f"{when}.")


def judge_scan(record: Record) -> ScanVerdict:
    """Read with care where something is cut, missing or was warned of; the noise is told, not judged."""
    index = index_of(record.measurements)
    cut = [
        f"{target.name} {words}"
        for target in index.structures
        if (words := cut_words(index, target, record.mask.grid)) is not None
    ]
    reasons = (
        cut if len(cut) <= _NAMED else [f"{len(cut)} of {len(index.structures)} structures cut by the border"]
    )
    geometry = [item for item in record.findings if item.code in _GEOMETRY]
    if geometry:
        reasons.append("slices missing, uneven or interpolated")
    errors = sum(item.severity == "error" for item in record.findings)
    warnings = sum(item.severity == "warning" for item in record.findings)
    reasons += [
        f"{count} {word if count == 1 else f'{word}s'} below"
        for count, word in ((errors, "error"), (warnings, "warning"))
        if count
    ]
    noise = [text for item in record.images if (text := _noise(item, several=len(record.images) > 1))]
    if errors:
        return ScanVerdict("none", "∅", "Doubtful", (*reasons, *noise))
    if cut or warnings or geometry:
        return ScanVerdict("cut", "⚠\ufe0e", "Read with care", (*reasons, *noise))
    inside = (
        ("all structures inside the scan",) if index.structures and _examined(record.measurements) else ()
    )
    return ScanVerdict("ok", "✓", "No reason for doubt found", (*inside, *noise))


def _scan(item: InputRef, *, several: bool, acquired: str) -> str:
    told = dict(item.details)
    name = item.modality or "Image of unknown kind"
    if several and item.channel.lower() != str(item.modality or "").lower():
        name = f"{name} ({item.channel})"
    words = [
        name,
        _sequence(told),
        _voxels(item),
        _contrast(told, item.modality),
        " ".join(str(told[key]) for key in ("manufacturer", "model") if told.get(key)),
        f"acquired {acquired}" if acquired else "",
        _days(told),
    ]
    return f"{', '.join(word for word in words if word)}."


def _sequence(told: dict[str, Any]) -> str:
    if told.get("kernel"):
        return f"kernel {told['kernel']}"
    found = [str(told["sequence"])] if told.get("sequence") else []
    for key, sign in (("repetition_time_ms", "TR"), ("echo_time_ms", "TE")):
        if isinstance(told.get(key), int | float):
            found.append(f"{sign} {told[key]:.4g} ms")
    return " ".join(found)


def _voxels(item: InputRef) -> str:
    spacing = " × ".join(f"{step:.3g}" for step in item.grid.spacing)
    return f"voxels of {spacing} mm" if item.grid.unit == "mm" else "no physical size"


def _contrast(told: dict[str, Any], modality: str | None) -> str:
    if modality not in ("CT", "MR"):
        return ""
    said = told.get("contrast")
    if said is None:
        return "contrast not stated"
    return "no contrast" if said == "none" else "contrast given"


def _days(told: dict[str, Any]) -> str:
    days = told.get("days_after_first_series")
    if not isinstance(days, int) or not days:
        return ""
    return f"{days} day{'s' * (days != 1)} after the first series"


def _noise(item: InputRef, *, several: bool) -> str:
    told = dict(item.details)
    found = told.get("noise_sd")
    if not isinstance(found, int | float):
        return ""
    of = f" of {item.channel}" if several else ""
    return f"noise{of} {number_text(float(found), 0.0)} {unit_text(item.value_unit)}".rstrip()


def _examined(measurements: tuple[Measurement, ...]) -> bool:
    return any(item.quantity.value == "border_voxels" and item.value is not None for item in measurements)
