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
    "g/ml{SUVlbm}": ("g/ml{SUVlbm}", 1.0),
    "g/ml{SUVibw}": ("g/ml{SUVibw}", 1.0),
    "/mm": ("/mm", 1.0),
    "cm2": ("cm2", 1.0),
    "cm2/m2": ("cm2/m2", 1.0),
    "g": ("g", 1.0),
}


@dataclass(frozen=True, slots=True)
class QuantityInfo:
    """One row of the table.

    `unit` is UCUM on `mm` grids; `image` and `image2` mean the unit of the image's values and its square;
    `px_unit` is the unit on `px` grids, None where the quantity does not exist there. `kind` says what it is
    a quantity of: a mask, intensities in it, its axes under a size rule, a PET, a tissue, a comparison.
    """

    title: str
    unit: str
    px_unit: str | None
    definition: str
    ibsi: str | None = None
    kind: str = "mask"  # mask | intensity | lesion | pet | tissue | comparison


def _mask(
    title: str, unit: str, px_unit: str | None, definition: str, ibsi: str | None = None
) -> QuantityInfo:
    return QuantityInfo(title, unit, px_unit, definition, ibsi, "mask")


def _intensity(title: str, definition: str, ibsi: str | None = None, unit: str = "image") -> QuantityInfo:
    return QuantityInfo(title, unit, unit, definition, ibsi, "intensity")


def _lesion(title: str, unit: str, px_unit: str | None, definition: str) -> QuantityInfo:
    return QuantityInfo(title, unit, px_unit, definition, None, "lesion")


def _pet(title: str, unit: str, definition: str, ibsi: str | None = None) -> QuantityInfo:
    return QuantityInfo(title, unit, None, definition, ibsi, "pet")


def _tissue(title: str, unit: str, definition: str) -> QuantityInfo:
    return QuantityInfo(title, unit, None, definition, None, "tissue")


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
    BORDER_SHARE = "border_surface_share"
    LONGEST_DIAMETER = "longest_in_plane_diameter"
    SHORT_DIAMETER = "perpendicular_in_plane_diameter"

    MESH_VOLUME = "mesh_volume"
    VOLUME_DIFFERENCE = "mesh_minus_voxel_volume"
    PROBABILITY_VOLUME = "probability_volume"
    SURFACE_AREA = "surface_area"
    SURFACE_TO_VOLUME = "surface_to_volume_ratio"
    SPHERICITY = "sphericity"
    MAJOR_AXIS = "major_axis_length"
    MINOR_AXIS = "minor_axis_length"
    LEAST_AXIS = "least_axis_length"
    ELONGATION = "elongation"
    FLATNESS = "flatness"
    MAXIMUM_3D_DIAMETER = "maximum_3d_diameter"
    MAXIMUM_DIAMETER_I = "maximum_diameter_across_i"
    MAXIMUM_DIAMETER_J = "maximum_diameter_across_j"
    MAXIMUM_DIAMETER_K = "maximum_diameter_across_k"
    EULER_NUMBER = "euler_number"

    LESION_COUNT = "lesion_count"
    LONGEST_INSIDE = "longest_inside_chord"
    SHORT_INSIDE = "perpendicular_inside_chord"
    BIDIMENSIONAL_PRODUCT = "bidimensional_product"
    MEETS_SIZE_CRITERION = "meets_size_criterion"

    MEAN = "intensity_mean"
    SD = "intensity_sd"
    MINIMUM = "intensity_minimum"
    P10 = "intensity_p10"
    P25 = "intensity_p25"
    MEDIAN = "intensity_median"
    P75 = "intensity_p75"
    P90 = "intensity_p90"
    MAXIMUM = "intensity_maximum"
    VARIANCE = "intensity_variance"
    SKEWNESS = "intensity_skewness"
    EXCESS_KURTOSIS = "intensity_excess_kurtosis"
    KURTOSIS = "intensity_kurtosis"
    INTERQUARTILE_RANGE = "intensity_interquartile_range"
    RANGE = "intensity_range"
    MEAN_DEVIATION = "intensity_mean_absolute_deviation"
    ROBUST_MEAN_DEVIATION = "intensity_robust_mean_absolute_deviation"
    MEDIAN_DEVIATION = "intensity_median_absolute_deviation"
    VARIATION_COEFFICIENT = "intensity_coefficient_of_variation"
    QUARTILE_DISPERSION = "intensity_quartile_coefficient_of_dispersion"
    ENERGY = "intensity_energy"
    ROOT_MEAN_SQUARE = "intensity_root_mean_square"
    ENTROPY = "intensity_entropy"
    UNIFORMITY = "intensity_uniformity"

    SUV_MAX = "suv_max"
    SUV_MEAN = "suv_mean"
    SUV_PEAK = "suv_peak"
    SUV_PEAK_LOCAL = "suv_peak_local"
    SUV_PEAK_EXACT = "suv_peak_partial_voxels"
    MTV = "metabolic_tumour_volume"
    TLG = "total_lesion_glycolysis"

    TISSUE_AREA = "tissue_area"
    TISSUE_VOLUME = "tissue_volume"
    TISSUE_MEAN = "tissue_mean"
    TISSUE_HEIGHT_INDEX = "tissue_area_by_height_squared"
    TISSUE_SURFACE_INDEX = "tissue_area_by_body_surface"

    DICE = "dice"
    SURFACE_DICE = "surface_dice"
    HD = "hausdorff_distance"
    HD95 = "hausdorff_distance_p95"
    ASSD = "average_symmetric_surface_distance"
    VOLUME_ERROR = "volume_error"
    RELATIVE_VOLUME_ERROR = "relative_volume_error"
    LESIONS_IN_REFERENCE = "lesions_in_reference"
    LESIONS_FOUND = "lesions_found"
    LESION_SENSITIVITY = "lesion_sensitivity"
    LESION_FALSE_POSITIVES = "lesion_false_positives"
    LESION_PRECISION = "lesion_precision"
    LESION_F1 = "lesion_f1"
    PANOPTIC_QUALITY = "panoptic_quality"
    MEAN_MATCHED_DICE = "mean_matched_dice"

    @property
    def info(self) -> QuantityInfo:
        """Title, unit, definition and code."""
        return _INFO[self]


