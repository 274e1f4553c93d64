"""What every method has in common: the voxels it may use, and the Segmentation it answers with."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Image, Label, LabelTable, Params, Provenance, Segmentation
from medseg.domain.values import Scalar, as_details
from medseg.errors import InputError

__all__ = ["FOREGROUND", "answer", "only_image", "require_unit", "usable"]

#: Table of a method that finds one thing and does not know what it is.
FOREGROUND = LabelTable((Label(1, "foreground"),))


def only_image(images: Mapping[str, Image]) -> Image:
    """The image of a method with one channel."""
    (image,) = images.values()
    return image


def usable(image: Image, within: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """(I, J, K) bool: voxels with a finite measurement, inside `within` where it is given.

    Raises
    ------
    InputError
        If there is none.
    """
    found = np.isfinite(image.array) if image.array.dtype.kind == "f" else np.ones(image.grid.shape, np.bool_)
    if image.outside is not None:
        found &= ~image.outside
    if within is not None:
        found &= within
    if not found.any():
        raise InputError("no voxel is left to segment: the image holds no measurement inside --within")
    return found


def require_unit(image: Image, unit: str, method: str) -> None:
    """Refuse an image whose values are not in the unit that a method's numbers mean.

    Raises
    ------
    InputError
        Naming both units.
    """
    if image.value_unit != unit:
        raise InputError(
            f"{method} means values in {unit}, and channel {image.channel!r} is in {image.value_unit}; "
            "another method, or another image, is needed"
        )


def answer(
    name: str,
    image: Image,
    labels: NDArray[Any],
    params: Params,
    *,
    table: LabelTable = FOREGROUND,
    findings: tuple[Finding, ...] = (),
    instances: NDArray[Any] | None = None,
    **facts: Scalar,
) -> Segmentation:
    """Segmentation of a method on its image's grid: labels, and how they were made.

    `facts` are what the method found out and a reader wants to know (a threshold, the rounds it took); they
    stand in the provenance after all parameters.
    """
    dumped = {key: _plain(value) for key, value in params.model_dump().items()}
    made_by = Provenance(name, as_details(**(dumped | facts)))
    kind = np.uint8 if labels.dtype == np.bool_ else labels.dtype
    return Segmentation(
        labels.astype(kind, copy=False),
        image.grid,
        table,
        made_by,
        (*image.findings, *findings),
        instances=instances,
    )


def _plain(value: Any) -> Scalar:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return ", ".join(str(part) for part in value) if isinstance(value, list | tuple) else str(value)
