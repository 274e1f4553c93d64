"""What the values of an MR volume are: magnitude, phase, real, imaginary, or a map of something else.

Sources: DICOM PS3.3 C.8.13.3.1.1 (FrameType) and C.8.13.3.1.2 (Complex Image Component); the vendors' ImageType.
"""

from collections.abc import Sequence
from typing import Any

from medseg.io.dicom.tags import first, integer, plain, private, text

__all__ = ["IMAGE_KINDS", "kind_of"]

#: Kinds that are images of the body; None is one too: nothing is known against it.
IMAGE_KINDS = (None, "magnitude")
_COMPONENTS = ("magnitude", "phase", "real", "imaginary")
_BY_WORD = {
    "M": "magnitude",
    "MAG": "magnitude",
    "MAGNITUDE": "magnitude",
    "P": "phase",
    "PHA": "phase",
    "PHASE": "phase",
    "PHASE MAP": "phase",
    "R": "real",
    "REAL": "real",
    "I": "imaginary",
    "IMAGINARY": "imaginary",
    "B0": "field map",
    "B0 MAP": "field map",
    "FIELDMAP": "field map",
    "FIELD MAP": "field map",
    "ADC": "ADC map",
    "FA": "FA map",
}
#: Philips writes the component before the sequence: `M_FFE`, `P_SE`, `R_IR`, `I_FFE`.
_PREFIXES = {"M_": "magnitude", "P_": "phase", "R_": "real", "I_": "imaginary"}


def kind_of(ds: Any, item: Any) -> str | None:
    """Kind of one frame; None where no tag says it. `item` is its MR Image Frame Type group, if it has one.

    A map goes before the component that it is stored as, and the component before words of the image's type.
    """
    if str(ds.get("Modality", "")) != "MR":
        return None
    named = item.get("FrameType") if item is not None else None
    words = [_by_word(part) for part in _parts(named) or _parts(ds.get("ImageType"))]
    found = [word for word in words if word is not None]
    if mapped := next((word for word in found if word.endswith("map")), None):
        return mapped
    stated = (text(first(ds, item, "ComplexImageComponent")) or "").lower()
    if stated in _COMPONENTS:
        return stated
    if found:
        return found[0]
    raw = integer(plain(private(ds, 0x0043, "GEMS_PARM_01", 0x2F), "h"))
    return _COMPONENTS[raw] if raw is not None and 0 <= raw < len(_COMPONENTS) else None


def _parts(value: Any) -> Sequence[str]:
    """Values of ImageType from the third on: the first two say original or derived, primary or secondary."""
    parts = [value] if isinstance(value, str) else list(value or ())
    return [str(part) for part in parts[2:]]


def _by_word(word: str) -> str | None:
    plain_word = word.upper().replace("_", " ").strip()
    if plain_word in _BY_WORD:
        return _BY_WORD[plain_word]
    if plain_word.endswith(" MAP"):
        return f"{plain_word.removesuffix(' MAP')} map"
    return _PREFIXES.get(word.upper()[:2])
