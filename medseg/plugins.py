"""Plugin points: entry points found by group and name.

The built-ins use the same points as packages by others. Finding an entry point reads metadata only;
`load` imports the object. A name given by two packages is refused when asked for, and a plugin that
can't be imported is named by `check` and stops nothing else.
"""

from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from medseg.errors import ConfigError, InputError

__all__ = ["READERS", "SEGMENTERS", "WRITERS", "check", "load", "load_all", "names"]

SEGMENTERS = "medseg.segmenters"
READERS = "medseg.readers"
WRITERS = "medseg.writers"


def names(group: str) -> tuple[str, ...]:
    """Names registered in a group, sorted, each once."""
    return tuple(sorted({point.name for point in entry_points(group=group)}))


def load(group: str, name: str) -> Any:
    """Import the object registered under `name`.

    Raises
    ------
    InputError
        If nobody or more than one package registers the name.
    ConfigError
        If the plugin exists and can't be imported.
    """
    points = tuple(entry_points(group=group, name=name))
    if not points:
        raise InputError(
            f"no {group} plugin is called {name!r}; installed: {', '.join(names(group)) or 'none'}"
        )
    owners = sorted({_owner(point) for point in points})
    if len({point.value for point in points}) > 1:
        raise InputError(
            f"{name!r} is registered in {group} by {' and '.join(owners)}; uninstall all but one"
        )
    try:
        return points[0].load()
    except Exception as error:  # a plugin may fail in any way at import
        raise ConfigError(
            f"plugin {name!r} of {owners[0]} can't be loaded: {type(error).__name__}: {error}"
        ) from error


def load_all(group: str) -> Iterator[tuple[str, Any]]:
    """Yield (name, object) for every plugin that loads; the broken ones are left to `check`."""
    for name in names(group):
        try:
            yield name, load(group, name)
        except InputError:
            continue


def check(group: str) -> tuple[tuple[str, str, str | None], ...]:
    """(name, owner, fault or None) for every registered plugin of a group."""
    found: list[tuple[str, str, str | None]] = []
    for name in names(group):
        owner = ", ".join(sorted({_owner(point) for point in entry_points(group=group, name=name)}))
        try:
            load(group, name)
            found.append((name, owner, None))
        except InputError as error:
            found.append((name, owner, str(error)))
    return tuple(found)


def _owner(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unknown package"
