"""How the inputs were read, kept in the Record, so that a report reads them again in the same way."""

from dataclasses import fields
from typing import Any

from medseg.domain import ReadOptions
from medseg.domain.values import Details, Scalar

__all__ = ["options_from_settings", "settings_from_options"]

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
