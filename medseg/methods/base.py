"""What every method has in common: the voxels it may use, and the Segmentation it answers with."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Image, Label, LabelTable, Params, Provenance, Segmentation
from medseg.domain.values import Scalar, as_details
from medseg.errors import ConfigError, InputError
from medseg.masks.seeds import FOREGROUND

__all__ = [
    "answer",
    "box_of",
    "class_table",
    "only_image",
    "refuse_sheared",
    "require_contrast",
    "require_order",
    "require_unit",
    "require_values",
    "usable",
]


def class_table(classes: int) -> LabelTable:
    """Labels of numbered classes, darkest first."""
    return LabelTable(tuple(Label(n, f"class {n} of {classes}") for n in range(1, classes + 1)))


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


def box_of(mask: NDArray[np.bool_], pad: int = 0) -> tuple[slice, slice, slice]:
    """Bounds of a mask that is not empty, with `pad` voxels around as far as the array goes."""
    bounds = []
    for axis, extent in enumerate(mask.shape):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        bounds.append(slice(max(0, int(used[0]) - pad), min(extent, int(used[-1]) + 1 + pad)))
    return bounds[0], bounds[1], bounds[2]


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


def require_contrast(values: NDArray[Any], method: str, where: str = "image or region") -> None:
    """Refuse values (of usable voxels) that are all the same, or none at all.

    Raises
    ------
    InputError
        Naming the method, and what is constant.
    """
    if values.size == 0 or values.min() == values.max():
        raise InputError(f"{method} needs different values; this {where} is constant")


def require_values(different: int, classes: int, method: str) -> None:
    """Refuse fewer different values than classes.

    Raises
    ------
    InputError
        Naming the method, and how many classes it has.
    """
    if different < classes:
        raise InputError(
            f"{method} needs at least {classes} different values for {classes} classes; this image or region "
            "is constant or has fewer"
        )


def require_order(low: float | None, high: float | None, method: str, *, apart: bool = False) -> None:
    """Refuse limits in the wrong order, and equal ones where they must be apart; None is no limit.

    Raises
    ------
    ConfigError
        Naming both.
    """
    if low is None or high is None:
        return
    if low > high:
        raise ConfigError(f"{method}: low = {low:g} lies above high = {high:g}; swap them")
    if apart and low == high:
        raise ConfigError(f"{method}: low and high are both {low:g}, so nothing is between")


def refuse_sheared(grid: Grid, method: str) -> None:
    """Refuse a sheared grid, where distances along the axes are not those of the world.

    Raises
    ------
    InputError
        Saying what helps.
    """
    if grid.is_sheared:
        raise InputError(
            f"{method} needs axes at right angles; resample this image on a regular grid with --resample"
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
    made_by = Provenance(name, as_details(**(dict(params.details) | facts)))
    kind = np.uint8 if labels.dtype == np.bool_ else labels.dtype
    labels = labels.astype(kind, copy=False)
    said = (*image.findings, *findings, *_what_is_missing(labels, table, numbered=instances is not None))
    return Segmentation(labels, image.grid, table, made_by, said, instances=instances)


def _what_is_missing(labels: NDArray[Any], table: LabelTable, *, numbered: bool) -> Iterator[Finding]:
    """An answer that says nothing is said to do so: nobody looks at every mask of many."""
    counts = np.bincount(labels.ravel(order="K"), minlength=max(table.values) + 1)
    absent = [label.name for label in table.labels if not counts[label.value]]
    if len(absent) == len(table.labels):
        text = "Nothing was found: no voxel is labelled. Look at the parameters, and at what the values are."
        yield Finding("method.nothing_found", "warning", text)
    elif absent:
        text = f"No voxel is labelled {', '.join(absent[:3])}{' and others' if len(absent) > 3 else ''}."
        yield Finding("method.label_absent", "info", text)
    elif len(table.labels) == 1 and not counts[0] and not numbered:
        text = f"Every voxel is labelled {table.labels[0].name}: nothing was told apart."
        yield Finding("method.all_labelled", "warning", text)
