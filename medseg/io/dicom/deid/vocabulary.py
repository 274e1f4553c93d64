"""Words that technical attributes are known to hold; anything else may have been typed, and may name a person."""

import re
from typing import Any

__all__ = ["TYPED", "known", "without_typed"]

#: What stands for a word that is not known.
_UNKNOWN = "REMOVED"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Of values 1 to 4 by the standard (PS3.3, images of CT, MR, PET, NM, CR, DX), and vendors' codes.
_IMAGE_TYPES = _words(
    """
    ORIGINAL DERIVED PRIMARY SECONDARY AXIAL LOCALIZER SCOUT OTHER NONE MIXED VOLUME REFORMATTED MPR MIP MINIP AVERAGE
    PROJECTION\tIMAGE RESAMPLED SUBTRACTION ADDITION DIVISION MULTIPLICATION QUANTITY MAXIMUM MINIMUM MEDIAN MEAN
    STATIC DYNAMIC GATED WHOLE\tBODY TOMO RECON EMISSION TRANSMISSION PERFUSION DIFFUSION ADC FA TRACE TRACEW EADC CBF
    CBV MTT TTP TMAX T1 T2 T2* T2_STAR PD M P R I MAGNITUDE PHASE REAL IMAGINARY M_SE M_IR M_FFE M_B0 M_B1 SE IR FFE GRE
    EPI TSE FLAIR STIR WATER FAT IN_PHASE OUT_PHASE OPP_PHASE FAT_FRACTION W F IP OP ND NORM DIS2D DIS3D DIS3D2 FM FIL
    MFSPLIT MOSAIC CSA CSAPARALLEL RT CT_SOM5 CT_SOM7 SEQ SPI TOP DRB SPR DET_A DET_B AB VNC MONOENERGETIC IODINE
    CALCIUM SCREEN SAVE CINE ANGIO VELOCITY FLOW SWI MRA ENERGY_PROP_WT LABELMAP DISTORTION CORRECTED POST_PROCESSED
    POSTPROCESSED FILTERED SINGLE\tPLANE BIPLANE
    """.replace("\t", "_")
)
#: Of PS3.16 annex L in common use, and the plain words that scanners write.
_BODY_PARTS = _words(
    """
    ABDOMEN ABDOMENPELVIS ADRENAL ANKLE AORTA APPENDIX ARM AXILLA BACK BLADDER BODY BONE BRAIN BREAST BRONCHUS BUTTOCK
    CALCANEUS CALF CAROTID CEREBELLUM CERVIX CHEEK CHEST CHESTABDOMEN CHESTABDPELVIS CLAVICLE COCCYX COLON CORNEA
    CSPINE CTSPINE DUODENUM EAR ELBOW ESOPHAGUS EXTREMITY EYE EYELID FACE FEMUR FINGER FOOT FOREARM GALLBLADDER HAND
    HEAD HEADNECK HEART HIP HUMERUS IAC ILEUM ILIUM JAW JEJUNUM KIDNEY KNEE LARYNX LEG LIVER LSPINE LSSPINE LUNG
    MAXILLA MEDIASTINUM MOUTH NECK NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV NOSE ORBIT OVARY PANCREAS PAROTID
    PATELLA PELVIS PENIS PHARYNX PROSTATE RECTUM RIB SACRUM SCALP SCAPULA SCROTUM SHOULDER SINUS SKULL SPINE SPLEEN
    SSPINE STERNUM STOMACH TEMPORAL TESTIS THIGH THORAX THUMB THYMUS THYROID TIBIA TLSPINE TOE TONGUE TRACHEA TSPINE
    TRUNK URETER URETHRA UTERUS VAGINA VULVA WHOLEBODY WRIST ZYGOMA KOPF SCHAEDEL HALS BECKEN TETE CRANE COU BASSIN
    """
)
_KERNELS = re.compile(
    r"STANDARD|STND|SOFT|DETAIL|LUNG|BONE|BONEPLUS|EDGE|CHEST|ULTRA|SHARP|SMOOTH|MEDIUM|BRAIN|HEAD|BODY|IMR|IDOSE|ASIR"
    r"|[A-Z]{1,2}[a-z]?\d{2,3}[a-z]{0,3}|FC\d{2}(?:-H)?|Y?[A-F]|U[A-C]|Y[A-C]|\d",
)
#: Vendors' families; what stands beside them is a short code.
_MODELS = _words(
    """
    achieva acquisition aera allegro altair amira apex aquilion artis as asteion attenuation avanto biograph
    bright brightspeed brilliance cardiographe cartesion celesteion confidence core ct dcmqi definition
    discovery dlp dr drive ecat echelon echospeed edge elan elite elscint emotion espree essenza exact
    exceed excite expert fit flash force galan gemini genesis go gyroscan harmony hd hdx hdxt highdicom
    hirez horizon ict infinia ingenia ingenuity intera iq lightning lightspeed lumina lx magnetic magnetom
    mct medseg mi mr msk multiva neuro none omni one open optima orian panorama perspective pet phantom
    philips plus precedence premier prime prisma pro qx recon revolution rhapsode sensation siemens signa
    sky skyra sola solo somatom sonata spectra spectral speed spirit st star ste symbia symphony tf tim
    titan trio triotim triton truepoint ultra vantage vct vereos verio vida vision volume xenon xperience xr
    xvision
    """
)
_SOFTWARE = _words(
    "syngo ct mr pet xa numaris software version release sp hf patch apps lightspeedapps philips medseg highdicom none"
)
#: A code of few letters and digits, as versions and models have; six digits in a row may be a number of a patient.
_CODE = re.compile(
    r"(?=[^\d]*\d)(?!.*\d{6})[A-Za-z]{0,4}[\d._*+\-]+(?:[A-Za-z]{0,3}[\d._*+\-]*){0,4}", re.ASCII
)

#: Attributes whose text is technical by its definition, and typed by people in some clinics.
TYPED = frozenset(
    ("BodyPartExamined", "ConvolutionKernel", "ImageType", "ManufacturerModelName", "SoftwareVersions")
)


def known(keyword: str, value: str) -> bool:
    """Whether a value of one of `TYPED` says nothing but what such attributes are known to say.

    >>> known("ConvolutionKernel", "B30f"), known("ConvolutionKernel", "for Dr Gruber")
    (True, False)
    """
    value = value.strip()
    if keyword == "ImageType":
        return not value or value.upper() in _IMAGE_TYPES or re.fullmatch(r"\d{1,4}", value) is not None
    if keyword == "BodyPartExamined":
        return re.sub(r"[ _\-]", "", value.upper()) in _BODY_PARTS
    if keyword == "ConvolutionKernel":
        return _KERNELS.fullmatch(value) is not None
    names = _MODELS if keyword == "ManufacturerModelName" else _SOFTWARE
    parts = [part for part in re.split(r"[\s/_,()]+", value) if part]
    return all(_is_word(part, names) or _CODE.fullmatch(part) is not None for part in parts)


def without_typed(keyword: str, value: Any) -> Any:
    """A value with `REMOVED` for each part that is not known; the same value where all are."""
    if value is None or value == "":
        return value
    several = not isinstance(value, str) and hasattr(value, "__iter__")
    parts = [str(part) for part in value] if several else [str(value)]
    cleaned = [part if known(keyword, part) else _UNKNOWN for part in parts]
    if cleaned == parts:
        return value
    return cleaned if several else cleaned[0]


def _is_word(part: str, names: frozenset[str]) -> bool:
    # `LightSpeed16`, `CT750`: a known name with a short number
    return re.sub(r"\d{1,4}$|\+$", "", part.lower()) in names or part.lower() in names
