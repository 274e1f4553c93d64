"""Which reader napari takes for dropped scans, as its preferences have it."""

from napari.settings import get_settings
from npe2 import PluginManager

__all__ = ["opens_scans", "set_opens_scans"]

_PLUGIN = "medseg"


def _patterns() -> set[str]:
    """The endings that the manifest names."""
    readers = PluginManager.instance().get_manifest(_PLUGIN).contributions.readers or []
    return {pattern for reader in readers for pattern in reader.filename_patterns}


def opens_scans() -> bool:
    """Whether napari asks no more which reader to take for a scan."""
    known = get_settings().plugins.extension2reader
    return all(known.get(pattern) == _PLUGIN for pattern in _patterns())


def set_opens_scans(*, on: bool) -> None:
    """Let napari open files with these endings with medseg, or ask again; other endings stay as they are."""
    plugins, patterns = get_settings().plugins, _patterns()
    kept = {
        pattern: reader
        for pattern, reader in plugins.extension2reader.items()
        if not (pattern in patterns and reader == _PLUGIN)
    }
    # The first that fits is taken, and napari begins with a line for everything.
    plugins.extension2reader = {**(dict.fromkeys(sorted(patterns), _PLUGIN) if on else {}), **kept}
