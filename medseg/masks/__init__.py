"""What many rooms need of a mask: its border, components, contours, and diameters in a plane."""

from medseg.masks.border import border_mask
from medseg.masks.components import components, keep_largest, remove_small
from medseg.masks.contours import Outline, outlines, slice_axis
from medseg.masks.diameters import PlaneDiameters, plane_diameters

__all__ = [
    "Outline",
    "PlaneDiameters",
    "border_mask",
    "components",
    "keep_largest",
    "outlines",
    "plane_diameters",
    "remove_small",
    "slice_axis",
]
