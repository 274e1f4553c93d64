"""What the values of a series mean: the gate for HU."""

from medseg.io.dicom.image.headers import Header
from medseg.io.dicom.image.together import is_secondary_capture

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
    """UCUM unit of the rescaled values of anything but PET, whose unit `read_pet` finds.

    HU (`[hnsf'U]`) only for CT with RescaleType HU, or with none on an original or plainly derived image
    that states a rescale; not for cone beam, spectral maps, localizers and Secondary Captures. All else is arbitrary.
    """
    return "[hnsf'U]" if header.modality == "CT" and _is_hu(header) else _ARBITRARY


def _is_hu(header: Header) -> bool:
    words = " ".join((*header.image_type, header.description)).upper()
    if is_secondary_capture(header) or any(word in words for word in _NOT_HU):
        return False
    if header.rescale_type is not None:
        return header.rescale_type.upper() == "HU"
    plain = not header.image_type or header.image_type[0] in ("ORIGINAL", "DERIVED")
    return plain and header.has_rescale
