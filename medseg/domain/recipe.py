"""How a network is run, as values of its card: axes, grid, interpolation, windows, and how outputs become labels.

The defaults are how medseg's own models run; the other values stand for what other programs do.
"""

import re
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, Literal

from pydantic import ConfigDict

from medseg.domain.values import STRICT
from medseg.errors import ConfigError

__all__ = ["PART_FOLDER", "AnchoredGrid", "Before", "Decision", "Resize", "StoredGrid", "WindowRule"]

#: Where a bundle keeps the models that it names: no path can leave it.
PART_FOLDER = re.compile(r"parts/[a-z0-9_-]{1,100}")


@dataclass(frozen=True, slots=True)
class Resize:
    """Interpolation from one number of voxels to another over the same extent, edges on edges.

    Parameters
    ----------
    how
        `spline` as scikit-image's `resize` without smoothing, values held to the range of the input; `linear` as
        torch's `interpolate`; `none` leaves the array as it is.
    order
        Of the spline, within thick slices too.
    order_across
        Of the spline between slices that are interpolated one by one; `linear` takes the nearest there.
    thick_ratio
        Slices are interpolated one by one where one spacing is more than this many times the smallest.
    one_by_one
        Always (true) or never (false) instead.
    """

    how: Literal["spline", "linear", "none"] = "spline"
    order: int = 3
    order_across: int = 0
    thick_ratio: float = 3.0
    one_by_one: bool | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not (0 <= self.order <= 5 and 0 <= self.order_across <= 5):
            raise ConfigError(f"a spline has an order of 0 to 5, not {self.order} and {self.order_across}")
        if not (isfinite(self.thick_ratio) and self.thick_ratio >= 1):
            raise ConfigError(f"thick_ratio is a ratio of spacings from 1 on, not {self.thick_ratio}")


@dataclass(frozen=True, slots=True)
class StoredGrid:
    """The voxels in an order of axes of the file's, cropped, scaled, then resized to a spacing (nnU-Net v2's way).

    Parameters
    ----------
    axes
        Array axis (0 is i) that becomes each axis of the network.
    spacing
        mm along the axes of the network; two for a network of slices, which keeps its first axis as it is.
    orientation
        `stored` takes the file's own order; three letters turn the image to that orientation first.
    crop
        Whether all around the voxels that are not 0 in any channel is left out.
    image, labels, outputs
        How channels, labels of an earlier stage, and the network's outputs are interpolated.
    """

    axes: tuple[int, int, int]
    spacing: tuple[float, ...]
    orientation: Literal["stored", "RAS"] = "stored"
    crop: bool = True
    image: Resize = Resize()
    labels: Resize = Resize(order=1)
    outputs: Resize = Resize(order=1)
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if sorted(self.axes) != [0, 1, 2]:
            raise ConfigError(f"axes of a grid name 0, 1 and 2 once each, not {self.axes}")
        if len(self.spacing) not in (2, 3) or not all(0.001 <= step <= 1000 for step in self.spacing):
            raise ConfigError(f"a grid has two or three spacings of 0.001 to 1000 mm, not {self.spacing}")


@dataclass(frozen=True, slots=True)
class AnchoredGrid:
    """Voxels turned to an orientation, then interpolated linearly from the centre of the first one on (MONAI's way).

    Parameters
    ----------
    orientation
        `stored` takes the file's own order; three letters turn the image to that orientation first.
    spacing
        mm along the axes of the turned image, 0 for the image's own; None keeps all voxels as they are.
    scaled_before
        How many of the card's steps come before the interpolation.
    cropped_after
        After how many of the card's steps all around the voxels above 0 in any channel is left out; None for never.
    margin
        Voxels that the crop is wider on each side.
    slices
        Axis of the turned image that a network of slices steps along.
    """

    orientation: str = "stored"
    spacing: tuple[float, float, float] | None = None
    scaled_before: int = 0
    cropped_after: int | None = None
    margin: int = 0
    slices: int | None = None
    kind: Literal["anchored"] = "anchored"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if self.orientation != "stored" and not _is_orientation(self.orientation):
            raise ConfigError(f"a grid is stored or has three letters such as RAS, not {self.orientation!r}")
        if self.spacing is not None and not all(step == 0 or 0.001 <= step <= 1000 for step in self.spacing):
            raise ConfigError(
                f"spacings of a grid are 0.001 to 1000 mm, or 0 for the own, not {self.spacing}"
            )
        if min(self.scaled_before, self.cropped_after or 0, self.margin) < 0 or self.slices not in (
            None,
            0,
            1,
            2,
        ):
            raise ConfigError(
                "numbers of steps and margins of a grid start at 0, and slices lie along axis 0, 1 or 2"
            )
        if self.cropped_after is not None and self.cropped_after < self.scaled_before:
            raise ConfigError("a grid is cropped after its interpolation")


