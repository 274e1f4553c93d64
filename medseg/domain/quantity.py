"""What can be measured: one row per quantity, which says all about it; measuring, pages and files read the row.

A quantity is added by a row here and a function that computes it.

Units are UCUM. DICOM SR and FHIR get theirs from `UCUM_TO_DICOM` (SR has no ml: CID 7462 lists cm3).
"""

from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeAlias

from medseg.domain.labels import Code

__all__ = ["Group", "Kind", "Quantity", "QuantityInfo"]

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
    "ml/m2": ("cm3/m2", 1.0),
    "g": ("g", 1.0),
}


#: A quantity is one of a mask, intensities in it, its axes under a size rule, a PET, a tissue, a comparison.
Kind: TypeAlias = Literal["mask", "intensity", "lesion", "pet", "tissue", "comparison"]
#: Headings under which people read quantities, in their order.
Group: TypeAlias = Literal[
    "Size",
    "Diameters and extent",
    "Shape",
    "Position and border",
    "Intensity",
    "Uptake",
    "Tissue",
    "Against a reference",
]


@dataclass(frozen=True, slots=True)
class QuantityInfo:
    """One row of the table.

    Places count in tens, so that a row fits between two others; place 0 is no place.

    Parameters
    ----------
    kind, group, place
        What it is a quantity of; the heading under which it is read, and its place there, most wanted first.
    title, definition
        For people.
    unit, px_unit
        UCUM on `mm` grids, where `image` and `image2` mean the unit of the image's values and its square; and
        on `px` grids, None where the quantity does not exist there.
    ibsi, code
        Code of the IBSI reference manual; and the code in DICOM SR, where that is not IBSI's with this title.
    method
        What a Measurement says of how it was computed, where that is the same for all; `{width:g}` is the
        width of a bin.
    step
        Finest step on a page, where that depends neither on the voxel nor on the unit.
    lower_bound
        Of a cut structure it can only be larger; otherwise a cut makes it unreliable.
    of_lesions
        Measured of each lesion too.
    terminal
        Shown on the terminal.
    brief
        Stands in a short SR: what a reader of images asks for, and nothing that only a script reads.
    headline
        Place in the report's headline; of comparisons, in its table of accuracy.
    matrix
        Place among the columns of the table of many structures.
    compared
        Columns of the comparison page in which it stands.
    signed
        Shown with its sign on the comparison page.
    quotable
        A summary may be quoted by it. Each such quantity counts a miss as 0, so that leaving something right out
        can't raise it. Distances, precision and the Dice of found lesions do not: they are taken over what was
        predicted. Surface Dice and panoptic quality rise when a lesion that was found, but fits badly, is left out.
    counts
        A whole number of things, or an index.
    """

    kind: Kind
    group: Group
    place: int
    title: str
    unit: str
    px_unit: str | None
    definition: str
    ibsi: str | None = None
    code: Code | None = None
    method: str = ""
    step: float | None = None
    lower_bound: bool = False
    of_lesions: bool = False
    terminal: bool = False
    brief: bool = False
    headline: int = 0
    matrix: int = 0
    compared: Literal["structure", "lesion", "count"] | None = None
    signed: bool = False
    quotable: bool = False
    counts: bool = False


_row = QuantityInfo
_BOX = (
    "First and last voxel index with the label along an array axis of the native grid (0-based, inclusive)."
)
_EXTENT = "Number of voxels between the first and last index with the label, inclusive, times the spacing of that axis."
_PLANAR = (
    "Largest distance between two vertices of the marching-cubes surface in one plane across that array axis."
)
_LINEAR = "Percentile by linear interpolation between order statistics."


