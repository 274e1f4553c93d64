"""What records of before version 1.2 keep as text: the plan, the ways of reading, the model's facts.

Such a record keeps its form, since its signature covers it; it is understood where it is read.
"""

from dataclasses import fields
from typing import Any

from medseg.domain import LabelTable, ReadOptions, Record
from medseg.domain.plan import LesionPlan, MeasurePlan, PetPlan, TissuePlan
from medseg.domain.provenance import ModelFacts

__all__ = ["model_of", "plan_of", "read_options_of"]

_READ = "read."


def plan_of(record: Record) -> MeasurePlan:
    """What the record measured beside labels and regions."""
    if record.plan != MeasurePlan() or not record.settings:
        return record.plan
    kept = dict(record.settings)
    parts: dict[str, Any] = {}
    for name, kind in (("lesions", LesionPlan), ("pet", PetPlan), ("tissue", TissuePlan)):
        plain = kind()
        values = {
            field.name: _as_kept(kept[f"{name}.{field.name}"], getattr(plain, field.name), record.table)
            for field in fields(kind)
            if f"{name}.{field.name}" in kept
        }
        parts[name] = kind(**values) if values else None
    return MeasurePlan(**parts)


def read_options_of(record: Record, *, series: str | None = None, volume: str | None = None) -> ReadOptions:
    """How the record's inputs were read, with the ids of one of them."""
    if not any(key.startswith(_READ) for key, _ in record.settings):
        values = {field.name: getattr(record.read, field.name) for field in fields(ReadOptions)}
        return ReadOptions(**{**values, "series": series, "volume": volume})
    kept: dict[str, Any] = {
        key.removeprefix(_READ): value for key, value in record.settings if key.startswith(_READ)
    }
    if "spacing" in kept:
        kept["spacing"] = tuple(float(part) for part in str(kept["spacing"]).split())
    return ReadOptions(series=series, volume=volume, **kept)


def model_of(record: Record) -> ModelFacts | None:
    """Facts of the model that made the mask; None for methods and masks without a history."""
    if record.made_by.model is not None or not record.model:
        return record.made_by.model
    kept = {key: str(value or "") for key, value in record.model}
    limits = kept.get("limits", "")
    return ModelFacts(
        kept.get("name", record.made_by.segmenter),
        kept.get("version", ""),
        kept.get("licence", ""),
        kept.get("trained_on", ""),
        kept.get("intended_use", ""),
        (limits,) if limits else (),
    )


def _as_kept(value: Any, plain: object, table: LabelTable) -> Any:
    return _names(str(value or ""), table) if isinstance(plain, tuple) else value


def _names(text: str, table: LabelTable) -> tuple[str, ...]:
    """Names that were joined by commas; one that holds a comma itself is known by the record's table."""
    names = [item.name for item in table.labels] + [item.name for item in table.regions]
    known = sorted((name for name in names if ", " in name), key=len, reverse=True)
    found: list[str] = []
    while text:
        whole = next((name for name in known if text == name or text.startswith(f"{name}, ")), None)
        name = whole if whole is not None else text.partition(", ")[0]
        found.append(name)
        text = text[len(name) + 2 :]
    return tuple(name for name in found if name)
