"""How the inputs were read and what was asked for, kept in the Record, so that it can be done again alike."""

from dataclasses import fields
from typing import Any

from medseg.domain import ReadOptions
from medseg.domain.values import Details, Scalar
from medseg.measuring.plan import LesionPlan, MeasurePlan, PetPlan, TissuePlan

__all__ = ["options_from_settings", "plan_from_settings", "settings_from_options", "settings_from_plan"]

_PREFIX = "read."
#: These are kept with each input instead: they differ from channel to channel.
_OF_INPUT = ("series", "volume")


def settings_from_options(options: ReadOptions) -> Details:
    """The user's answers that changed how files were read, as settings of a Record; defaults are left out."""
    plain = ReadOptions()
    found: list[tuple[str, Scalar]] = []
    for field in fields(ReadOptions):
        value = getattr(options, field.name)
        if field.name in _OF_INPUT or value == getattr(plain, field.name):
            continue
        text = " ".join(repr(step) for step in value) if isinstance(value, tuple) else value
        found.append((_PREFIX + field.name, text))
    return tuple(found)


def options_from_settings(
    settings: Details, *, series: str | None = None, volume: str | None = None
) -> ReadOptions:
    """The options that `settings_from_options` kept, with the ids of one input."""
    kept: dict[str, Any] = {
        key.removeprefix(_PREFIX): value for key, value in settings if key.startswith(_PREFIX)
    }
    if "spacing" in kept:
        kept["spacing"] = tuple(float(part) for part in str(kept["spacing"]).split())
    return ReadOptions(series=series, volume=volume, **kept)


def settings_from_plan(plan: MeasurePlan) -> Details:
    """Every field of the parts that a plan asks for, as settings of a Record: `lesions.connectivity` and so on."""
    found: list[tuple[str, Scalar]] = []
    for part in fields(MeasurePlan):
        chosen = getattr(plan, part.name)
        if chosen is None:
            continue
        for field in fields(chosen):
            value = getattr(chosen, field.name)
            text = ", ".join(value) if isinstance(value, tuple) else value
            found.append((f"{part.name}.{field.name}", text))
    return tuple(found)


def plan_from_settings(settings: Details) -> MeasurePlan:
    """The plan that `settings_from_plan` kept; parts that were not asked for are None."""
    kept = dict(settings)
    parts: dict[str, Any] = {}
    for name, kind in (("lesions", LesionPlan), ("pet", PetPlan), ("tissue", TissuePlan)):
        plain = kind()
        values = {
            field.name: _as_kept(kept[f"{name}.{field.name}"], getattr(plain, field.name))
            for field in fields(kind)
            if f"{name}.{field.name}" in kept
        }
        parts[name] = kind(**values) if values else None
    return MeasurePlan(**parts)


def _as_kept(value: Scalar, plain: object) -> Any:
    if isinstance(plain, tuple):
        return tuple(part for part in str(value).split(", ") if part)
    return value