class Quantity(Enum):
    """Every quantity medseg reports; the value is its name in files, and `info` its row."""

    _value_: str
    info: QuantityInfo

    def __new__(cls, name: str, *row: QuantityInfo) -> "Quantity":
        """A member whose value is its name in files."""
        member = object.__new__(cls)
        member._value_ = name
        (member.info,) = row
        return member

    # fmt: off
    VOXEL_COUNT = "voxel_count", _row("mask", "Size", 60, "Voxels", "1", "1",
        "Number of voxels that carry the label.", lower_bound=True, of_lesions=True, terminal=True, counts=True)
    VOLUME = "volume", _row("mask", "Size", 10, "Volume", "ml", None,
        "Voxel count times |det| of the affine (Volume from Voxel Summation).", ibsi="YEKZ",
        code=Code("YEKZ", "Volume from Voxel Summation", "IBSI"), lower_bound=True, of_lesions=True, terminal=True, brief=True,
        headline=10, matrix=10)
    AREA = "area", _row("mask", "Size", 50, "Area", "mm2", "{px}2",
        "Pixel count times the area of one pixel; single slices only.", code=Code("42798000", "Area"),
        lower_bound=True, of_lesions=True, terminal=True, brief=True, headline=20, matrix=20)
    CENTROID_X = "centroid_x", _row("mask", "Position and border", 30, "Centroid x", "mm", "{px}",
        "Mean position of voxel centres, towards the patient's right (RAS+).", step=0.1, of_lesions=True)
    CENTROID_Y = "centroid_y", _row("mask", "Position and border", 40, "Centroid y", "mm", "{px}",
        "Mean position of voxel centres, towards the front (RAS+).", step=0.1, of_lesions=True)
    CENTROID_Z = "centroid_z", _row("mask", "Position and border", 50, "Centroid z", "mm", "{px}",
        "Mean position of voxel centres, towards the head (RAS+).", step=0.1, of_lesions=True)
    BOX_MIN_I = "box_min_i", _row("mask", "Position and border", 60, "First index i", "1", "1", _BOX, counts=True)
    BOX_MIN_J = "box_min_j", _row("mask", "Position and border", 80, "First index j", "1", "1", _BOX, counts=True)
    BOX_MIN_K = "box_min_k", _row("mask", "Position and border", 100, "First index k", "1", "1", _BOX, counts=True)
    BOX_MAX_I = "box_max_i", _row("mask", "Position and border", 70, "Last index i", "1", "1", _BOX, counts=True)
    BOX_MAX_J = "box_max_j", _row("mask", "Position and border", 90, "Last index j", "1", "1", _BOX, counts=True)
    BOX_MAX_K = "box_max_k", _row("mask", "Position and border", 110, "Last index k", "1", "1", _BOX, counts=True)
    EXTENT_I = "extent_i", _row("mask", "Diameters and extent", 110, "Extent along i", "mm", "{px}", _EXTENT,
        lower_bound=True)
    EXTENT_J = "extent_j", _row("mask", "Diameters and extent", 120, "Extent along j", "mm", "{px}", _EXTENT,
        lower_bound=True)
    EXTENT_K = "extent_k", _row("mask", "Diameters and extent", 130, "Extent along k", "mm", "{px}", _EXTENT,
        lower_bound=True)
    BORDER_VOXELS = "border_voxels", _row("mask", "Position and border", 10, "Voxels on the border", "1", "1",
        "Labelled voxels in an outermost slice of the array or next to a voxel without measurement; an axis of one slice has no border.",
        lower_bound=True, of_lesions=True, headline=120, counts=True)
    BORDER_SHARE = "border_surface_share", _row("mask", "Position and border", 20,
        "Share of the surface on the border", "1", "1",
        "Area of the voxel faces that lie on the border of the field of view or next to a voxel without measurement, divided by the area of all faces between the structure and what is not it.")
    LONGEST_DIAMETER = "longest_in_plane_diameter", _row("mask", "Diameters and extent", 10,
        "Longest diameter in plane", "mm", "{px}",
        "Largest distance between two boundary points of one slice's connected component (8-connected) in the named plane; the slice and component where it is largest. Boundary points lie midway between a voxel centre inside and one outside.",
        code=Code("103339001", "Long Axis"), lower_bound=True, terminal=True, brief=True, headline=30)
    SHORT_DIAMETER = "perpendicular_in_plane_diameter", _row("mask", "Diameters and extent", 20,
        "Perpendicular diameter", "mm", "{px}",
        "Longest chord at right angles to the longest diameter, in the same slice and component.",
        code=Code("103340004", "Short Axis"), lower_bound=True, terminal=True, brief=True, headline=40)

    MESH_VOLUME = "mesh_volume", _row("mask", "Size", 20, "Mesh volume", "ml", None,
        "Volume inside the marching-cubes surface of the mask at level 0.5 (Volume of Mesh).", ibsi="RNU0",
        code=Code("RNU0", "Volume of Mesh", "IBSI"), lower_bound=True, matrix=30)
    VOLUME_DIFFERENCE = "mesh_minus_voxel_volume", _row("mask", "Size", 30, "Mesh minus voxel volume", "ml", None,
        "Mesh volume minus voxel volume: how much the digital boundary matters.")
    PROBABILITY_VOLUME = "probability_volume", _row("mask", "Size", 40, "Probability-weighted volume", "ml", None,
        "Sum of the structure's probabilities times |det| of the affine.", lower_bound=True)
    VOLUME_BY_ICV = "volume_by_intracranial_volume", _row("mask", "Size", 41, "Volume in % of intracranial", "%", None,
        "Volume / intracranial volume × 100.", step=0.001, lower_bound=True, terminal=True)
    VOLUME_BY_HEIGHT = "volume_by_height_squared", _row("mask", "Size", 42, "Volume by height²", "ml/m2", None,
        "Volume / height².", step=0.01, lower_bound=True, terminal=True)
    VOLUME_BY_SURFACE = "volume_by_body_surface", _row("mask", "Size", 43, "Volume by body surface", "ml/m2", None,
        "Volume / body surface (Du Bois and Du Bois 1916).", step=0.01, lower_bound=True, terminal=True)
    SURFACE_AREA = "surface_area", _row("mask", "Size", 70, "Surface area", "mm2", None,
        "Area of the marching-cubes surface of the mask, cut faces counted.", ibsi="C0JK", matrix=40)
    SURFACE_TO_VOLUME = "surface_to_volume_ratio", _row("mask", "Shape", 20, "Surface to volume ratio", "/mm", None,
        "Surface area divided by mesh volume.", ibsi="2PR5")
    SPHERICITY = "sphericity", _row("mask", "Shape", 10, "Sphericity", "1", None,
        "(36π V²)^(1/3) / A of the mesh: 1 for a ball, less for all else.", ibsi="QCFX", matrix=50)
    MAJOR_AXIS = "major_axis_length", _row("mask", "Shape", 30, "Major axis length", "mm", "{px}",
        "4√λ of the largest eigenvalue of the covariance of voxel centres; of a solid ellipsoid 0.89 of its longest axis.",
        ibsi="TDIC")
    MINOR_AXIS = "minor_axis_length", _row("mask", "Shape", 40, "Minor axis length", "mm", "{px}",
        "4√λ of the second eigenvalue of the covariance of voxel centres.", ibsi="P9VJ")
    LEAST_AXIS = "least_axis_length", _row("mask", "Shape", 50, "Least axis length", "mm", "{px}",
        "4√λ of the smallest eigenvalue of the covariance of voxel centres.", ibsi="7J51")
    ELONGATION = "elongation", _row("mask", "Shape", 60, "Elongation", "1", "1",
        "√(λ minor / λ major): 1 is not elongated at all.", ibsi="Q3CK")
    FLATNESS = "flatness", _row("mask", "Shape", 70, "Flatness", "1", "1",
        "√(λ least / λ major): 1 is not flat at all.", ibsi="N17B")
    MAXIMUM_3D_DIAMETER = "maximum_3d_diameter", _row("mask", "Diameters and extent", 70, "Maximum 3D diameter",
        "mm", None, "Largest distance between two vertices of the marching-cubes surface, through anything.",
        ibsi="L0JK", lower_bound=True, matrix=60, brief=True)
    MAXIMUM_DIAMETER_I = "maximum_diameter_across_i", _row("mask", "Diameters and extent", 80,
        "Maximum diameter across i", "mm", None, _PLANAR, lower_bound=True)
    MAXIMUM_DIAMETER_J = "maximum_diameter_across_j", _row("mask", "Diameters and extent", 90,
        "Maximum diameter across j", "mm", None, _PLANAR, lower_bound=True)
    MAXIMUM_DIAMETER_K = "maximum_diameter_across_k", _row("mask", "Diameters and extent", 100,
        "Maximum diameter across k", "mm", None, _PLANAR, lower_bound=True)
    EULER_NUMBER = "euler_number", _row("mask", "Shape", 80, "Euler number", "1", "1",
        "Objects minus tunnels plus cavities, with 26-connected objects.", counts=True)

    LESION_COUNT = "lesion_count", _row("lesion", "Size", 80, "Lesions", "1", "1",
        "Connected components of the label at the stated connectivity and minimum size.", terminal=True, brief=True,
        counts=True)
    LESION_VOLUME = "lesion_total_volume", _row("lesion", "Size", 90, "Total volume of lesions", "ml", None,
        "Sum of the volumes of all lesions of the structure.", lower_bound=True, terminal=True,
        brief=True)
    LESION_DIAMETERS = "lesion_sum_of_longest_diameters", _row("lesion", "Diameters and extent", 65,
        "Sum of longest diameters", "mm", "{px}",
        "Sum of the longest in-plane diameters of all lesions of the structure: no target sum, which a reader picks.",
        lower_bound=True, terminal=True, brief=True)
    LONGEST_INSIDE = "longest_inside_chord", _row("lesion", "Diameters and extent", 30,
        "Longest diameter inside the mask", "mm", "{px}",
        "Longest chord of the same slice and component that never leaves it; stated where the longest diameter leaves it.",
        lower_bound=True, brief=True)
    SHORT_INSIDE = "perpendicular_inside_chord", _row("lesion", "Diameters and extent", 40,
        "Perpendicular diameter inside the mask", "mm", "{px}",
        "Longest chord at right angles to the longest diameter that never leaves the component.", lower_bound=True, brief=True)
    BIDIMENSIONAL_PRODUCT = "bidimensional_product", _row("lesion", "Diameters and extent", 50,
        "Bidimensional product", "mm2", "{px}2", "Longest times perpendicular diameter, in one slice.",
        lower_bound=True, terminal=True, brief=True)
    MEETS_SIZE_CRITERION = "meets_size_criterion", _row("lesion", "Diameters and extent", 60,
        "Meets the size criterion", "1", None,
        "1 if the named rule set's size criterion is met, else 0; size alone.", terminal=True, brief=True)

    MEAN = "intensity_mean", _row("intensity", "Intensity", 10, "Mean", "image", "image", "Arithmetic mean.",
        ibsi="Q4LE", method="arithmetic mean, IBSI Q4LE", of_lesions=True, terminal=True, brief=True, headline=100, matrix=10)
    SD = "intensity_sd", _row("intensity", "Intensity", 20, "SD", "image", "image",
        "Standard deviation with ddof 0 (square root of IBSI's variance ECT3).",
        code=Code("386136009", "Standard Deviation"), method="standard deviation, ddof 0: square root of IBSI ECT3",
        of_lesions=True, terminal=True, brief=True, matrix=20)
    VARIANCE = "intensity_variance", _row("intensity", "Intensity", 170, "Variance", "image2", "image2",
        "Mean squared deviation from the mean, ddof 0.", ibsi="ECT3",
        method="mean squared deviation from the mean, ddof 0, IBSI ECT3")
    MINIMUM = "intensity_minimum", _row("intensity", "Intensity", 40, "Minimum", "image", "image",
        "Smallest value.", ibsi="1GSF", method="smallest value, IBSI 1GSF", of_lesions=True)
    P10 = "intensity_p10", _row("intensity", "Intensity", 60, "10th percentile", "image", "image", _LINEAR,
        ibsi="QG58", method="linear interpolation between order statistics, IBSI QG58", of_lesions=True, matrix=40)
    P25 = "intensity_p25", _row("intensity", "Intensity", 70, "25th percentile", "image", "image", _LINEAR,
        method="linear interpolation between order statistics")
    MEDIAN = "intensity_median", _row("intensity", "Intensity", 30, "Median", "image", "image", "50th percentile.",
        ibsi="Y12H", method="middle value, linear interpolation between order statistics, IBSI Y12H",
        of_lesions=True, headline=110, matrix=30)
    P75 = "intensity_p75", _row("intensity", "Intensity", 80, "75th percentile", "image", "image", _LINEAR,
        method="linear interpolation between order statistics")
    P90 = "intensity_p90", _row("intensity", "Intensity", 90, "90th percentile", "image", "image", _LINEAR,
        ibsi="8DWT", method="linear interpolation between order statistics, IBSI 8DWT", of_lesions=True, matrix=50)
    MAXIMUM = "intensity_maximum", _row("intensity", "Intensity", 50, "Maximum", "image", "image", "Largest value.",
        ibsi="84IY", method="largest value, IBSI 84IY", lower_bound=True, of_lesions=True, headline=90)
    RANGE = "intensity_range", _row("intensity", "Intensity", 110, "Range", "image", "image",
        "Maximum minus minimum.", ibsi="2OJQ", method="maximum − minimum, IBSI 2OJQ")
    INTERQUARTILE_RANGE = "intensity_interquartile_range", _row("intensity", "Intensity", 100,
        "Interquartile range", "image", "image", "75th minus 25th percentile.", ibsi="SALO",
        method="75th − 25th percentile, IBSI SALO")
    SKEWNESS = "intensity_skewness", _row("intensity", "Intensity", 180, "Skewness", "1", "1",
        "Third central moment / variance^1.5.", ibsi="KE2A",
        method="third central moment / variance^1.5, population moments, IBSI KE2A")
    EXCESS_KURTOSIS = "intensity_excess_kurtosis", _row("intensity", "Intensity", 190, "Excess kurtosis", "1", "1",
        "Fourth central moment / variance² − 3: 0 for a normal distribution.", ibsi="IPH6",
        method="fourth central moment / variance² − 3, population moments, IBSI IPH6")
    KURTOSIS = "intensity_kurtosis", _row("intensity", "Intensity", 200, "Kurtosis", "1", "1",
        "Fourth central moment / variance²: what PyRadiomics calls Kurtosis, IBSI's plus 3.",
        method="fourth central moment / variance², PyRadiomics Kurtosis (IBSI IPH6 + 3)")
    MEAN_DEVIATION = "intensity_mean_absolute_deviation", _row("intensity", "Intensity", 120,
        "Mean absolute deviation", "image", "image", "Mean distance from the mean.", ibsi="4FUA",
        method="mean distance from the mean, IBSI 4FUA")
    ROBUST_MEAN_DEVIATION = "intensity_robust_mean_absolute_deviation", _row("intensity", "Intensity", 130,
        "Robust mean absolute deviation", "image", "image",
        "Mean distance from the mean, both over values from the 10th to the 90th percentile.", ibsi="1128",
        method="mean distance from the mean, both of values from P10 to P90, IBSI 1128")
    MEDIAN_DEVIATION = "intensity_median_absolute_deviation", _row("intensity", "Intensity", 140,
        "Median absolute deviation", "image", "image", "Mean distance from the median.", ibsi="N72L",
        method="mean distance from the median, IBSI N72L")
    VARIATION_COEFFICIENT = "intensity_coefficient_of_variation", _row("intensity", "Intensity", 150,
        "Coefficient of variation", "1", "1", "SD / mean.", ibsi="7TET", method="SD / mean, IBSI 7TET")
    QUARTILE_DISPERSION = "intensity_quartile_coefficient_of_dispersion", _row("intensity", "Intensity", 160,
        "Quartile coefficient of dispersion", "1", "1", "(P75 − P25) / (P75 + P25).", ibsi="9S40",
        method="(P75 − P25) / (P75 + P25), IBSI 9S40")
    ENERGY = "intensity_energy", _row("intensity", "Intensity", 220, "Energy", "image2", "image2",
        "Sum of squared values.", ibsi="N8CA", method="sum of squared values, IBSI N8CA")
    ROOT_MEAN_SQUARE = "intensity_root_mean_square", _row("intensity", "Intensity", 210, "Root mean square",
        "image", "image", "Square root of the mean squared value.", ibsi="5ZWQ",
        method="square root of the mean squared value, IBSI 5ZWQ")
    ENTROPY = "intensity_entropy", _row("intensity", "Intensity", 230, "Entropy", "1", "1",
        "−Σ p log2 p over bins of the stated width, edges at its multiples.", ibsi="TLU2",
        method="−Σ p log2 p over bins of width {width:g} with edges at its multiples (PyRadiomics), IBSI TLU2")
    UNIFORMITY = "intensity_uniformity", _row("intensity", "Intensity", 240, "Uniformity", "1", "1",
        "Σ p² over bins of the stated width, edges at its multiples.", ibsi="BJ5W",
        method="Σ p² over bins of width {width:g} with edges at its multiples (PyRadiomics), IBSI BJ5W")

    SUV_MAX = "suv_max", _row("pet", "Uptake", 10, "SUVmax", "image", None,
        "Largest value of a voxel of which at least half lies in the structure.", lower_bound=True, terminal=True, brief=True,
        headline=50)
    SUV_MEAN = "suv_mean", _row("pet", "Uptake", 20, "SUVmean", "image", None,
        "Mean over native voxels, weighted by the share that lies in the structure.", terminal=True, brief=True)
    SUV_PEAK = "suv_peak", _row("pet", "Uptake", 30, "SUVpeak", "image", None,
        "Highest mean in a sphere of 1 ml (radius 6.2035 mm) centred on any voxel of the structure; voxels by their centres (global intensity peak).",
        ibsi="0F91",
        method="highest mean in a sphere of 1 ml (radius 6.2035 mm) centred on any voxel with at least half in the structure, voxels by centre: global intensity peak, IBSI 0F91",
        terminal=True, brief=True, headline=60)
    SUV_PEAK_LOCAL = "suv_peak_local", _row("pet", "Uptake", 40, "SUVpeak around SUVmax", "image", None,
        "Mean in a sphere of 1 ml around the voxel of SUVmax; voxels by their centres (local intensity peak).",
        ibsi="VJGA",
        method="mean in a sphere of 1 ml (radius 6.2035 mm) centred on the voxel of SUVmax, voxels by centre: local intensity peak, IBSI VJGA")
    SUV_PEAK_EXACT = "suv_peak_partial_voxels", _row("pet", "Uptake", 50, "SUVpeak, partial voxels", "image", None,
        "As SUVpeak, voxels weighted by the share of them that lies in the sphere.",
        method="highest mean in a sphere of 1 ml (radius 6.2035 mm) centred on any voxel with at least half in the structure, voxels weighted by their share in the sphere")
    MTV = "metabolic_tumour_volume", _row("pet", "Uptake", 60, "MTV", "ml", None,
        "Volume of the named delineation on native PET voxels.", lower_bound=True, terminal=True, brief=True, headline=70)
    TLG = "total_lesion_glycolysis", _row("pet", "Uptake", 70, "TLG", "g", None,
        "SUVmean times volume of the named delineation.", lower_bound=True, terminal=True, brief=True, headline=80)

    TISSUE_AREA = "tissue_area", _row("tissue", "Tissue", 10, "Tissue area", "cm2", None,
        "Area of voxels in the range inside the compartment, in one slice.", lower_bound=True, terminal=True, brief=True,
        headline=10)
    TISSUE_VOLUME = "tissue_volume", _row("tissue", "Tissue", 20, "Tissue volume", "ml", None,
        "Volume of voxels in the range inside the compartment.", lower_bound=True, terminal=True, brief=True, headline=30)
    TISSUE_MEAN = "tissue_mean", _row("tissue", "Tissue", 30, "Tissue mean", "[hnsf'U]", None,
        "Mean attenuation of the tissue's voxels.", terminal=True, brief=True, headline=40)
    TISSUE_HEIGHT_INDEX = "tissue_area_by_height_squared", _row("tissue", "Tissue", 40, "Tissue index by height",
        "cm2/m2", None, "Tissue area / height².", lower_bound=True, terminal=True, brief=True, headline=20)
    TISSUE_SURFACE_INDEX = "tissue_area_by_body_surface", _row("tissue", "Tissue", 50,
        "Tissue index by body surface", "cm2/m2", None, "Tissue area / body surface (Mosteller 1987).",
        lower_bound=True, terminal=True, brief=True)

    DICE = "dice", _row("comparison", "Against a reference", 10, "Dice", "1", "1",
        "2|A∩B| / (|A|+|B|); 1 when both are empty, 0 when one is (Dice 1945).", step=0.001, headline=10,
        compared="structure", quotable=True)
    SURFACE_DICE = "surface_dice", _row("comparison", "Against a reference", 20, "Surface Dice", "1", "1",
        "Share of both surfaces within the stated tolerance of each other (Nikolov 2018).", step=0.001,
        compared="structure")
    HD = "hausdorff_distance", _row("comparison", "Against a reference", 30, "Hausdorff distance", "mm", "{px}",
        "Largest distance from one surface to the other, both ways.", step=0.1)
    HD95 = "hausdorff_distance_p95", _row("comparison", "Against a reference", 40, "HD95", "mm", "{px}",
        "The larger of the two directed 95th percentiles of surface distance, weighted by surface area.", step=0.1,
        headline=20, compared="structure")
    ASSD = "average_symmetric_surface_distance", _row("comparison", "Against a reference", 50, "ASSD", "mm", "{px}",
        "Mean distance over both surfaces, weighted by surface area.", step=0.01, compared="structure")
    VOLUME_ERROR = "volume_error", _row("comparison", "Against a reference", 60, "Volume error", "ml", None,
        "Volume of the prediction minus volume of the reference.", headline=30, compared="structure", signed=True)
    RELATIVE_VOLUME_ERROR = "relative_volume_error", _row("comparison", "Against a reference", 70,
        "Relative volume error", "%", "%", "100 × (prediction − reference) / reference, by voxel counts.", step=0.1,
        compared="structure", signed=True)
    LESIONS_IN_REFERENCE = "lesions_in_reference", _row("comparison", "Against a reference", 80,
        "Lesions in the reference", "1", "1", "Connected components at the stated connectivity and minimum size.",
        compared="count", counts=True)
    LESIONS_FOUND = "lesions_found", _row("comparison", "Against a reference", 90, "Lesions found", "1", "1",
        "Lesions of the reference that the matching rule pairs.", compared="count", counts=True)
    LESION_SENSITIVITY = "lesion_sensitivity", _row("comparison", "Against a reference", 100, "Lesion sensitivity",
        "1", "1", "Found / lesions in the reference.", compared="lesion", quotable=True)
    LESION_FALSE_POSITIVES = "lesion_false_positives", _row("comparison", "Against a reference", 110,
        "False-positive lesions", "1", "1", "Lesions of the prediction that the matching rule pairs with none.",
        compared="count", counts=True)
    LESION_PRECISION = "lesion_precision", _row("comparison", "Against a reference", 120, "Lesion precision", "1",
        "1", "Paired / all lesions of the prediction.", compared="lesion")
    LESION_F1 = "lesion_f1", _row("comparison", "Against a reference", 130, "Lesion F1", "1", "1",
        "2 TP / (2 TP + FP + FN) over lesions.", compared="lesion", quotable=True)
    PANOPTIC_QUALITY = "panoptic_quality", _row("comparison", "Against a reference", 140, "Panoptic quality", "1",
        "1", "Sum of IoU over pairs / (TP + FP/2 + FN/2) (Kirillov 2019).", compared="lesion")
    MEAN_MATCHED_DICE = "mean_matched_dice", _row("comparison", "Against a reference", 150,
        "Mean Dice of found lesions", "1", "1", "Mean Dice over paired lesions alone.", compared="lesion")
    # fmt: on
