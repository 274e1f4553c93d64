"""Writer: layers back to files, on the grid of the file they came from."""

from typing import Any

from numpy.typing import NDArray

from medseg.workflows import write
from napari_medseg.layers import image_of, segmentation_of

__all__ = ["write_image", "write_labels"]


def write_image(path: str, data: NDArray[Any], meta: dict[str, Any]) -> list[str]:
    """Write an image layer; the dialog has asked about replacing."""
    return [str(write(image_of(data, meta), path, force=True))]


def write_labels(path: str, data: NDArray[Any], meta: dict[str, Any]) -> list[str]:
    """Write a labels layer as a mask with its sidecar."""
    return [str(write(segmentation_of(data, meta), path, force=True))]
