"""Random changes of training patches, by MONAI's transforms."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.random import Generator

from medseg.training.config import Augmentation

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["augmenter"]


def augmenter(
    settings: Augmentation, dimensions: int
) -> "Callable[[Tensor, Tensor, Generator], tuple[Tensor, Tensor]]":
    """Function of (image (C, *patch), labels (1, *patch), generator) → the same, changed.

    All randomness comes from the generator, so a patch depends on its number alone.
    """
    from monai.transforms.compose import Compose

    steps: list[Any] = [*_spatial(settings, dimensions), *_intensity(settings)]
    chain = Compose(steps)

    def change(image: "Tensor", labels: "Tensor", rng: Generator) -> "tuple[Tensor, Tensor]":
        chain.set_random_state(seed=int(rng.integers(1 << 31)))
        result: Any = chain({"image": image, "labels": labels})
        image, labels = _plain(result["image"]), _plain(result["labels"])
        if settings.drop_channel and image.shape[0] > 1 and rng.random() < settings.drop_channel:
            image = image.clone()
            image[int(rng.integers(image.shape[0]))] = 0
        return image, labels

    return change


def _spatial(settings: Augmentation, dimensions: int) -> list[Any]:
    from monai.transforms.spatial.dictionary import RandAffined, RandFlipd

    keys = ("image", "labels")
    steps: list[Any] = [RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in settings.flip_axes]
    if settings.affine:
        turns = 3 if dimensions == 3 else 1
        shears = 6 if dimensions == 3 else 2
        steps.append(
            RandAffined(
                keys,
                prob=settings.affine,
                rotate_range=(settings.rotate,) * turns,
                scale_range=(settings.scale,) * dimensions,
                shear_range=(settings.shear,) * shears if settings.shear else None,
                mode=("bilinear", "nearest"),
                padding_mode=("border", "border"),
            )
        )
    return steps


def _intensity(settings: Augmentation) -> list[Any]:
    from monai.transforms.intensity.dictionary import (
        RandAdjustContrastd,
        RandGaussianNoised,
        RandGaussianSmoothd,
        RandScaleIntensityd,
        RandShiftIntensityd,
    )

    steps: list[Any] = []
    if (smooth := settings.smooth)[0]:
        limits = (0.25, smooth[1])
        steps.append(
            RandGaussianSmoothd("image", sigma_x=limits, sigma_y=limits, sigma_z=limits, prob=smooth[0])
        )
    if (contrast := settings.contrast)[0]:
        limits = (2.718 ** -contrast[1], 2.718 ** contrast[1])
        steps.append(RandAdjustContrastd("image", prob=contrast[0], gamma=limits, retain_stats=True))
    if (factor := settings.scale_intensity)[0]:
        steps.append(RandScaleIntensityd("image", factors=factor[1], prob=factor[0], channel_wise=True))
    if (offset := settings.shift_intensity)[0]:
        steps.append(RandShiftIntensityd("image", offsets=offset[1], prob=offset[0], channel_wise=True))
    if (noise := settings.noise)[0]:
        steps.append(RandGaussianNoised("image", prob=noise[0], std=noise[1]))
    return steps


def _plain(value: Any) -> "Tensor":
    tensor: Tensor = value.as_tensor() if hasattr(value, "as_tensor") else value
    return tensor
