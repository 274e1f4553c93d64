"""Keys of a viewer or a layer, also those that napari has given to something else there."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from app_model.types import KeyBinding

__all__ = ["bind_keys", "free_keys"]


def bind_keys(where: Any, keys: Mapping[str, Callable[..., Any]]) -> None:
    """Have each key call its function while the canvas has the focus.

    A layer's own keys go before the viewer's, so both are bound.
    """
    for key, call in keys.items():
        where.bind_key(key, call, overwrite=True)


def free_keys(where: Any, keys: Iterable[str]) -> None:
    """Take back what `bind_keys` bound."""
    for key in keys:
        if KeyBinding.from_str(key.upper()) in where.keymap:
            where.bind_key(key, None)
