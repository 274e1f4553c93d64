"""Fixed thresholds: every voxel whose value lies in a given range."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.errors import ConfigError
from medseg.methods.base import answer, only_image, require_order, usable

__all__ = ["THRESHOLD", "Threshold", "ThresholdParams"]


class ThresholdParams(Params):
    """What may be chosen; at least one limit is needed."""

    low: float | None = Field(
        None,
        description="Lowest value that belongs to the object, itself included; no bound where none is given.",
        json_schema_extra={"unit": "unit of the image"},
    )
    high: float | None = Field(
        None,
        description="Highest value that belongs to the object, itself included; no bound where none is given.",
        json_schema_extra={"unit": "unit of the image"},
    )


class Threshold:
    """Segmenter behind `medseg segment threshold`."""

    spec = SegmenterSpec(
        name="threshold",
        title="Fixed threshold",
        summary="One label for every voxel whose value lies between two given limits.",
        source="Gonzalez and Woods 2018, Digital Image Processing, 4th edition, section 10.3",
    )
    Params = ThresholdParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: ThresholdParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,  # noqa: ARG002 - the protocol's signature
        run: Run,
    ) -> Segmentation:
        """Compare the only channel with the limits; voxels outside `within` or unmeasured are background.

        Raises
        ------
        ConfigError
            If there is no limit, or the lower one lies above the upper.
        """
        low, high = params.low, params.high
        if low is None and high is None:
            raise ConfigError(f"{self.spec.name} needs a limit: give low, high or both, such as -p low=100")
        require_order(low, high, self.spec.name)
        image = only_image(images)
        found = usable(image, within)
        run.check()
        if low is not None:
            found &= image.array >= low
        run.check()
        if high is not None:
            found &= image.array <= high
        run.progress(1, 1, "threshold")
        return answer(self.spec.name, image, found, params, unit=image.value_unit)

    def memory_bytes(self, grids: Mapping[str, Grid], params: ThresholdParams) -> int:  # noqa: ARG002
        """The mask, its labels, and the count of those (8 bytes each)."""
        return sum(11 * int(np.prod(grid.shape)) for grid in grids.values())


THRESHOLD = Threshold()