def _is_orientation(letters: str) -> bool:
    return len(letters) == 3 and all(len(set(pair) & set(letters)) == 1 for pair in ("RL", "AP", "SI"))


@dataclass(frozen=True, slots=True)
class WindowRule:
    """Where windows lie, what their voxels count, and in which precision they are summed.

    Parameters
    ----------
    placing
        `stepped`: by the same step from the edge on, the last one moved back to the end (MONAI); `even`: as many, at
        equal distances from edge to edge (nnU-Net); `whole`: one window of the image's own extents.
    weighting
        A Gaussian around the middle of a window: `gaussian` as MONAI has it, `gaussian_float16` as nnU-Net (filtered
        from one voxel, in float16); `constant` counts all voxels alike.
    sums
        Of weighted outputs and of weights: `float32`, or nnU-Net's `float16`, in which near ties fall otherwise.
    padding
        Around images that are smaller than a window: zeros, or the value of the nearest voxel.
    """

    placing: Literal["stepped", "even", "whole"] = "stepped"
    weighting: Literal["gaussian", "gaussian_float16", "constant"] = "gaussian"
    sums: Literal["float32", "float16"] = "float32"
    padding: Literal["zeros", "nearest"] = "zeros"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Decision:
    """How outputs become labels.

    Parameters
    ----------
    activation
        `softmax` over background and labels, of which the largest wins; `sigmoid` of each output by itself.
    average
        What is averaged over windows, mirrored copies and folds.
    order
        With `sigmoid`: the label that each output writes where it is above the threshold; later ones over earlier ones.
    sequence
        In which outputs write, each named by its number; as they come where it is empty.
    threshold
        Share from which on an output writes its label.
    interpolated
        What is brought to the native grid: the `averages`; the `shares` that the activation makes of them; or labels
        that are decided before, by the `nearest_label`, or as `label_numbers` that are interpolated and rounded.
    finished_first
        Whether the card's steps after the network come before labels go to the native grid.
    """

    activation: Literal["softmax", "sigmoid"] = "softmax"
    average: Literal["probabilities", "logits"] = "probabilities"
    order: tuple[int, ...] = ()
    sequence: tuple[int, ...] = ()
    threshold: float = 0.5
    interpolated: Literal["averages", "shares", "nearest_label", "label_numbers"] = "averages"
    finished_first: bool = False
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    @property
    def is_first(self) -> bool:
        """Whether labels are decided on the network's grid, and brought to the native one."""
        return self.interpolated in ("nearest_label", "label_numbers")

    def __post_init__(self) -> None:
        if self.sequence and sorted(self.sequence) != list(range(len(self.order))):
            raise ConfigError(
                f"decision: sequence names each of {len(self.order)} outputs once: {self.sequence}"
            )
        if not 0 < self.threshold < 1 or (self.threshold != 0.5 and not self.order):
            raise ConfigError(
                f"decision: a threshold of sigmoid is a share within 0 to 1, not {self.threshold}"
            )
        if self.interpolated == "shares" and self.average == "probabilities":
            raise ConfigError(
                "decision: probabilities that are averaged are the shares; interpolate the averages"
            )
        if self.finished_first and not self.is_first:
            raise ConfigError("decision: only labels that are decided first can be finished first")
        if (self.activation == "sigmoid") != bool(self.order):
            raise ConfigError("decision: order belongs to sigmoid, and sigmoid needs it")
        if any(value < 1 for value in self.order):
            raise ConfigError(f"decision: order names labels, which start at 1, not {self.order}")


@dataclass(frozen=True, slots=True)
class Before:
    """A model that runs first, for another one to go on from its labels.

    Parameters
    ----------
    folder
        Its bundle, inside that of the model that goes on: `parts/NAME`.
    gives
        `labels`: each becomes a channel of ones after the image's channels; `box`: the second model works within the
        smallest box around them.
    labels
        Which of its labels, in order.
    margin_mm
        That the box is wider on each side.
    digest
        Of its card, which names its weights.
    """

    folder: str
    gives: Literal["labels", "box"]
    labels: tuple[int, ...]
    margin_mm: float = 0.0
    digest: str = ""
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not PART_FOLDER.fullmatch(self.folder):
            raise ConfigError(f"a part lies in parts/NAME inside of the bundle, not in {self.folder!r}")
        if not self.labels or min(self.labels) < 1 or not (isfinite(self.margin_mm) and self.margin_mm >= 0):
            raise ConfigError("a model that runs first gives labels from 1 on, and a margin of 0 mm or more")
