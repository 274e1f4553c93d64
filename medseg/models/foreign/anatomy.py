"""SNOMED CT codes of structures by the names that TotalSegmentator gives them, as DICOM's dictionary has them."""

import re
from dataclasses import replace

from medseg.domain import Label
from medseg.domain.labels import side_in_name, without_side
from medseg.io.dicom.concepts import concept

__all__ = ["coded"]

#: Name without its side → keyword in DICOM's dictionary (PS3.16). What DICOM has no concept for has no code here.
_KEYWORDS = {
    "spleen": "Spleen",
    "kidney": "Kidney",
    "gallbladder": "Gallbladder",
    "liver": "Liver",
    "stomach": "Stomach",
    "pancreas": "Pancreas",
    "adrenal gland": "AdrenalGland",
    "lung upper lobe": "UpperLobeOfLung",
    "lung lower lobe": "LowerLobeOfLung",
    "lung middle lobe": "MiddleLobeOfRightLung",
    "esophagus": "Esophagus",
    "trachea": "Trachea",
    "thyroid gland": "Thyroid",
    "small bowel": "SmallIntestine",
    "duodenum": "Duodenum",
    "colon": "Colon",
    "urinary bladder": "Bladder",
    "prostate": "Prostate",
    "sacrum": "Sacrum",
    "heart": "Heart",
    "aorta": "Aorta",
    "pulmonary vein": "PulmonaryVein",
    "brachiocephalic trunk": "BrachiocephalicTrunk",
    "subclavian artery": "SubclavianArtery",
    "common carotid artery": "CommonCarotidArtery",
    "brachiocephalic vein": "BrachiocephalicVein",
    "superior vena cava": "SuperiorVenaCava",
    "inferior vena cava": "InferiorVenaCava",
    "iliac artery": "CommonIliacArtery",
    "iliac vena": "CommonIliacVein",
    "humerus": "Humerus",
    "scapula": "Scapula",
    "clavicula": "Clavicle",
    "femur": "Femur",
    "spinal cord": "SpinalCord",
    "brain": "Brain",
    "skull": "Skull",
    "sternum": "Sternum",
    "costal cartilages": "CostalCartilage",
}
_VERTEBRA = re.compile(r"vertebrae ([CTL]\d{1,2})")
#: DICOM has one concept for all ribs; which one it is the name says.
_RIB = re.compile(r"rib \d{1,2}")


def coded(label: Label) -> Label:
    """The label with its side and, where DICOM has a concept for it, its SNOMED CT codes; what it has already stays.

    >>> found = coded(Label(1, "kidney_left"))
    >>> found.side, found.type.value, found.type.meaning
    ('left', '64033007', 'Kidney')
    """
    side = side_in_name(label.name)
    found = replace(label, side=side) if side is not None and label.side == "not applicable" else label
    code = concept(_keyword(without_side(label.name.replace("_", " "))))
    if found.type is not None or code is None:
        return found
    return replace(found, category=concept("AnatomicalStructure"), type=code)


def _keyword(name: str) -> str:
    vertebra = _VERTEBRA.fullmatch(name)
    if vertebra is not None:
        return f"{vertebra[1]}Vertebra"
    return "Rib" if _RIB.fullmatch(name) else _KEYWORDS.get(name, "")
