"""Who reads here: name and organisation as they are set in napari's preferences."""

from napari import settings

__all__ = ["preference"]


def preference(name: str) -> str:
    """A setting of the plugin as text, in whatever group it stands; empty where it is not set."""
    read = getattr(settings, "get_plugin_settings", None)
    try:
        groups = [] if read is None else list(dict(read("medseg")).values())
    except (KeyError, ValueError):  # the manifest has no configurations
        return ""
    found = (getattr(group, name, None) for group in groups)
    return str(next((value for value in found if value), ""))
