"""Which slices of a series are key images: largest sections, and those in which axes lie."""

from collections.abc import Iterable

import numpy as np

from medseg.domain import Quantity, Record, Segmentation
from medseg.domain.segmentation import voxels_with
from medseg.io.dicom.derived.origin import Origin, on_origin, series_slice
from medseg.io.dicom.sr.write import target_name
from medseg.io.dicom.structures.segments import segments_of

__all__ = ["key_slices"]

_AXES = {Quantity.LONGEST_DIAMETER: "long axis", Quantity.SHORT_DIAMETER: "short axis"}


def key_slices(record: Record, masks: Iterable[Segmentation], origin: Origin) -> dict[int, str]:
    """Slice k of the series → why it is a key image.

    Of every structure and lesion the slice with the most voxels (of equal ones the first), and the slices in
    which its long and short axis lie; axes in another plane lie in none.
    """
    found: dict[int, list[str]] = {}
    for mask in masks:
        labels = on_origin(mask.labels, mask.grid, origin)
        for segment in segments_of(mask.table):
            sizes = voxels_with(labels, segment.values).sum(axis=(0, 1))
            if sizes.any():
                found.setdefault(int(sizes.argmax()), []).append(f"{segment.name}, largest section")
    for item in record.measurements:
        words = _AXES.get(item.quantity)
        if words is None or not item.points_mm or item.unit != "mm":
            continue
        k = series_slice(np.array(item.points_mm), origin)
        if k is not None:
            found.setdefault(k, []).append(f"{target_name(item.target)}, {words}")
    return {k: "; ".join(dict.fromkeys(words)) for k, words in sorted(found.items())}
