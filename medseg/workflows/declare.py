"""What the values of a channel are, where its file can't say: the user's word, kept as a Finding."""

from collections.abc import Mapping
from dataclasses import replace

from medseg.domain import Finding, Image
from medseg.domain.values import as_details
from medseg.errors import InputError

__all__ = ["VALUE_KINDS", "declare_values"]

#: Word on the command line → modality and UCUM unit.
VALUE_KINDS = {
    "HU": ("CT", "[hnsf'U]"),
    "SUVbw": ("PT", "g/ml{SUVbw}"),
    "MR": ("MR", "[arb'U]"),
}


def declare_values(images: Mapping[str, Image], values: Mapping[str, str]) -> dict[str, Image]:
    """Images whose files name no unit, with the one the user declares; the name `*` means a single image.

    Raises
    ------
    InputError
        If a channel or a kind of values is unknown, or the file itself says otherwise.
    """
    found = dict(images)
    for name, kind in values.items():
        if kind not in VALUE_KINDS:
            raise InputError(f"values are {', '.join(VALUE_KINDS)}; not {kind!r}")
        wanted = next(iter(found)) if name == "*" and len(found) == 1 else name
        if wanted not in found:
            raise InputError(
                f"values are declared for channel {name!r}; there are {', '.join(found) or 'none'}"
            )
        found[wanted] = _declared(found[wanted], wanted, kind)
    return found


def _declared(image: Image, name: str, kind: str) -> Image:
    modality, unit = VALUE_KINDS[kind]
    if (image.modality or modality, image.value_unit) == (modality, unit):
        return replace(image, modality=modality)
    from_dicom = image.source is not None and image.source.format == "dicom"
    if from_dicom or image.modality not in (None, modality) or image.value_unit != "[arb'U]":
        said = f"{image.modality or 'no modality'} in {image.value_unit}"
        raise InputError(f"channel {name!r} can't be declared {kind}: its file says {said}")
    text = f"The file of channel {name} does not say what its values are; the user declared {kind}."
    finding = Finding("channel.declared", "info", text, as_details(channel=name, unit=unit))
    return replace(image, modality=modality, value_unit=unit, findings=(*image.findings, finding))
