"""Hysteresis: parts above a low threshold that reach a high one somewhere."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.masks.components import label_parts
from medseg.methods.base import answer, only_image, require_order, usable
from medseg.methods.otsu import otsu_threshold

__all__ = ["HYSTERESIS", "Hysteresis", "HysteresisParams"]


class HysteresisParams(Params):
    """What may be chosen."""

    low: float | None = Field(
        None,
        description="Value that every voxel of the object reaches; Otsu's threshold where none is given.",
        json_schema_extra={"unit": "unit of the image"},
    )
    high: float | None = Field(
        None,
        description="Value that some voxel of each part reaches; halfway from Otsu's threshold up to the mean "
        "above it where none is given.",
        json_schema_extra={"unit": "unit of the image"},
    )
    connectivity: Literal[6, 18, 26] = Field(
        26, description="Neighbours that join a part: across faces (6), edges (18) or corners (26)."
    )


class Hysteresis:
    """Segmenter behind `medseg segment hysteresis`."""

    spec = SegmenterSpec(
        name="hysteresis",
        title="Hysteresis threshold",
        summary="One label for the connected parts above a low threshold that reach a high one somewhere.",
        source="Canny 1986, A computational approach to edge detection, IEEE Trans PAMI 8(6), section VI",
    )
    Params = HysteresisParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: HysteresisParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,  # noqa: ARG002 - the protocol's signature
        run: Run,
    ) -> Segmentation:
        """Keep the parts of the only channel that reach `high`; parts end where `within` does.

        Raises
        ------
        ConfigError
            If the low threshold lies above the high one.
        """
        image = only_image(images)
        considered = usable(image, within)
        run.check()
        low, high = _limits(image.array, considered, params)
        run.progress(1, 3, "thresholds")
        run.check()
        considered &= image.array >= low
        parts, count = label_parts(considered, params.connectivity)
        run.progress(2, 3, "parts")
        run.check()
        reached = np.zeros(count + 1, np.bool_)
        reached[np.unique(parts[image.array >= high])] = True
        reached[0] = False
        run.progress(3, 3, "parts that reach the high threshold")
        return answer(
            self.spec.name,
            image,
            reached[parts],
            params,
            low_used=low,
            high_used=high,
            parts=int(reached.sum()),
            unit=image.value_unit,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: HysteresisParams) -> int:  # noqa: ARG002
        """Numbered parts (4 bytes each), two masks, labels, and the count of those (8 bytes each)."""
        return sum(15 * int(np.prod(grid.shape)) for grid in grids.values())


def _limits(
    values: NDArray[np.number], considered: NDArray[np.bool_], params: HysteresisParams
) -> tuple[float, float]:
    low, high = params.low, params.high
    if low is None or high is None:
        used = values[considered]
        middle = otsu_threshold(used, HYSTERESIS.spec.name)
        if high is None:
            bright = float(used[used > middle].mean(dtype=np.float64))
            high = max((middle + bright) / 2, middle if low is None else low)
        if low is None:
            # Half-way between dark and bright: voxels that an edge crosses count by their larger part.
            low = min(high, middle)
    require_order(low, high, HYSTERESIS.spec.name)
    return low, high


HYSTERESIS = Hysteresis()
