"""What a user has set in napari's preferences under medseg: who reads, for whom, and on which device."""

from dataclasses import dataclass
from typing import cast

from napari.settings import get_plugin_settings

from medseg.domain.run import Device

__all__ = ["Preferences", "preferences"]


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
    """

    reader: str = ""
    organisation: str = ""
    device: Device = "auto"


def preferences() -> Preferences:
    """As they are now."""
    found = get_plugin_settings("medseg")
    report, run = found.report, found.run
    return Preferences(str(report.reader), str(report.organisation), cast("Device", str(run.device)))
