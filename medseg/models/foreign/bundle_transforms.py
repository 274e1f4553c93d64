"""Chains of MONAI's transforms, one component after another, with their arguments looked at."""

from collections.abc import Iterator, Mapping
from typing import Any

from medseg.errors import ModelError
from medseg.models.foreign.bundle_config import Config
from medseg.models.foreign.bundle_network import own_class
from medseg.models.foreign.reading import Fields

__all__ = ["first_of", "is_true", "keys_of", "known_transform", "require_only", "transforms_of"]

#: Arguments of a chain that change nothing here.
_CHAIN = {"_target_", "transforms", "map_items", "unpack_items", "log_stats", "lazy"}


def transforms_of(config: Config, name: str) -> Iterator[dict[str, Any]]:
    """Components of a chain, in order, without those that are switched off."""
    chain = config.raw(name)
    if isinstance(chain, dict) and str(chain.get("_target_")).rpartition(".")[2] == "Compose":
        if set(chain) - {
            "_target_",
            "transforms",
            "map_items",
            "unpack_items",
            "log_stats",
            "lazy",
        } or chain.get("lazy"):
            raise ModelError(f"{config.place}: {name}: arguments of Compose are not understood")
        chain = chain.get("transforms")
    chain = config.resolved_list(chain)
    for item in chain:
        if not isinstance(item, dict) or not isinstance(item.get("_target_"), str):
            raise ModelError(f"{config.place}: {name} holds {str(item)[:80]!r}, which is no transform")
        if "_mode_" in item:
            raise ModelError(f"{config.place}: {name}: _mode_ of {item['_target_']} is not understood")
        if config.resolved(item.get("_disabled_", False)) not in (True, "true", "True"):
            yield item


def known_transform(item: Mapping[str, Any], table: Mapping[str, Any], config: Config) -> Any:
    """What a table says of a transform, by its class with or without a `d` at the end."""
    target = item["_target_"]
    if own_class(target):
        raise ModelError(
            f"{config.place}: the transform {target!r} is code of the bundle's own, which is not run"
        )
    name = target.rpartition(".")[2]
    for ending in ("Dict", "D", "d"):
        if name.endswith(ending) and name.removesuffix(ending) in table:
            return table[name.removesuffix(ending)]
    raise ModelError(f"{config.place}: the transform {name!r} is not understood")


def keys_of(given: Fields) -> list[str]:
    """Names of what a transform works on."""
    keys = given.values.get("keys")
    listed = [one for one in (keys if isinstance(keys, list) else [keys]) if isinstance(one, str)]
    if not listed:
        raise ModelError(f"{given.place}: keys {str(keys)[:60]!r} are no names")
    return listed


def first_of(given: Fields, name: str, default: Any) -> Any:
    """An argument that may be given for each key; all must be one."""
    value = given.values.get(name, default)
    if isinstance(value, list) and value and all(one == value[0] for one in value):
        return value[0]
    return value


def require_only(given: Fields, name: str, allowed: tuple[Any, ...]) -> None:
    """Refuse any other value; the first one is what a missing argument means."""
    value = first_of(given, name, allowed[0])
    if value not in allowed:
        raise ModelError(f"{given.place}: {name} {value!r} is not understood; {allowed[0]!r} is")


def is_true(value: Any) -> bool:
    """As MONAI sees it, where a word stands for a flag."""
    return bool(value)
