"""Files ↔ domain: reading, writing, datasets. Formats are plugins, one file each, loaded when first used."""

from medseg.io.read import inspect, read, read_segmentation
from medseg.io.write import write_image, write_probabilities, write_segmentation

__all__ = [
    "inspect",
    "read",
    "read_segmentation",
    "write_image",
    "write_probabilities",
    "write_segmentation",
]
