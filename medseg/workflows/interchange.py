"""Images and masks from other libraries' objects and back, with their geometry: numpy, nibabel, SimpleITK, torch, …

A label table, provenance and findings stay behind on the way out: these objects have no place for them.
"""

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, Label, LabelTable, Segmentation
from medseg.domain.segmentation import count_labels, smallest_unsigned
from medseg.errors import InputError, LabelError, MissingExtra
from medseg.geometry import flip_affine
from medseg.geometry import sitk as arrays
from medseg.io.nifti.memory import nibabel_image, nibabel_parts
from medseg.io.values import drop_nonfinite

if TYPE_CHECKING:
    import SimpleITK as sitk
    import torch
    from nibabel.spatialimages import SpatialImage

__all__ = [
    "from_nibabel",
    "from_numpy",
    "from_sitk",
    "from_torch",
    "from_torchio",
    "to_monai",
    "to_nibabel",
    "to_numpy",
    "to_sitk",
    "to_torch",
    "to_torchio",
]

Value: TypeAlias = Image | Segmentation
#: What label values are called: their table, or names by value.
Labels: TypeAlias = LabelTable | Mapping[int, str]

_PIXELS = np.diag([-1.0, -1.0, 1.0, 1.0])


class _About(NamedTuple):
    """What an array can't say of an image of it."""

    modality: str | None
    value_unit: str
    channel: str


def from_numpy(
    array: NDArray[Any],
    affine: NDArray[Any] | None = None,
    *,
    like: Value | None = None,
    labels: Labels | None = None,
    modality: str | None = None,
    value_unit: str = "[arb'U]",
    channel: str = "image",
) -> Value:
    """An Image of an array; with `labels` a Segmentation.

    Parameters
    ----------
    array
        (I, J, K) or (I, J), indexed as the affine's columns; copied unless nobody can write to it.
    affine
        4×4, index of a voxel's centre → RAS+ mm. Without it, and without `like`, sizes are in pixels.
    like
        An Image or Segmentation whose grid it has, instead of an affine.
    labels
        Names of label values; values without one are called `label N`.
    modality, value_unit, channel
        Of an image, as `Image` has them: without a unit, values are on an arbitrary scale.

    Raises
    ------
    InputError
        If the shape is another than that of `like`, both places are given, or the array has other dimensions.
    LabelError
        If labels are no whole numbers from 0 to 65535.

    Examples
    --------
    >>> import medseg
    >>> mask = medseg.from_numpy(np.ones((2, 2, 2), np.uint8), np.eye(4), labels={1: "node"})
    >>> mask.table.name_of(1), mask.grid.spacing
    ('node', (1.0, 1.0, 1.0))
    """
    if like is not None and affine is not None:
        raise InputError("a place is given by affine or by like, not by both")
    solid = np.asarray(array)
    if solid.ndim not in (2, 3):
        raise InputError(
            f"an array is (I, J, K) or (I, J), not of shape {solid.shape}; give one channel at a time"
        )
    solid = solid[..., None] if solid.ndim == 2 else solid
    if like is not None:
        grid = like.grid
        if solid.shape != grid.shape:
            raise InputError(f"an array of shape {solid.shape} can't lie on a grid of shape {grid.shape}")
    else:
        shape = (solid.shape[0], solid.shape[1], solid.shape[2])
        grid = (
            Grid(shape, _PIXELS, unit="px") if affine is None else Grid(shape, np.asarray(affine, np.float64))
        )
    return _value(solid, grid, labels, _About(modality, value_unit, channel))


def from_nibabel(
    image: "SpatialImage",
    *,
    labels: Labels | None = None,
    modality: str | None = None,
    value_unit: str = "[arb'U]",
    channel: str = "image",
) -> Value:
    """An Image of nibabel's image, placed as a file of it is; with `labels` a Segmentation. See `from_numpy`.

    Raises
    ------
    InputError
        If it has more than one volume, or a qform and an sform that contradict each other.
    """
    array, grid, findings = nibabel_parts(image)
    made = _value(array, grid, labels, _About(modality, value_unit, channel))
    return replace(made, findings=(*findings, *made.findings))


