"""The bits of stored values that are the image's own: above BitsStored, older files keep an overlay."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding
from medseg.domain.values import as_details
from medseg.errors import InputError

__all__ = ["Bits"]

_OVERLAY_GROUPS = range(0x6000, 0x6020, 2)


class Bits:
    """Takes the image's own bits of each slice, and remembers what it took off."""

    def __init__(self) -> None:
        self._stored = 0
        self._overlay = self._unexplained = False

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What a report must say of bits that were taken off."""
        details = as_details(bits_stored=self._stored)
        if self._unexplained:
            text = (
                f"Pixels have bits set above BitsStored ({self._stored}), and no overlay explains them; the bits above "
                "were left out, as the standard says. If BitsStored is wrong, values are too."
            )
            return (Finding("dicom.high_bits", "warning", text, details),)
        if self._overlay:
            text = f"An overlay in the bits above BitsStored ({self._stored}) was left out of the values."
            return (Finding("dicom.overlay_bits", "info", text, details),)
        return ()

    def own(self, plane: NDArray[Any], ds: Any) -> NDArray[Any]:
        """Values of the bits that BitsStored names, with their sign; the plane itself where no others are set.

        Raises
        ------
        InputError
            If the bits are not the lowest ones, as they have to be since 2007.
        """
        stored, allocated = int(ds.get("BitsStored", 0) or 0), int(ds.get("BitsAllocated", 0) or 0)
        if plane.dtype.kind not in "iu" or stored <= 0:
            return plane
        high = ds.get("HighBit")
        if high is not None and int(high) != stored - 1:
            raise InputError(
                f"HighBit is {int(high)} with BitsStored {stored}; values in other than the lowest bits"
            )
        if stored >= allocated:
            return plane
        signed = bool(ds.get("PixelRepresentation", 0))
        low, top = (-(1 << (stored - 1)), (1 << (stored - 1)) - 1) if signed else (0, (1 << stored) - 1)
        if int(plane.min()) >= low and int(plane.max()) <= top:
            return plane
        self._stored = stored
        if _has_overlay(ds, stored):
            self._overlay = True
        else:
            self._unexplained = True
        kept = plane.astype(np.int64) & ((1 << stored) - 1)
        return np.where(kept > top, kept - (1 << stored), kept)


def _has_overlay(ds: Any, stored: int) -> bool:
    """Whether an overlay lies in the pixels' own bits: it names its bit, and has no data of its own."""
    return any(
        (group, 0x0102) in ds and int(ds[group, 0x0102].value or 0) >= stored and (group, 0x3000) not in ds
        for group in _OVERLAY_GROUPS
    )
