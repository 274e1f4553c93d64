"""Plugin points: entry points found by group and name.

The built-ins use the same points as packages by others. Finding an entry point reads metadata only;
`load` imports the object and looks whether it has the parts of its kind. A built-in keeps its name whoever
else registers it, so that numbers do not depend on what is installed; a name given by two other packages is
refused when asked for. A plugin that can't be used is named by `check` and stops nothing else.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from operator import attrgetter
from typing import Any

from medseg.errors import ConfigError, InputError

__all__ = ["READERS", "SEGMENTERS", "WRITERS", "check", "load", "load_all", "names"]

SEGMENTERS = "medseg.segmenters"
READERS = "medseg.readers"
WRITERS = "medseg.writers"
_OURS = "medseg"
_NAME = r"[a-z0-9]+(-[a-z0-9]+)*"
#: What an object of each group has, its name first. The protocols themselves live in rooms above this one.
_PARTS = {
    SEGMENTERS: (
        "spec.name",
        "spec.title",
        "spec.channels",
        "Params.model_fields",
        "segment",
        "memory_bytes",
    ),
    READERS: ("name", "sniff", "inspect", "load"),
    WRITERS: ("name", "suffixes", "write"),
}


def names(group: str) -> tuple[str, ...]:
    """Names registered in a group, sorted, each once."""
    return tuple(_registered(group))


def load(group: str, name: str) -> Any:
    """Import the object registered under `name`; the built-in where there is one.

    Raises
    ------
    InputError
        If nobody, or more than one other package, registers the name.
    ConfigError
        If the plugin exists and can't be imported, or is not what its group asks for.
    """
    registered = _registered(group)
    if name not in registered:
        raise InputError(
            f"no {group} plugin is called {name!r}; installed: {', '.join(registered) or 'none'}"
        )
    return _chosen(registered[name])


def load_all(group: str) -> Iterator[tuple[str, Any]]:
    """Yield (name, object) for every plugin that loads, built-ins first; the broken ones are left to `check`."""
    for points in sorted(_registered(group).values(), key=lambda points: not _is_ours(points[0])):
        try:
            yield points[0].name, _chosen(points)
        except InputError:
            continue


def check(group: str) -> tuple[tuple[str, str, str | None], ...]:
    """(name, owner, fault or None) for every registered plugin of a group."""
    return tuple(
        (point.name, _owner(point), _fault(point, points))
        for points in _registered(group).values()
        for point in points
    )


def _registered(group: str) -> dict[str, list[EntryPoint]]:
    """Entry points by name, sorted; those of one name without repetition, ours first."""
    found: dict[str, dict[tuple[str, str], EntryPoint]] = {}
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, not _is_ours(point))):
        # A package that is installed twice over, as after a change to an editable one, is one package.
        found.setdefault(point.name, {})[_owner(point), point.value] = point
    return {name: list(points.values()) for name, points in found.items()}


def _chosen(points: list[EntryPoint]) -> Any:
    if len(points) > 1 and not _is_ours(points[0]):
        owners = " and ".join(sorted({_owner(point) for point in points}))
        raise InputError(
            f"{points[0].name!r} is registered in {points[0].group} by {owners}; uninstall all but one"
        )
    return _imported(points[0])


def _imported(point: EntryPoint) -> Any:
    who = f"plugin {point.name!r} of {_owner(point)}"
    try:
        with redirect_stdout(sys.stderr):  # what it prints must not stand in the JSON of a command
            found = point.load()
        missing = [part for part in _PARTS[point.group] if not _has(found, part)]
        called = None if missing else attrgetter(_PARTS[point.group][0])(found)
    except (Exception, SystemExit) as error:  # a plugin may fail in any way at import
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(f"{who} can't be loaded: {said}") from error
    if isinstance(found, type):
        raise ConfigError(f"{who} is a class; the entry point must name an object of it")
    if missing:
        raise ConfigError(f"{who} is no member of {point.group}: it has no {', '.join(missing)}")
    if called != point.name:
        raise ConfigError(f"{who} calls itself {called!r}; the entry point must have the same name")
    if not re.fullmatch(_NAME, point.name):
        raise ConfigError(f"{who} can't be typed: a name is of small letters, digits and single hyphens")
    return found


def _fault(point: EntryPoint, points: list[EntryPoint]) -> str | None:
    if _is_ours(points[0]) and not _is_ours(point):
        return (
            f"plugin {point.name!r} of {_owner(point)} is left out: the name is a built-in's; choose another"
        )
    try:
        _chosen(points)
    except InputError as error:
        return str(error)
    return None


def _has(found: Any, part: str) -> bool:
    try:
        attrgetter(part)(found)
    except AttributeError:
        return False
    return True


def _is_ours(point: EntryPoint) -> bool:
    return _owner(point) == _OURS


def _owner(point: EntryPoint) -> str:
    return _name_of(point.dist) if point.dist is not None else "an unknown package"


@lru_cache(maxsize=64)
def _name_of(package: Distribution) -> str:
    """Read from its metadata, which takes a while; many points are of one package."""
    return package.name
