"""The one protocol behind classical methods, models and prompts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from medseg.domain.grid import Grid
from medseg.domain.image import Image
from medseg.domain.params import Params
from medseg.domain.prompts import Prompts
from medseg.domain.run import Run
from medseg.domain.segmentation import Segmentation
from medseg.errors import ConfigError

__all__ = ["ChannelNeed", "Segmenter", "SegmenterSpec"]

SegmenterKind: TypeAlias = Literal["classical", "model", "prompted"]


@dataclass(frozen=True, slots=True)
class ChannelNeed:
    """A channel that a segmenter asks for; None means any."""

    name: str
    modality: str | None = None
    value_unit: str | None = None


@dataclass(frozen=True, slots=True)
class SegmenterSpec:
    """What is told about a segmenter before it is loaded or run.

    Parameters
    ----------
    name, title, summary
        The name typed, a short title, one sentence.
    source
        Paper or book that defines it.
    channels
        What it needs; the first one gives the native grid of the answer unless `reference` names another.
    reference
        Name of the channel whose grid the answer has.
    needs_prompts, needs_mm
        Whether it works without seeds, and on `px` images.
    near_prompts
        Given prompts, what is farther from them than its parameter `margin_mm` changes nothing, so that it need not be
        given more of the images than that.
    dimensions
        2, 3 or both.
    version
        Changes whenever the same parameters may give another answer: of a model, the digest of its card, which
        names its weights. Empty where the name says it all.
    axes
        The order of array axes that it works in: `canonical`, the nearest to RAS, so that an answer does not depend on
        how a file is stored; or `stored`, as the file has it, for models that were trained so.

    Raises
    ------
    ConfigError
        If there is no channel, two have one name, or the reference is none of them.
    """

    name: str
    title: str
    summary: str
    source: str
    kind: SegmenterKind = "classical"
    channels: tuple[ChannelNeed, ...] = (ChannelNeed("image"),)
    reference: str | None = None
    needs_prompts: bool = False
    needs_mm: bool = False
    near_prompts: bool = False
    dimensions: tuple[int, ...] = (2, 3)
    version: str = ""
    axes: Literal["canonical", "stored"] = "canonical"

    def __post_init__(self) -> None:
        names = [need.name for need in self.channels]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"{self.name}: channels {names} must be one or more, each with its own name")
        if self.reference is not None and self.reference not in names:
            raise ConfigError(
                f"{self.name}: the reference {self.reference!r} is none of the channels {names}"
            )


@runtime_checkable
class Segmenter(Protocol):
    """Anything that turns images into a Segmentation.

    `workflows` is the only caller. It has matched channels, checked the common space, and brought each
    image to the nearest RAS order by flips and permutation: axis 0 is right–left. The answer is on the
    grid of the reference channel as given. A segmenter polls `run.check()` and reports progress.
    """

    @property
    def spec(self) -> SegmenterSpec:
        """Description."""
        ...

    @property
    def Params(self) -> type[Params]:  # noqa: N802 - it is a class, and reads as one
        """Class of the parameters."""
        ...

    def segment(
        self,
        images: Mapping[str, Image],
        params: Any,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,
        run: Run,
    ) -> Segmentation:
        """Segment; `within` is a mask on the reference grid outside which all is background."""
        ...

    def memory_bytes(self, grids: Mapping[str, Grid], params: Any) -> int:
        """Peak memory above the images, predicted from their grids."""
        ...
