"""What a user has set in napari's preferences under medseg: who reads, for whom, by which rules, on which device."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from napari.settings import get_plugin_settings

from medseg.domain.run import Device

__all__ = ["Preferences", "follow_preferences", "preferences"]


@dataclass(frozen=True, slots=True)
class Preferences:
    """Preferences of the plugin; empty is what was not set.

    Parameters
    ----------
    reader
        Name under which reports are signed.
    organisation
        Named on reports.
    device
        Where models run.
    rule
        Words of the rule set that a report begins with; see `workspace.review.RULES`.
    """

    reader: str = ""
    organisation: str = ""
    device: Device = "auto"
    rule: str = "as in Measure"


def preferences() -> Preferences:
    """As they are now."""
    found = get_plugin_settings("medseg")
    report, run = found.report, found.run
    return Preferences(
        str(report.reader), str(report.organisation), cast("Device", str(run.device)), str(report.rule)
    )


def follow_preferences(told: Callable[..., None]) -> None:
    """Call a method when a user changes them; it is not kept alive by that."""
    found = get_plugin_settings("medseg")
    for part in (found.report, found.run):
        part.events.connect(told)
