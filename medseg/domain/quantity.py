"""What can be measured: one table of quantities with unit, definition and IBSI code.

Units are UCUM. DICOM SR and FHIR get theirs from `UCUM_TO_DICOM` (SR has no ml: CID 7462 lists cm3).
"""

from dataclasses import dataclass
from enum import Enum

__all__ = ["Quantity", "QuantityInfo"]

#: Internal UCUM unit → unit in DICOM SR with the factor to multiply by.
UCUM_TO_DICOM = {
    "ml": ("cm3", 1.0),
    "mm": ("mm", 1.0),
    "mm2": ("mm2", 1.0),
    "1": ("1", 1.0),
    "%": ("%", 1.0),
    "[hnsf'U]": ("[hnsf'U]", 1.0),
    "[arb'U]": ("[arb'U]", 1.0),
    "g/ml{SUVbw}": ("g/ml{SUVbw}", 1.0),
}


@dataclass(frozen=True, slots=True)
class QuantityInfo:
    """One row of the table.

    `unit` is UCUM on `mm` grids; `image` means the unit of the image's values; `px_unit` is the unit on
    `px` grids, None where the quantity does not exist there. `of_mask` is False for intensity statistics
    and comparisons.
    """

    title: str
    unit: str
    px_unit: str | None
    definition: str
    ibsi: str | None = None
    kind: str = "mask"  # mask | intensity | comparison


def _mask(
    title: str, unit: str, px_unit: str | None, definition: str, ibsi: str | None = None
) -> QuantityInfo:
    return QuantityInfo(title, unit, px_unit, definition, ibsi, "mask")


def _intensity(title: str, definition: str, ibsi: str | None = None, unit: str = "image") -> QuantityInfo:
    return QuantityInfo(title, unit, unit, definition, ibsi, "intensity")


def _pair(title: str, unit: str, px_unit: str | None, definition: str) -> QuantityInfo:
    return QuantityInfo(title, unit, px_unit, definition, None, "comparison")


class Quantity(Enum):
    """Every quantity medseg reports; the value is its name in files."""

    VOXEL_COUNT = "voxel_count"
    VOLUME = "volume"
    AREA = "area"
    CENTROID_X = "centroid_x"
    CENTROID_Y = "centroid_y"
    CENTROID_Z = "centroid_z"
    BOX_MIN_I = "box_min_i"
    BOX_MIN_J = "box_min_j"
    BOX_MIN_K = "box_min_k"
    BOX_MAX_I = "box_max_i"
    BOX_MAX_J = "box_max_j"
    BOX_MAX_K = "box_max_k"
    EXTENT_I = "extent_i"
    EXTENT_J = "extent_j"
    EXTENT_K = "extent_k"
    BORDER_VOXELS = "border_voxels"
    LONGEST_DIAMETER = "longest_in_plane_diameter"
    SHORT_DIAMETER = "perpendicular_in_plane_diameter"

    MEAN = "intensity_mean"
    SD = "intensity_sd"
    MINIMUM = "intensity_minimum"
    P10 = "intensity_p10"
    P25 = "intensity_p25"
    MEDIAN = "intensity_median"
    P75 = "intensity_p75"
    P90 = "intensity_p90"
    MAXIMUM = "intensity_maximum"

    DICE = "dice"
    SURFACE_DICE = "surface_dice"
    HD = "hausdorff_distance"
    HD95 = "hausdorff_distance_p95"
    ASSD = "average_symmetric_surface_distance"
    VOLUME_ERROR = "volume_error"
    RELATIVE_VOLUME_ERROR = "relative_volume_error"

    @property
    def info(self) -> QuantityInfo:
        """Title, unit, definition and code."""
        return _INFO[self]


_COUNT = "Number of voxels that carry the label."
_BOX = (
    "First and last voxel index with the label along an array axis of the native grid (0-based, inclusive)."
)
_EXTENT = "Number of voxels between the first and last index with the label, inclusive, times the spacing of that axis."

