"""The order in which people read quantities: groups with a heading, each quantity in one of them."""

from medseg.domain import Quantity

__all__ = ["GROUPS", "group_of", "rank"]

#: Heading → its quantities, most wanted first; a test sees to it that none is missing.
GROUPS: dict[str, tuple[Quantity, ...]] = {
    "Size": (
        Quantity.VOLUME,
        Quantity.MESH_VOLUME,
        Quantity.VOLUME_DIFFERENCE,
        Quantity.PROBABILITY_VOLUME,
        Quantity.AREA,
        Quantity.VOXEL_COUNT,
        Quantity.SURFACE_AREA,
        Quantity.LESION_COUNT,
    ),
    "Diameters and extent": (
        Quantity.LONGEST_DIAMETER,
        Quantity.SHORT_DIAMETER,
        Quantity.LONGEST_INSIDE,
        Quantity.SHORT_INSIDE,
        Quantity.BIDIMENSIONAL_PRODUCT,
        Quantity.MEETS_SIZE_CRITERION,
        Quantity.MAXIMUM_3D_DIAMETER,
        Quantity.MAXIMUM_DIAMETER_I,
        Quantity.MAXIMUM_DIAMETER_J,
        Quantity.MAXIMUM_DIAMETER_K,
        Quantity.EXTENT_I,
        Quantity.EXTENT_J,
        Quantity.EXTENT_K,
    ),
    "Shape": (
        Quantity.SPHERICITY,
        Quantity.SURFACE_TO_VOLUME,
        Quantity.MAJOR_AXIS,
        Quantity.MINOR_AXIS,
        Quantity.LEAST_AXIS,
        Quantity.ELONGATION,
        Quantity.FLATNESS,
        Quantity.EULER_NUMBER,
    ),
    "Position and border": (
        Quantity.BORDER_VOXELS,
        Quantity.BORDER_SHARE,
        Quantity.CENTROID_X,
        Quantity.CENTROID_Y,
        Quantity.CENTROID_Z,
        Quantity.BOX_MIN_I,
        Quantity.BOX_MAX_I,
        Quantity.BOX_MIN_J,
        Quantity.BOX_MAX_J,
        Quantity.BOX_MIN_K,
        Quantity.BOX_MAX_K,
    ),
    "Intensity": (
        Quantity.MEAN,
        Quantity.SD,
        Quantity.MEDIAN,
        Quantity.MINIMUM,
        Quantity.MAXIMUM,
        Quantity.P10,
        Quantity.P25,
        Quantity.P75,
        Quantity.P90,
        Quantity.INTERQUARTILE_RANGE,
        Quantity.RANGE,
        Quantity.MEAN_DEVIATION,
        Quantity.ROBUST_MEAN_DEVIATION,
        Quantity.MEDIAN_DEVIATION,
        Quantity.VARIATION_COEFFICIENT,
        Quantity.QUARTILE_DISPERSION,
        Quantity.VARIANCE,
        Quantity.SKEWNESS,
        Quantity.EXCESS_KURTOSIS,
        Quantity.KURTOSIS,
        Quantity.ROOT_MEAN_SQUARE,
        Quantity.ENERGY,
        Quantity.ENTROPY,
        Quantity.UNIFORMITY,
    ),
    "Uptake": (
        Quantity.SUV_MAX,
        Quantity.SUV_MEAN,
        Quantity.SUV_PEAK,
        Quantity.SUV_PEAK_LOCAL,
        Quantity.SUV_PEAK_EXACT,
        Quantity.MTV,
        Quantity.TLG,
    ),
    "Tissue": (
        Quantity.TISSUE_AREA,
        Quantity.TISSUE_VOLUME,
        Quantity.TISSUE_MEAN,
        Quantity.TISSUE_HEIGHT_INDEX,
        Quantity.TISSUE_SURFACE_INDEX,
    ),
    "Against a reference": tuple(item for item in Quantity if item.info.kind == "comparison"),
}
_RANK = {
    quantity: (number, place)
    for number, quantities in enumerate(GROUPS.values())
    for place, quantity in enumerate(quantities)
}
_HEADING = {quantity: heading for heading, quantities in GROUPS.items() for quantity in quantities}


def group_of(quantity: Quantity) -> str:
    """Heading under which a quantity stands."""
    return _HEADING[quantity]


def rank(quantity: Quantity) -> tuple[int, int]:
    """Key to sort quantities as people read them."""
    return _RANK[quantity]
