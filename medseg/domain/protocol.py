"""How a study asks for scans to be taken, and which scan was."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from medseg.domain.values import Scalar
from medseg.errors import ConfigError

__all__ = ["Fact", "ProtocolRow", "ProtocolRule", "StudyProtocol"]

#: A value that a header states, and the tag (or the grid) that it stands in.
Fact: TypeAlias = tuple[Scalar, str]
#: Numbers in headers are decimal strings: nearer than this share they are the same.
_SAME = 1e-6


@dataclass(frozen=True, slots=True)
class ProtocolRule:
    """What one fact may be.

    Parameters
    ----------
    name
        Of the fact, such as `slice_thickness_mm`.
    least, most
        Ends of a range, both included; None: no end.
    one_of
        Values that it may have; words are compared without regard to case.
    contains
        Words of which one must stand in it.
    """

    name: str
    least: float | None = None
    most: float | None = None
    one_of: tuple[Scalar, ...] = ()
    contains: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.least is None and self.most is None and not self.one_of and not self.contains:
            raise ConfigError(
                f"protocol: {self.name} asks for nothing; give a value, a list, min, max or contains"
            )
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ConfigError(
                f"protocol: {self.name} lies between {self.least:g} and {self.most:g}, where nothing lies"
            )

    @property
    def wanted(self) -> str:
        """The rule in words.

        >>> ProtocolRule("kvp", 100, 140).wanted
        '100 to 140'
        """
        parts = []
        if self.least is not None and self.most is not None:
            parts.append(f"{self.least:g} to {self.most:g}")
        elif self.most is not None:
            parts.append(f"at most {self.most:g}")
        elif self.least is not None:
            parts.append(f"at least {self.least:g}")
        if self.one_of:
            parts.append(" or ".join(str(value) for value in self.one_of))
        if self.contains:
            parts.append(f"with {' or '.join(repr(word) for word in self.contains)}")
        return ", ".join(parts)

    def holds(self, value: Scalar) -> bool:
        """Whether a value is as asked; a word is none of a range, and None nothing at all."""
        if value is None:
            return False
        if self.least is not None or self.most is not None:
            number = _number(value)
            if number is None or (self.least is not None and number < self.least * (1 - _SAME)):
                return False
            if self.most is not None and number > self.most * (1 + _SAME):
                return False
        if self.one_of and not any(_same(value, wanted) for wanted in self.one_of):
            return False
        return not self.contains or any(word.lower() in str(value).lower() for word in self.contains)


@dataclass(frozen=True, slots=True, eq=False)
class StudyProtocol:
    """Rules for every image, and for those of a channel or modality.

    Parameters
    ----------
    every
        For each image.
    by_channel
        Channel's name or modality (in any letters) → its rules.
    """

    every: tuple[ProtocolRule, ...]
    by_channel: Mapping[str, tuple[ProtocolRule, ...]]

    def rules_of(self, channel: str, modality: str | None) -> tuple[ProtocolRule, ...]:
        """Those about an image: by its channel's name, else by its modality, after those of every image."""
        own = {name.lower(): rules for name, rules in self.by_channel.items()}
        found = own.get(channel.lower(), own.get((modality or "").lower(), ()))
        return (*self.every, *found)


@dataclass(frozen=True, slots=True)
class ProtocolRow:
    """One rule on one image: what was asked for, what stands there and where, and whether it holds."""

    case: str
    channel: str
    name: str
    wanted: str
    found: Scalar
    where: str
    state: Literal["pass", "fail", "not stated", "not read"]


def _number(value: Scalar) -> float | None:
    try:
        return float(value) if value is not None and not isinstance(value, bool) else None
    except ValueError:
        return None


def _same(value: Scalar, wanted: Scalar) -> bool:
    one, other = _number(value), _number(wanted)
    if one is not None and other is not None:
        return abs(one - other) <= _SAME * max(abs(one), abs(other))
    return str(value).strip().lower() == str(wanted).strip().lower()