_INFO: dict[Quantity, QuantityInfo] = {
    Quantity.VOXEL_COUNT: _mask("Voxels", "1", "1", _COUNT),
    Quantity.VOLUME: _mask(
        "Volume", "ml", None, "Voxel count times |det| of the affine (Volume from Voxel Summation).", "YEKZ"
    ),
    Quantity.AREA: _mask(
        "Area", "mm2", "{px}2", "Pixel count times the area of one pixel; single slices only."
    ),
    Quantity.CENTROID_X: _mask(
        "Centroid x", "mm", "{px}", "Mean position of voxel centres, towards the patient's right (RAS+)."
    ),
    Quantity.CENTROID_Y: _mask(
        "Centroid y", "mm", "{px}", "Mean position of voxel centres, towards the front (RAS+)."
    ),
    Quantity.CENTROID_Z: _mask(
        "Centroid z", "mm", "{px}", "Mean position of voxel centres, towards the head (RAS+)."
    ),
    Quantity.BOX_MIN_I: _mask("First index i", "1", "1", _BOX),
    Quantity.BOX_MIN_J: _mask("First index j", "1", "1", _BOX),
    Quantity.BOX_MIN_K: _mask("First index k", "1", "1", _BOX),
    Quantity.BOX_MAX_I: _mask("Last index i", "1", "1", _BOX),
    Quantity.BOX_MAX_J: _mask("Last index j", "1", "1", _BOX),
    Quantity.BOX_MAX_K: _mask("Last index k", "1", "1", _BOX),
    Quantity.EXTENT_I: _mask("Extent along i", "mm", "{px}", _EXTENT),
    Quantity.EXTENT_J: _mask("Extent along j", "mm", "{px}", _EXTENT),
    Quantity.EXTENT_K: _mask("Extent along k", "mm", "{px}", _EXTENT),
    Quantity.BORDER_VOXELS: _mask(
        "Voxels on the border",
        "1",
        "1",
        "Labelled voxels in an outermost slice of the array or next to a voxel without measurement; an axis of one slice has no border.",
    ),
    Quantity.LONGEST_DIAMETER: _mask(
        "Longest diameter in plane",
        "mm",
        "{px}",
        "Largest distance between two boundary points of one slice's connected component (8-connected) in the named plane; the slice and component where it is largest.",
    ),
    Quantity.SHORT_DIAMETER: _mask(
        "Perpendicular diameter",
        "mm",
        "{px}",
        "Largest width perpendicular to the longest diameter, in the same slice and component.",
    ),
    Quantity.MEAN: _intensity("Mean", "Arithmetic mean.", "Q4LE"),
    Quantity.SD: _intensity("SD", "Standard deviation with ddof 0 (square root of IBSI's variance ECT3)."),
    Quantity.MINIMUM: _intensity("Minimum", "Smallest value.", "1GSF"),
    Quantity.P10: _intensity(
        "10th percentile", "Percentile by linear interpolation between order statistics.", "QG58"
    ),
    Quantity.P25: _intensity(
        "25th percentile", "Percentile by linear interpolation between order statistics."
    ),
    Quantity.MEDIAN: _intensity("Median", "50th percentile.", "Y12H"),
    Quantity.P75: _intensity(
        "75th percentile", "Percentile by linear interpolation between order statistics."
    ),
    Quantity.P90: _intensity(
        "90th percentile", "Percentile by linear interpolation between order statistics.", "8DWT"
    ),
    Quantity.MAXIMUM: _intensity("Maximum", "Largest value.", "84IY"),
    Quantity.DICE: _pair(
        "Dice", "1", "1", "2|A∩B| / (|A|+|B|); 1 when both are empty, 0 when one is (Dice 1945)."
    ),
    Quantity.SURFACE_DICE: _pair(
        "Surface Dice",
        "1",
        "1",
        "Share of both surfaces within the stated tolerance of each other (Nikolov 2018).",
    ),
    Quantity.HD: _pair(
        "Hausdorff distance", "mm", "{px}", "Largest distance from one surface to the other, both ways."
    ),
    Quantity.HD95: _pair(
        "HD95",
        "mm",
        "{px}",
        "The larger of the two directed 95th percentiles of surface distance, weighted by surface area.",
    ),
    Quantity.ASSD: _pair("ASSD", "mm", "{px}", "Mean distance over both surfaces, weighted by surface area."),
    Quantity.VOLUME_ERROR: _pair(
        "Volume error", "ml", None, "Volume of the prediction minus volume of the reference."
    ),
    Quantity.RELATIVE_VOLUME_ERROR: _pair(
        "Relative volume error", "%", "%", "100 × (prediction − reference) / reference, by voxel counts."
    ),
}
