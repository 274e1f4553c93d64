"""Arrays of labels as a mask that is worked on needs them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.errors import InputError

__all__ = ["as_unsigned", "copy_of_labels", "present_values", "require_labels"]


def copy_of_labels(labels: NDArray[Any]) -> NDArray[Any]:
    """A copy that nobody can write to, so that a Segmentation need not make another one."""
    copy = labels.copy(order="K")
    copy.setflags(write=False)
    return copy


def as_unsigned(labels: NDArray[Any]) -> NDArray[Any]:
    """Labels in a type without a sign."""
    return labels if labels.dtype.kind == "u" else labels.astype(np.uint16)


def present_values(counts: NDArray[np.intp]) -> tuple[int, ...]:
    """Values above 0 that have voxels, of their counts by value."""
    return tuple(int(value) for value in np.flatnonzero(counts) if value)


def require_labels(labels: NDArray[Any]) -> None:
    """Refuse what is no label.

    Raises
    ------
    InputError
        If a value is below 0 or above 65535.
    """
    if int(labels.min()) < 0 or int(labels.max()) > np.iinfo(np.uint16).max:
        raise InputError("labels are whole numbers from 0 to 65535; the layer holds others")
