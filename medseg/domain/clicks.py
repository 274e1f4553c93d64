"""What a promptable network is told of a user's clicks, as a value of its card."""

from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

from pydantic import ConfigDict

from medseg.domain.values import STRICT
from medseg.errors import ConfigError

__all__ = ["ClickRule"]


@dataclass(frozen=True, slots=True)
class ClickRule:
    """Channels after those of the image: clicks in the object, clicks outside of it, the answer before.

    The network works in one window of its own extents over a box around what was clicked, in cubic voxels as small as
    the box allows and never smaller than the image's smallest: so that it sees objects of any size about equally large.

    Parameters
    ----------
    radius_steps
        Standard deviation of the bump around a click, in steps of the window: so many times its spacing in mm.
    looks
        How often the network looks: after the first time in a box that is put anew around the answer.
    around
        Room left around the answer on each side, as a share of its longest extent.
    sees_answer
        Whether a look is shown the answer of the look before; else that channel is empty.
    """

    radius_steps: float = 1.5
    looks: int = 3
    around: float = 0.35
    sees_answer: bool = True
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not (isfinite(self.radius_steps) and self.radius_steps > 0 and 0 <= self.around <= 10):
            raise ConfigError(f"clicks have a positive radius, and room around an answer is a share: {self}")
        if not 1 <= self.looks <= 10:
            raise ConfigError(f"a promptable network looks 1 to 10 times, not {self.looks}")

    @property
    def channels(self) -> int:
        """Channels beside those of the image."""
        return 3
