"""Named rule sets of size: what a lesion must measure, in which plane, on how many slices, and who said so."""

from dataclasses import dataclass
from typing import Literal

from medseg.domain.plan import RuleSet

__all__ = ["NODE_PATHOLOGICAL_MM", "RULES", "SizeRule", "node_category"]


@dataclass(frozen=True, slots=True)
class SizeRule:
    """One rule set's criterion of size; 0 where a length is not asked for.

    Parameters
    ----------
    title, source
        As they stand in `method`.
    plane
        `acquired`: the plane slices were taken in. `axial`: resliced where that is not axial.
    long_mm, short_mm
        Least longest diameter and least perpendicular.
    twice_thickness
        The lengths asked for are at least twice the slice thickness.
    slices
        Slices on which the lesion must show.
    both_on_each
        On each of these both diameters must be reached, not just seen.
    """

    title: str
    source: str
    plane: Literal["acquired", "axial"]
    long_mm: float = 0.0
    short_mm: float = 0.0
    twice_thickness: bool = False
    slices: int = 1
    both_on_each: bool = False


_RECIST = "Eisenhauer et al. 2009, Eur J Cancer 45:228-247"
RULES: dict[RuleSet, SizeRule] = {
    "recist-1.1": SizeRule("RECIST 1.1", _RECIST, "acquired", 10.0, twice_thickness=True),
    "recist-1.1-node": SizeRule("RECIST 1.1, lymph node", _RECIST, "acquired", short_mm=15.0),
    "rano-2010": SizeRule(
        "RANO 2010",
        "Wen et al. 2010, J Clin Oncol 28:1963-1972",
        "axial",
        10.0,
        10.0,
        twice_thickness=True,
        slices=2,
        both_on_each=True,
    ),
    "rano-bm": SizeRule(
        "RANO-BM", "Lin et al. 2015, Lancet Oncol 16:e270-e278", "axial", 10.0, 5.0, slices=2
    ),
}
#: From this short axis on a node is pathological (RECIST 1.1).
NODE_PATHOLOGICAL_MM = 10.0


def node_category(short_mm: float) -> str:
    """RECIST 1.1's category of a lymph node by its short axis, mm.

    >>> node_category(15.0), node_category(9.99)
    ('target size (short axis of 15 mm or more)', 'normal (short axis under 10 mm)')
    """
    if short_mm >= RULES["recist-1.1-node"].short_mm:
        return "target size (short axis of 15 mm or more)"
    if short_mm >= NODE_PATHOLOGICAL_MM:
        return "pathological, non-target (short axis of 10 mm or more and under 15 mm)"
    return "normal (short axis under 10 mm)"
