"""Files ↔ domain: reading, writing, datasets. Formats are plugins, a room each, loaded when first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from medseg.io.read import inspect, read, read_files, read_segmentation
from medseg.io.write import require_writable, write_image, write_probabilities, write_segmentation

if TYPE_CHECKING:
    from medseg.io.datasets import is_dataset, make_split, open_dataset, read_split, write_split

__all__ = [
    "inspect",
    "is_dataset",
    "make_split",
    "open_dataset",
    "read",
    "read_files",
    "read_segmentation",
    "read_split",
    "require_writable",
    "write_image",
    "write_probabilities",
    "write_segmentation",
    "write_split",
]

_DATASETS = ("is_dataset", "make_split", "open_dataset", "read_split", "write_split")


def __getattr__(name: str) -> Any:
    # Datasets read files themselves, so they are loaded after this room.
    if name not in _DATASETS:
        raise AttributeError(f"module 'medseg.io' has no attribute {name!r}")
    return getattr(import_module("medseg.io.datasets"), name)
