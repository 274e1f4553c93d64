"""Which kind of SEG viewers can load, and how its pixels are packed."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.errors import InputError
from medseg.io.dicom.structures.segments import Segment

__all__ = ["MANY", "MOST_BYTES", "Packing", "SegChoice", "SegKind", "choose_kind", "is_packed"]

SegKind: TypeAlias = Literal["BINARY", "FRACTIONAL", "LABELMAP"]
SegChoice: TypeAlias = Literal["AUTO", "BINARY", "FRACTIONAL", "LABELMAP"]
Packing: TypeAlias = Literal["AUTO", "RLE", "NONE"]
#: BINARY is what every viewer loads; it has a frame for each structure on each slice, so that many structures make
#: it large. A label map has one frame for a slice, and is newer: with more structures than this, and more bytes
#: of pixels, it is the one that is written.
MANY, MOST_BYTES = 10, 2_000_000


def choose_kind(labels: NDArray[Any], segments: Sequence[Segment]) -> SegKind:
    """BINARY; LABELMAP of many structures that do not overlap, where BINARY would be large.

    Parameters
    ----------
    labels
        (K, rows, columns) values of the mask.
    """
    if len(segments) <= MANY or any(len(item.values) > 1 for item in segments):
        return "BINARY"
    wanted = [item.values[0] for item in segments]
    frames = sum(int(np.isin(wanted, np.unique(plane)).sum()) for plane in labels)
    return "LABELMAP" if frames * labels[0].size / 8 > MOST_BYTES else "BINARY"


def is_packed(kind: SegKind, packing: Packing) -> bool:
    """Whether pixels go as RLE: of what holds bytes, when asked and for label maps; bits are never packed.

    Raises
    ------
    InputError
        If bits are to be packed: RLE runs over bytes, and the standard has no such BINARY SEG.
    """
    if kind == "BINARY" and packing == "RLE":
        raise InputError("a BINARY SEG has one bit per pixel, which RLE can't pack; write a LABELMAP")
    return packing == "RLE" or (packing == "AUTO" and kind == "LABELMAP")
