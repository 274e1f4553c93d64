"""Connected threshold: what lies between two values and hangs together with a seed."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.errors import ConfigError, InputError
from medseg.methods.base import answer, only_image, usable
from medseg.methods.objects import object_table, parts_of_seeds
from medseg.methods.otsu import otsu_threshold
from medseg.methods.seeds import Seeds, place_seeds

__all__ = ["CONNECTED_THRESHOLD", "ConnectedThreshold", "ConnectedThresholdParams"]


class ConnectedThresholdParams(Params):
    """What may be chosen."""

    low: float | None = Field(
        None,
        description="Smallest value of an object; none means no bound. Without low and high, Otsu's threshold "
        "of the image bounds the side that the first seed lies on.",
        json_schema_extra={"unit": "unit of the image"},
    )
    high: float | None = Field(
        None,
        description="Largest value of an object; none means no bound.",
        json_schema_extra={"unit": "unit of the image"},
    )
    connectivity: Literal[6, 18, 26] = Field(
        6, description="Neighbours that hang together: across faces (6), edges (18) or corners (26)."
    )


class ConnectedThreshold:
    """Segmenter behind `medseg segment connected-threshold`."""

    spec = SegmenterSpec(
        name="connected-threshold",
        title="Connected threshold",
        summary="What lies between two values and hangs together with a seed.",
        source="Zucker 1976, Region growing: childhood and adolescence, Comput Graph Image Process 5(3)",
        kind="prompted",
        needs_prompts=True,
    )
    Params = ConnectedThresholdParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: ConnectedThresholdParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,
        run: Run,
    ) -> Segmentation:
        """Parts of the thresholded image that hold a seed; where seeds differ, a part is cut between them.

        Raises
        ------
        ConfigError
            If `low` lies above `high`.
        InputError
            If no seed of an object lies between them.
        """
        image = only_image(images)
        seeds = place_seeds(prompts, image.grid, self.spec.name)
        considered = usable(image, within)
        low, high = _bounds(image, considered, prompts, params)
        if seeds.allowed is not None:
            considered &= seeds.allowed
        run.check()
        run.progress(1, 2, "bounds")
        considered &= (image.array >= low) & (image.array <= high)
        if not (considered & (seeds.markers > 0)).any():
            raise InputError(_missed(image, seeds, low, high))
        labels = parts_of_seeds(considered, seeds.markers, image.grid, params.connectivity, run)
        run.progress(2, 2, "connected parts")
        return answer(
            self.spec.name,
            image,
            labels.astype(np.uint16),
            params,
            table=object_table(seeds.labels),
            low_used=_finite(low),
            high_used=_finite(high),
            unit=image.value_unit,
        )

    def memory_bytes(
        self,
        grids: Mapping[str, Grid],
        params: ConnectedThresholdParams,  # noqa: ARG002 - the protocol's signature
    ) -> int:
        """Markers, numbered parts, labels (4 bytes each), the masks, and the answer."""
        return sum(21 * int(np.prod(grid.shape)) for grid in grids.values())


def _bounds(
    image: Image, considered: NDArray[np.bool_], prompts: Prompts | None, params: ConnectedThresholdParams
) -> tuple[float, float]:
    low = -np.inf if params.low is None else params.low
    high = np.inf if params.high is None else params.high
    if low > high:
        raise ConfigError(f"connected-threshold: low = {low:g} lies above high = {high:g}; swap them")
    if params.low is None and params.high is None:
        threshold = otsu_threshold(image.array[considered])
        if _first_value(image, prompts) > threshold:
            # Otsu's upper class begins above the threshold, not at it.
            return float(np.nextafter(threshold, np.inf)), np.inf
        return -np.inf, threshold
    return low, high


def _first_value(image: Image, prompts: Prompts | None) -> float:
    """Value at the first point, stroke or box in an object."""
    given = prompts or Prompts()
    places = [point.position for point in given.points if point.positive]
    places += [stroke.positions[0] for stroke in given.strokes if stroke.positive]
    places += [tuple((np.array(box.low) + np.array(box.high)) / 2) for box in given.boxes]
    index = np.rint(image.grid.to_index(np.array(places[0]))).astype(int)
    return float(image.array[tuple(index)])


def _missed(image: Image, seeds: Seeds, low: float, high: float) -> str:
    values = image.array[seeds.markers > 0]
    return (
        f"connected-threshold: no seed lies on a usable voxel between {low:g} and {high:g}; the seeds' values are "
        f"{values.min():g} to {values.max():g} {image.value_unit}"
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


CONNECTED_THRESHOLD = ConnectedThreshold()
