"""Numbers of a mask, each with unit, status, reason and method."""

from medseg.measuring.contours import contours
from medseg.measuring.field import find_field
from medseg.measuring.findings import size_findings
from medseg.measuring.lesions.measure import Lesions, find_lesions, measure_lesions
from medseg.measuring.measure import measure, targets
from medseg.measuring.noise import noise_near
from medseg.measuring.normal import intracranial, normalised
from medseg.measuring.pet.measure import measure_pet
from medseg.measuring.placing import place_among
from medseg.measuring.tissue.measure import measure_tissue, tissue_map

__all__ = [
    "Lesions",
    "contours",
    "find_field",
    "find_lesions",
    "intracranial",
    "measure",
    "measure_lesions",
    "measure_pet",
    "measure_tissue",
    "noise_near",
    "normalised",
    "place_among",
    "size_findings",
    "targets",
    "tissue_map",
]
