"""What tells slices at one position apart: time, echo, b-value and direction, type, phase."""

from collections.abc import Iterator
from typing import Any

from medseg.io.dicom.tags import first, group_item, integer, number, numbers, plain, private, text, vector

__all__ = ["frame_traits"]

#: GE adds a multiple of this to its b-values.
_GE_OFFSET = 100_000
#: Dimensions that only say where a frame lies: StackID, InStackPositionNumber, positions.
_PLACES = (0x00209056, 0x00209057, 0x00200032, 0x00209113, 0x00200037, 0x00209116, 0x0048021E, 0x0048021F)
_LABEL = 32
_GE_COMPONENTS = ("magnitude", "phase", "real", "imaginary")


def frame_traits(ds: Any, group: Any, index: int = 0) -> Iterator[tuple[str, Any]]:
    """(name, value or None) in the order in which they are tried; the same names for every frame."""
    content = group_item(ds, group, "FrameContentSequence")
    time = first(ds, content, "TemporalPositionIndex") or ds.get("TemporalPositionIdentifier")
    yield "t", integer(time)
    echo = first(ds, group_item(ds, group, "MREchoSequence"), "EffectiveEchoTime")
    yield "echo", _echo(ds, echo)
    yield "diffusion", _diffusion(ds, group)
    yield "ti", _inversion(ds, group)
    heart = group_item(ds, group, "CardiacSynchronizationSequence")
    yield "trigger", number(first(ds, heart, "NominalCardiacTriggerDelayTime") or ds.get("TriggerTime"))
    kind = group_item(ds, group, "MRImageFrameTypeSequence")
    words = (kind.get("FrameType") if kind is not None else None) or ds.get("ImageType") or ()
    yield "type", " ".join(str(part) for part in list(words)[2:]) or None
    yield "component", _component(ds, kind)
    yield "acquisition", integer(first(ds, content, "FrameAcquisitionNumber") or ds.get("AcquisitionNumber"))
    yield "time", text(first(ds, content, "FrameAcquisitionDateTime") or ds.get("AcquisitionTime"))
    yield "content time", text(ds.get("ContentTime"))
    yield from _nuclear(ds, index)
    yield from _dimensions(ds, content)


def _echo(ds: Any, effective: Any) -> float | None:
    """Echo time in ms; 0 (a map has none) is a time too."""
    found: float | None = number(effective if effective is not None else ds.get("EchoTime"))
    return integer(ds.get("EchoNumbers")) if found is None else found


def _nuclear(ds: Any, index: int) -> Iterator[tuple[str, Any]]:
    """Energy window, time slot and time slice of a frame of nuclear medicine, which has a vector for each."""
    for name, keyword in (
        ("energy", "EnergyWindowVector"),
        ("slot", "TimeSlotVector"),
        ("r-r", "RRIntervalVector"),
    ):
        vector = ds.get(keyword)
        numbers = [vector] if isinstance(vector, int) else list(vector or ())
        if index < len(numbers):
            yield name, int(numbers[index])


def _dimensions(ds: Any, content: Any) -> Iterator[tuple[str, Any]]:
    """Index of a frame along each dimension that an enhanced object declares, those of place left out."""
    from pydicom.datadict import keyword_for_tag

    values = content.get("DimensionIndexValues") if content is not None else None
    if values is None:
        return
    values = [values] if isinstance(values, int) else list(values)
    for item, value in zip(ds.get("DimensionIndexSequence") or (), values, strict=False):
        pointer = int(item.get("DimensionIndexPointer") or 0)
        if pointer not in _PLACES:
            label = str(item.get("DimensionDescriptionLabel") or keyword_for_tag(pointer) or f"{pointer:08X}")
            yield " ".join(label.lower().split())[:_LABEL], int(value)


def _inversion(ds: Any, group: Any) -> float | None:
    modifier = group_item(ds, group, "MRModifierSequence")
    found: float | None = number(first(ds, modifier, "InversionTimes") or ds.get("InversionTime"))
    return found


def _component(ds: Any, kind: Any) -> str | None:
    """Magnitude, phase, real or imaginary, where a tag says so: the standard's, or GE's raw data type."""
    stated = text(first(ds, kind, "ComplexImageComponent"))
    if stated:
        return stated.lower()
    raw = integer(plain(private(ds, 0x0043, "GEMS_PARM_01", 0x2F), "h"))
    return _GE_COMPONENTS[raw] if raw is not None and 0 <= raw < len(_GE_COMPONENTS) else None


def _diffusion(ds: Any, group: Any) -> tuple[float | None, tuple[float, ...] | None] | None:
    """(b-value, gradient direction), from standard tags or the vendors' private ones."""
    nested = group_item(ds, group, "MRDiffusionSequence")
    value = number(first(ds, nested, "DiffusionBValue"))
    gradient = group_item(nested if nested is not None else ds, None, "DiffusionGradientDirectionSequence")
    direction = numbers(first(ds, gradient, "DiffusionGradientOrientation"), 3)
    if value is None:
        value, direction = _vendor_diffusion(ds)
    if value == 0:
        direction = None
    return None if value is None and direction is None else (value, direction)


def _vendor_diffusion(ds: Any) -> tuple[float | None, tuple[float, ...] | None]:
    """Sources: the vendors' conformance statements (Siemens MR header, Philips imaging DD 001, GE)."""
    siemens = number(plain(private(ds, 0x0019, "SIEMENS MR HEADER", 0x0C), "d"))
    if siemens is not None:
        return siemens, vector(private(ds, 0x0019, "SIEMENS MR HEADER", 0x0E), "d")
    philips = number(plain(private(ds, 0x2001, "Philips Imaging DD 001", 0x03), "f"))
    if philips is not None:
        parts = [private(ds, 0x2005, "Philips MR Imaging DD 001", element) for element in (0xB0, 0xB1, 0xB2)]
        return philips, numbers([plain(part, "f") for part in parts], 3)
    ge = number(plain(private(ds, 0x0043, "GEMS_PARM_01", 0x39), "h"))
    if ge is not None:
        parts = [private(ds, 0x0019, "GEMS_ACQU_01", element) for element in (0xBB, 0xBC, 0xBD)]
        return ge % _GE_OFFSET, numbers([plain(part, "d") for part in parts], 3)
    return None, None