_COUNT = "Number of voxels that carry the label."
_BOX = (
    "First and last voxel index with the label along an array axis of the native grid (0-based, inclusive)."
)
_EXTENT = "Number of voxels between the first and last index with the label, inclusive, times the spacing of that axis."

_PLANAR = (
    "Largest distance between two vertices of the marching-cubes surface in one plane across that array axis."
)
_LINEAR = "Percentile by linear interpolation between order statistics."
_COMPONENTS = "Connected components at the stated connectivity and minimum size."

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
    Quantity.BORDER_SHARE: _mask(
        "Share of the surface on the border",
        "1",
        "1",
        "Area of the voxel faces that lie on the border of the field of view or next to a voxel without measurement, divided by the area of all faces between the structure and what is not it.",
    ),
    Quantity.MESH_VOLUME: _mask(
        "Mesh volume",
        "ml",
        None,
        "Volume inside the marching-cubes surface of the mask at level 0.5 (Volume of Mesh).",
        "RNU0",
    ),
    Quantity.VOLUME_DIFFERENCE: _mask(
        "Mesh minus voxel volume",
        "ml",
        None,
        "Mesh volume minus voxel volume: how much the digital boundary matters.",
    ),
    Quantity.PROBABILITY_VOLUME: _mask(
        "Probability-weighted volume",
        "ml",
        None,
        "Sum of the structure's probabilities times |det| of the affine.",
    ),
    Quantity.SURFACE_AREA: _mask(
        "Surface area",
        "mm2",
        None,
        "Area of the marching-cubes surface of the mask, cut faces counted.",
        "C0JK",
    ),
    Quantity.SURFACE_TO_VOLUME: _mask(
        "Surface to volume ratio", "/mm", None, "Surface area divided by mesh volume.", "2PR5"
    ),
    Quantity.SPHERICITY: _mask(
        "Sphericity",
        "1",
        None,
        "(36π V²)^(1/3) / A of the mesh: 1 for a ball, less for all else.",
        "QCFX",
    ),
    Quantity.MAJOR_AXIS: _mask(
        "Major axis length",
        "mm",
        "{px}",
        "4√λ of the largest eigenvalue of the covariance of voxel centres; of a solid ellipsoid 0.89 of its longest axis.",
        "TDIC",
    ),
    Quantity.MINOR_AXIS: _mask(
        "Minor axis length",
        "mm",
        "{px}",
        "4√λ of the second eigenvalue of the covariance of voxel centres.",
        "P9VJ",
    ),
    Quantity.LEAST_AXIS: _mask(
        "Least axis length",
        "mm",
        "{px}",
        "4√λ of the smallest eigenvalue of the covariance of voxel centres.",
        "7J51",
    ),
    Quantity.ELONGATION: _mask(
        "Elongation", "1", "1", "√(λ minor / λ major): 1 is not elongated at all.", "Q3CK"
    ),
    Quantity.FLATNESS: _mask("Flatness", "1", "1", "√(λ least / λ major): 1 is not flat at all.", "N17B"),
    Quantity.MAXIMUM_3D_DIAMETER: _mask(
        "Maximum 3D diameter",
        "mm",
        None,
        "Largest distance between two vertices of the marching-cubes surface, through anything.",
        "L0JK",
    ),
    Quantity.MAXIMUM_DIAMETER_I: _mask("Maximum diameter across i", "mm", None, _PLANAR),
    Quantity.MAXIMUM_DIAMETER_J: _mask("Maximum diameter across j", "mm", None, _PLANAR),
    Quantity.MAXIMUM_DIAMETER_K: _mask("Maximum diameter across k", "mm", None, _PLANAR),
    Quantity.EULER_NUMBER: _mask(
        "Euler number", "1", "1", "Objects minus tunnels plus cavities, with 26-connected objects."
    ),
    Quantity.LESION_COUNT: _lesion(
        "Lesions", "1", "1", "Connected components of the label at the stated connectivity and minimum size."
    ),
    Quantity.LONGEST_INSIDE: _lesion(
        "Longest diameter inside the mask",
        "mm",
        "{px}",
        "Longest chord of the same slice and component that never leaves it; stated where the longest diameter leaves it.",
    ),
    Quantity.SHORT_INSIDE: _lesion(
        "Perpendicular diameter inside the mask",
        "mm",
        "{px}",
        "Longest chord at right angles to the longest diameter that never leaves the component.",
    ),
    Quantity.BIDIMENSIONAL_PRODUCT: _lesion(
        "Bidimensional product", "mm2", "{px}2", "Longest times perpendicular diameter, in one slice."
    ),
    Quantity.MEETS_SIZE_CRITERION: _lesion(
        "Meets the size criterion",
        "1",
        None,
        "1 if the named rule set's size criterion is met, else 0; size alone.",
    ),
    Quantity.LONGEST_DIAMETER: _mask(
        "Longest diameter in plane",
        "mm",
        "{px}",
        "Largest distance between two boundary points of one slice's connected component (8-connected) in the named plane; the slice and component where it is largest. Boundary points lie midway between a voxel centre inside and one outside.",
    ),
    Quantity.SHORT_DIAMETER: _mask(
        "Perpendicular diameter",
        "mm",
        "{px}",
        "Longest chord at right angles to the longest diameter, in the same slice and component.",
    ),
    Quantity.MEAN: _intensity("Mean", "Arithmetic mean.", "Q4LE"),
    Quantity.SD: _intensity("SD", "Standard deviation with ddof 0 (square root of IBSI's variance ECT3)."),
    Quantity.MINIMUM: _intensity("Minimum", "Smallest value.", "1GSF"),
    Quantity.P10: _intensity("10th percentile", _LINEAR, "QG58"),
    Quantity.P25: _intensity("25th percentile", _LINEAR),
    Quantity.MEDIAN: _intensity("Median", "50th percentile.", "Y12H"),
    Quantity.P75: _intensity("75th percentile", _LINEAR),
    Quantity.P90: _intensity("90th percentile", _LINEAR, "8DWT"),
    Quantity.MAXIMUM: _intensity("Maximum", "Largest value.", "84IY"),
    Quantity.VARIANCE: _intensity(
        "Variance", "Mean squared deviation from the mean, ddof 0.", "ECT3", "image2"
    ),
    Quantity.SKEWNESS: _intensity("Skewness", "Third central moment / variance^1.5.", "KE2A", "1"),
    Quantity.EXCESS_KURTOSIS: _intensity(
        "Excess kurtosis", "Fourth central moment / variance² − 3: 0 for a normal distribution.", "IPH6", "1"
    ),
    Quantity.KURTOSIS: _intensity(
        "Kurtosis",
        "Fourth central moment / variance²: what PyRadiomics calls Kurtosis, IBSI's plus 3.",
        None,
        "1",
    ),
    Quantity.INTERQUARTILE_RANGE: _intensity("Interquartile range", "75th minus 25th percentile.", "SALO"),
    Quantity.RANGE: _intensity("Range", "Maximum minus minimum.", "2OJQ"),
    Quantity.MEAN_DEVIATION: _intensity("Mean absolute deviation", "Mean distance from the mean.", "4FUA"),
    Quantity.ROBUST_MEAN_DEVIATION: _intensity(
        "Robust mean absolute deviation",
        "Mean distance from the mean, both over values from the 10th to the 90th percentile.",
        "1128",
    ),
    Quantity.MEDIAN_DEVIATION: _intensity(
        "Median absolute deviation", "Mean distance from the median.", "N72L"
    ),
    Quantity.VARIATION_COEFFICIENT: _intensity("Coefficient of variation", "SD / mean.", "7TET", "1"),
    Quantity.QUARTILE_DISPERSION: _intensity(
        "Quartile coefficient of dispersion", "(P75 − P25) / (P75 + P25).", "9S40", "1"
    ),
    Quantity.ENERGY: _intensity("Energy", "Sum of squared values.", "N8CA", "image2"),
    Quantity.ROOT_MEAN_SQUARE: _intensity(
        "Root mean square", "Square root of the mean squared value.", "5ZWQ"
    ),
    Quantity.ENTROPY: _intensity(
        "Entropy", "−Σ p log2 p over bins of the stated width, edges at its multiples.", "TLU2", "1"
    ),
    Quantity.UNIFORMITY: _intensity(
        "Uniformity", "Σ p² over bins of the stated width, edges at its multiples.", "BJ5W", "1"
    ),
    Quantity.SUV_MAX: _pet(
        "SUVmax", "image", "Largest value of a voxel of which at least half lies in the structure."
    ),
    Quantity.SUV_MEAN: _pet(
        "SUVmean", "image", "Mean over native voxels, weighted by the share that lies in the structure."
    ),
    Quantity.SUV_PEAK: _pet(
        "SUVpeak",
        "image",
        "Highest mean in a sphere of 1 ml (radius 6.2035 mm) centred on any voxel of the structure; voxels by their centres (global intensity peak).",
        "0F91",
    ),
    Quantity.SUV_PEAK_LOCAL: _pet(
        "SUVpeak around SUVmax",
        "image",
        "Mean in a sphere of 1 ml around the voxel of SUVmax; voxels by their centres (local intensity peak).",
        "VJGA",
    ),
    Quantity.SUV_PEAK_EXACT: _pet(
        "SUVpeak, partial voxels",
        "image",
        "As SUVpeak, voxels weighted by the share of them that lies in the sphere.",
    ),
    Quantity.MTV: _pet("MTV", "ml", "Volume of the named delineation on native PET voxels."),
    Quantity.TLG: _pet("TLG", "g", "SUVmean times volume of the named delineation."),
    Quantity.TISSUE_AREA: _tissue(
        "Tissue area", "cm2", "Area of voxels in the range inside the compartment, in one slice."
    ),
    Quantity.TISSUE_VOLUME: _tissue(
        "Tissue volume", "ml", "Volume of voxels in the range inside the compartment."
    ),
    Quantity.TISSUE_MEAN: _tissue("Tissue mean", "[hnsf'U]", "Mean attenuation of the tissue's voxels."),
    Quantity.TISSUE_HEIGHT_INDEX: _tissue("Tissue index by height", "cm2/m2", "Tissue area / height²."),
    Quantity.TISSUE_SURFACE_INDEX: _tissue(
        "Tissue index by body surface", "cm2/m2", "Tissue area / body surface (Mosteller 1987)."
    ),
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
    Quantity.LESIONS_IN_REFERENCE: _pair("Lesions in the reference", "1", "1", _COMPONENTS),
    Quantity.LESIONS_FOUND: _pair(
        "Lesions found", "1", "1", "Lesions of the reference that the matching rule pairs."
    ),
    Quantity.LESION_SENSITIVITY: _pair("Lesion sensitivity", "1", "1", "Found / lesions in the reference."),
    Quantity.LESION_FALSE_POSITIVES: _pair(
        "False-positive lesions",
        "1",
        "1",
        "Lesions of the prediction that the matching rule pairs with none.",
    ),
    Quantity.LESION_PRECISION: _pair("Lesion precision", "1", "1", "Paired / all lesions of the prediction."),
    Quantity.LESION_F1: _pair("Lesion F1", "1", "1", "2 TP / (2 TP + FP + FN) over lesions."),
    Quantity.PANOPTIC_QUALITY: _pair(
        "Panoptic quality", "1", "1", "Sum of IoU over pairs / (TP + FP/2 + FN/2) (Kirillov 2019)."
    ),
    Quantity.MEAN_MATCHED_DICE: _pair(
        "Mean Dice of found lesions", "1", "1", "Mean Dice over paired lesions alone."
    ),
}
