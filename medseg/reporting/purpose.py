"""What a page answers. It follows from what was measured, unless the reader names another purpose."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal, TypeAlias, get_args

from medseg.domain import Quantity, Record
from medseg.errors import ConfigError
from medseg.reporting.index import index_of, is_absent

__all__ = ["ASKABLE", "PAPERS", "USUAL", "PageLook", "Paper", "Purpose", "purpose_of"]

#: A structure or a few; lesions; a list of organs; tissue at a level; nothing of what was looked for; the mask
#: against a reference.
Purpose: TypeAlias = Literal["structure", "lesions", "organs", "tissue", "absent", "comparison"]
#: Those that a reader may name; the others follow from what was found, or from a reference that is given.
ASKABLE: tuple[Purpose, ...] = ("structure", "lesions", "organs", "tissue")
#: Sizes of paper.
Paper: TypeAlias = Literal["A4", "Letter"]
PAPERS: tuple[Paper, ...] = get_args(Paper)
#: More structures than this are a list.
FEW = 3


@dataclass(frozen=True, slots=True)
class PageLook:
    """How a page is laid out.

    Parameters
    ----------
    purpose
        What it answers; None follows what was measured.
    full
        Whether the appendix is in it: every measurement with its method, all pictures, terms.
    paper
        What it is printed on; Letter is 18 mm shorter, so its pictures are smaller.
    windows
        (channel, low, high) in the image's unit: grey values that pictures show from black to white, as a reader
        has set them; other channels follow the rule of `pictures.window`.
    """

    purpose: Purpose | None = None
    full: bool = False
    paper: Paper = "A4"
    windows: tuple[tuple[str, float, float], ...] = ()

    def __post_init__(self) -> None:
        for name, low, high in self.windows:
            if not (low < high and isfinite(high - low)):
                raise ConfigError(
                    f"the window of {name or 'the image'} goes from low to high, not {low:g}:{high:g}"
                )


#: The page as it is when nobody asks for another.
USUAL = PageLook()


def purpose_of(record: Record, asked: Purpose | None = None) -> Purpose:
    """The purpose asked for, else that of the plan by which the Record was measured."""
    if asked is not None:
        return asked
    index = index_of(record.measurements)
    if index.structures and all(is_absent(index, target) for target in index.structures):
        return "absent"
    kinds = {item.target.kind for item in record.measurements}
    if "lesion" in kinds or any(item.quantity is Quantity.LESION_COUNT for item in record.measurements):
        return "lesions"
    if "tissue" in kinds:
        return "tissue"
    return "organs" if len(index.structures) > FEW else "structure"