def from_sitk(
    image: "sitk.Image",
    *,
    labels: Labels | None = None,
    modality: str | None = None,
    value_unit: str = "[arb'U]",
    channel: str = "image",
) -> Value:
    """An Image of SimpleITK's (LPS there, RAS here); with `labels` a Segmentation. See `from_numpy`.

    Raises
    ------
    InputError
        If it is not of three dimensions, or has several components a voxel.
    """
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(
            f"an image has three dimensions and one value a voxel, not {image.GetDimension()} and "
            f"{image.GetNumberOfComponentsPerPixel()}"
        )
    lps = np.eye(4)
    lps[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    lps[:3, 3] = image.GetOrigin()
    array = arrays.from_sitk(image)
    return from_numpy(
        array, flip_affine(lps), labels=labels, modality=modality, value_unit=value_unit, channel=channel
    )


def from_torch(
    tensor: "torch.Tensor",
    affine: NDArray[Any] | None = None,
    *,
    like: Value | None = None,
    labels: Labels | None = None,
    modality: str | None = None,
    value_unit: str = "[arb'U]",
    channel: str = "image",
) -> Value:
    """An Image of a tensor (I, J, K) or (1, I, J, K); with `labels` a Segmentation. See `from_numpy`.

    MONAI's MetaTensor brings its affine along, in RAS or LPS as it says.

    Raises
    ------
    InputError
        If it has several channels: give one, by `tensor[:1]`.
    """
    if affine is None and like is None and hasattr(tensor, "affine") and hasattr(tensor, "meta"):
        affine = _affine_of_monai(tensor)
    array = np.asarray(tensor.detach().cpu().numpy())
    if array.ndim == 4:
        if array.shape[0] != 1:
            raise InputError(
                f"a tensor of {array.shape[0]} channels is several images; give one, by tensor[:1]"
            )
        array = array[0]
    return from_numpy(
        array, affine, like=like, labels=labels, modality=modality, value_unit=value_unit, channel=channel
    )


def from_torchio(subject: Mapping[str, Any], *, labels: Labels | None = None) -> dict[str, Value]:
    """Images and masks of a TorchIO Subject by name: its LabelMaps are masks. See `from_numpy`.

    Raises
    ------
    InputError
        If an image of it has several channels.
    """
    found: dict[str, Value] = {}
    for name, item in subject.items():
        if hasattr(item, "affine") and hasattr(item, "data"):
            is_mask = type(item).__name__ == "LabelMap"
            found[name] = from_torch(
                item.data, np.asarray(item.affine), labels=(labels or {}) if is_mask else None, channel=name
            )
    return found


def to_numpy(value: Value) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """(I, J, K) values and the affine (4, 4), RAS+; copies that may be written to."""
    return np.array(_array(value), order="K"), np.array(value.grid.affine)


def to_nibabel(value: Value) -> "SpatialImage":
    """Nibabel's image, with the header that a file of it has: sform and qform, mm.

    Raises
    ------
    InputError
        If it has no physical size: NIfTI would call its pixels millimetres.
    """
    _require_size(value.grid, "NIfTI")
    return nibabel_image(np.array(_array(value), order="K"), value.grid)


def to_sitk(value: Value) -> "sitk.Image":
    """SimpleITK's image, in LPS.

    Raises
    ------
    InputError
        If it has no physical size or orientation, which ITK has no word for, or its grid is sheared.
    """
    _require_place(value.grid, "SimpleITK")
    return arrays.to_sitk(_array(value), value.grid)


def to_torch(value: Value) -> "torch.Tensor":
    """A tensor (1, I, J, K) of the values alone; `to_monai` keeps the affine. Labels are integers torch can count."""
    array = np.ascontiguousarray(_array(value))
    if array.dtype.kind == "u" and array.dtype != np.uint8:
        array = array.astype(np.int32 if array.dtype == np.uint16 else np.int64)
    return _tensor(array)[None]


def to_monai(value: Value) -> Any:
    """MONAI's MetaTensor (1, I, J, K) with the affine in RAS.

    Raises
    ------
    MissingExtra
        If MONAI is not installed.
    """
    monai = _library("monai.data", "pip install 'medseg[train]'")
    _require_place(value.grid, "MONAI")
    return monai.MetaTensor(to_torch(value), affine=_tensor(value.grid.affine), meta={"space": "RAS"})


def to_torchio(images: Mapping[str, Value]) -> Any:
    """A TorchIO Subject of images and masks by name.

    Raises
    ------
    MissingExtra
        If TorchIO is not installed.
    """
    torchio = _library("torchio", "pip install torchio")
    for value in images.values():
        _require_place(value.grid, "TorchIO")
    kinds = {
        name: torchio.LabelMap if isinstance(value, Segmentation) else torchio.ScalarImage
        for name, value in images.items()
    }
    made = {
        name: kinds[name](tensor=to_torch(value), affine=np.array(value.grid.affine))
        for name, value in images.items()
    }
    return torchio.Subject(**made)


def _value(array: NDArray[Any], grid: Grid, labels: Labels | None, about: _About) -> Value:
    if labels is None:
        values = array.astype(np.uint8) if array.dtype == np.bool_ else array
        whole, outside, findings = drop_nonfinite(values, "the array")
        return Image(whole, grid, *about, findings=findings, outside=outside)
    whole = _labels(array)
    table = labels if isinstance(labels, LabelTable) else _table(labels)
    present = tuple(int(value) for value in np.flatnonzero(count_labels(whole)) if value)
    return Segmentation(whole, grid, table.completed(present))


def _table(names: Mapping[int, str]) -> LabelTable:
    return LabelTable(tuple(Label(value, name) for value, name in names.items()))


def _labels(array: NDArray[Any]) -> NDArray[Any]:
    """Label values in the smallest unsigned type; floats that are whole numbers are such."""
    if array.dtype.kind not in "bui":
        if array.dtype.kind != "f" or not np.array_equal(array, np.rint(array)):
            raise LabelError("labels are whole numbers, and this array holds others")
        array = array.astype(np.int64)
    if array.dtype.kind == "i" and array.min(initial=0) < 0:
        raise LabelError(f"labels are 0 and more, and this array holds {int(array.min())}")
    if int(array.max(initial=0)) > np.iinfo(np.uint16).max:
        raise LabelError(f"labels go up to 65535, and this array holds {int(array.max())}")
    return smallest_unsigned(array.astype(np.uint16))


def _array(value: Value) -> NDArray[Any]:
    return value.labels if isinstance(value, Segmentation) else value.array


def _affine_of_monai(tensor: Any) -> NDArray[np.float64]:
    affine = np.asarray(tensor.affine.cpu().numpy(), np.float64)
    return flip_affine(affine) if str(tensor.meta.get("space", "RAS")).upper().endswith("LPS") else affine


def _require_size(grid: Grid, whom: str) -> None:
    if grid.unit != "mm":
        raise InputError(
            f"{whom} would take its pixels for millimetres: read it with spacing=, or use to_numpy"
        )


def _require_place(grid: Grid, whom: str) -> None:
    _require_size(grid, whom)
    if not grid.orientation_known:
        raise InputError(
            f"{whom} can't say that an orientation is unknown: read it with orientation=, or use to_numpy"
        )


def _library(name: str, how: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtra(f"this needs {name.partition('.')[0]}, which is not installed; {how}") from error


def _tensor(array: NDArray[Any]) -> "torch.Tensor":
    found: torch.Tensor = _library("torch", "pip install 'medseg[models]'").from_numpy(np.array(array))
    return found
