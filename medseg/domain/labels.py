"""What label values mean: names, codes, colours, sides, and unions of labels."""

import colorsys
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from pydantic import ConfigDict

from medseg.domain.values import STRICT
from medseg.errors import LabelError

__all__ = [
    "LONGEST_NAME",
    "Code",
    "Color",
    "Label",
    "LabelTable",
    "Region",
    "Side",
    "plain_name",
    "side_in_name",
    "without_side",
]

Color: TypeAlias = tuple[int, int, int]
Side: TypeAlias = Literal["left", "right", "both", "unknown", "not applicable"]

#: A name of more letters is none: it would fill every table, page and terminal.
LONGEST_NAME = 1000
#: What is no letter of a name: controls and ends of lines, what turns the order of reading, halves of characters.
_NO_LETTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
#: A side as a word of its own.
_SIDE = re.compile(r"(?:^|(?<=[\s_,-]))\(?(left|right)\)?(?=$|[\s_,-])", re.IGNORECASE)


def plain_name(text: str) -> str:
    r"""A name as one line of letters: names come from files, and go into tables, pages and terminals.

    >>> plain_name("left\n lung\x1b[2J")
    'left  lung [2J'
    """
    return _NO_LETTERS.sub(" ", text)


def side_in_name(name: str) -> Literal["left", "right"] | None:
    """The side that a structure's name tells; None where it tells none, or both.

    >>> side_in_name("kidney_left"), side_in_name("Lung, right (upper)"), side_in_name("leftover")
    ('left', 'right', None)
    """
    named = {found.lower() for found in _SIDE.findall(name)}
    if named == {"left"}:
        return "left"
    return "right" if named == {"right"} else None


def without_side(name: str) -> str:
    """The name that both sides share; itself where it names a side alone.

    >>> without_side("kidney_left"), without_side("left")
    ('kidney', 'left')
    """
    return re.sub(r"[\s_,-]+", " ", _SIDE.sub("", name)).strip() or name


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept; `scheme` is a DICOM coding scheme designator such as `SCT` (SNOMED CT)."""

    value: str
    meaning: str
    scheme: str = "SCT"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Label:
    """One integer value of a label array.

    Parameters
    ----------
    value
        1 to 65535; 0 is background and never in a table.
    name
        Unique within a table, for people and column heads: one line of up to 1000 letters; what is no letter
        (`plain_name`) becomes a space.
    color
        RGB, 0 to 255; None picks a distinct one from the value.
    category, type, anatomic_region
        SNOMED CT codes as DICOM SEG wants them.
    side
        `unknown` says that the structure has a side and nobody knows which.
    is_part
        No structure of its own: a piece that arose when overlapping structures were taken apart, so that
        only the regions that it belongs to are measured and written.
    """

    value: int
    name: str
    color: Color | None = None
    category: Code | None = None
    type: Code | None = None
    anatomic_region: Code | None = None
    side: Side = "not applicable"
    is_part: bool = False
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", _checked(self.name, f"label {self.value}"))
        if not 1 <= self.value <= 65535:
            raise LabelError(f"label {self.name!r}: value must lie in 1 to 65535, not {self.value}")
        if self.color is not None and not all(0 <= part <= 255 for part in self.color):
            raise LabelError(f"label {self.name!r}: colour parts lie in 0 to 255, not {self.color}")

    @property
    def rgb(self) -> Color:
        """The colour given, or a distinct one derived from the value."""
        return self.color or distinct_color(self.value)


@dataclass(frozen=True, slots=True)
class Region:
    """A named union of labels; regions may overlap. Codes and side as of a Label."""

    name: str
    labels: tuple[int, ...]
    color: Color | None = None
    category: Code | None = None
    type: Code | None = None
    anatomic_region: Code | None = None
    side: Side = "not applicable"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", _checked(self.name, "a region"))
        if not self.labels or len(set(self.labels)) != len(self.labels):
            raise LabelError(f"region {self.name!r} needs labels, each once, not {self.labels}")


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Labels sorted by value, and regions over them; all names are unique."""

    labels: tuple[Label, ...]
    regions: tuple[Region, ...] = ()
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(sorted(self.labels, key=lambda label: label.value)))
        values = [label.value for label in self.labels]
        if twice := _twice(values):
            raise LabelError(f"label values occur twice: {twice}")
        names = [label.name for label in self.labels] + [region.name for region in self.regions]
        if twice := _twice(names):
            raise LabelError(f"names of labels and regions must differ, and these occur twice: {twice}")
        for region in self.regions:
            if missing := set(region.labels) - set(values):
                raise LabelError(
                    f"region {region.name!r} names labels {sorted(missing)} that the table lacks"
                )

    @property
    def values(self) -> tuple[int, ...]:
        """Label values in order."""
        return tuple(label.value for label in self.labels)

    @property
    def is_lateralised(self) -> bool:
        """Whether some label claims a side, so that mirroring axis 0 would make it wrong."""
        return any(label.side in ("left", "right") for label in self.labels)

    @property
    def names_sides(self) -> bool:
        """Whether the name of a label with no stated side tells one."""
        return any(
            label.side == "not applicable" and side_in_name(label.name) is not None for label in self.labels
        )

    def name_of(self, value: int) -> str:
        """Name of a label value; `label N` where the table has none."""
        return next((label.name for label in self.labels if label.value == value), f"label {value}")

    def completed(self, values: tuple[int, ...]) -> "LabelTable":
        """The table with `label N` for each of these values that it lacks; itself if it has them all."""
        missing = tuple(value for value in values if value not in self.values)
        if not missing:
            return self
        return LabelTable((*self.labels, *LabelTable.from_values(missing).labels), self.regions)

    @classmethod
    def from_values(cls, values: tuple[int, ...]) -> "LabelTable":
        """Table for bare values: `label 1`, `label 2` and so on."""
        return cls(tuple(Label(value, f"label {value}") for value in sorted(values) if value))


def _checked(name: str, what: str) -> str:
    if len(name) > LONGEST_NAME:
        raise LabelError(f"the name of {what} has {len(name)} letters; a name has up to {LONGEST_NAME}")
    plain = plain_name(name)
    if not plain.strip():
        raise LabelError(f"{what} has no name")
    return plain


def _twice(items: Sequence[int | str]) -> list[int | str]:
    """What occurs more than once; the first ten of it."""
    return [item for item, count in Counter(items).items() if count > 1][:10]


#: Told apart by people with any colour vision: Okabe and Ito 2008.
_FIRST: tuple[Color, ...] = (
    (240, 228, 66),
    (86, 180, 233),
    (230, 159, 0),
    (204, 121, 167),
    (0, 158, 115),
    (213, 94, 0),
)


def distinct_color(value: int) -> Color:
    """Colour for a label value without one, the same in every view: the first six for any colour vision.

    Further ones have hues by the golden ratio, so that neighbours differ.
    """
    if 1 <= value <= len(_FIRST):
        return _FIRST[value - 1]
    red, green, blue = colorsys.hsv_to_rgb((value * 0.618034) % 1.0, 0.75, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)
