"""What the values of a series mean: the gate for HU, and the unit of a PET."""

from medseg.io.dicom.headers import Header

__all__ = ["value_unit"]

_ARBITRARY = "[arb'U]"
#: Words in ImageType or description of CT images whose values are no attenuation in HU.
_NOT_HU = (
    "CBCT",
    "CONE",
    "VMI",
    "MONOENERGETIC",
    "MONO_E",
    "IODINE",
    "ZEFF",
    "Z_EFF",
    "SPECTRAL",
    "MATERIAL",
    "DENSITY",
    "VNC",
    "PERFUSION",
    "LOCALIZER",
    "CALCIUM",
)


def value_unit(header: Header) -> str:
    """UCUM unit of the rescaled values.

    HU (`[hnsf'U]`) only for CT with RescaleType HU, or with none on an original or plainly derived image
    that states a rescale; not for cone beam, spectral maps and localizers. PET: GML with SUVType BW or
    none is `g/ml{SUVbw}`, BQML is `Bq/ml`. All else is arbitrary.
    """
    if header.modality == "CT":
        return "[hnsf'U]" if _is_hu(header) else _ARBITRARY
    if header.modality == "PT":
        if header.pet_units == "GML" and header.suv_type in (None, "BW"):
            return "g/ml{SUVbw}"
        return "Bq/ml" if header.pet_units == "BQML" else _ARBITRARY
    return _ARBITRARY


def _is_hu(header: Header) -> bool:
    words = " ".join((*header.image_type, header.description)).upper()
    if any(word in words for word in _NOT_HU):
        return False
    if header.rescale_type is not None:
        return header.rescale_type.upper() == "HU"
    plain = not header.image_type or header.image_type[0] in ("ORIGINAL", "DERIVED")
    return plain and header.has_rescale
