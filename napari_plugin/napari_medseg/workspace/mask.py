"""A mask that is worked on: the voxels as they are now, beside what they came from."""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Segmentation
from medseg.workflows.edit import changed_by_hand

__all__ = ["EditedMask"]


@dataclass(eq=False)
class EditedMask:
    """Working labels over a segmentation that stays as it came.

    Parameters
    ----------
    uid
        Names it within the session, whatever its layer is called.
    before
        As segmented or read.
    image
        Uid of the image that it was made on, in the session; None where that is not open.
    labels
        (I, J, K) uint16 on the native grid, writeable: the very memory that a layer shows, so that a stroke is in both.
    """

    uid: str
    before: Segmentation
    image: str | None = None
    labels: NDArray[np.uint16] = field(default_factory=lambda: np.zeros((0, 0, 0), np.uint16))

    def __post_init__(self) -> None:
        if self.labels.shape != self.before.labels.shape:
            self.labels = np.array(self.before.labels, np.uint16)

    @property
    def name(self) -> str:
        """What made it."""
        return f"{self.before.made_by.segmenter} mask"

    def now(self) -> Segmentation:
        """The mask as it is now; its history says what was changed by hand. Cost: a pass over the voxels."""
        if np.array_equal(self.labels, self.before.labels):
            return self.before
        return changed_by_hand(self.before, self.labels.copy(), changed_at=_now())


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
