"""Numbers of a mask, each with unit, status, reason and method."""

from medseg.measuring.contours import contours
from medseg.measuring.measure import measure

__all__ = ["contours", "measure"]
