"""Reference values that a user brings: a table of what is usual, by age, sex and size of the body. None is shipped."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import ClassVar, Literal, TypeAlias

from pydantic import ConfigDict

from medseg.domain.quantity import Quantity
from medseg.domain.values import STRICT
from medseg.errors import ConfigError

__all__ = ["RANGES", "Limits", "Person", "ReferenceRow", "ReferenceTable", "Sex", "one_group"]

Sex: TypeAlias = Literal["male", "female"]
#: What a group is limited by, beside sex → its unit in words.
RANGES = {"age": "years", "icv_ml": "ml intracranial", "height_m": "m", "weight_kg": "kg"}


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of whom a value is compared; None is not known.

    Parameters
    ----------
    age
        Years at the time of the scan.
    icv_ml
        Intracranial volume.
    """

    age: float | None = None
    sex: Sex | None = None
    icv_ml: float | None = None
    height_m: float | None = None
    weight_kg: float | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if self.sex not in (None, "male", "female"):
            raise ConfigError(f"sex is male or female, not {self.sex!r}")
        for name, most in (("age", 130), ("icv_ml", 10_000), ("height_m", 3), ("weight_kg", 1000)):
            value = getattr(self, name)
            if value is not None and not 0 < value < most:
                raise ConfigError(f"{name} lies between 0 and {most}, not {value}")


@dataclass(frozen=True, slots=True)
class Limits:
    """A range that a row is for: from `low` up to, and without, `high`."""

    low: float
    high: float
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ConfigError(f"a range runs from low to high, not from {self.low:g} to {self.high:g}")

    def holds(self, value: float) -> bool:
        """Whether a value lies in it."""
        return self.low <= value < self.high

    def meets(self, other: "Limits | None") -> bool:
        """Whether some value lies in both; no range holds all values."""
        return other is None or (self.low < other.high and other.low < self.high)


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """What is usual in one group: percentiles, or the two ends of a range, or mean and SD of a normal distribution.

    Parameters
    ----------
    structure, quantity, unit
        Of what; the unit is the Measurement's (UCUM).
    source
        Who published it: a citation.
    detail
        Of a tissue its level, of a PET its delineation, as the Measurement has it.
    sex, age, icv_ml, height_m, weight_kg
        The group; None is everybody. Age in years.
    n
        Number of persons in it.
    percentiles
        (percentile, value), both rising.
    low, high
        Ends of a range; no percentile is known then.
    mean, sd
        Percentiles from 2.5 to 97.5 follow, as of a normal distribution.
    """

    structure: str
    quantity: Quantity
    unit: str
    source: str
    detail: str | None = None
    sex: Sex | None = None
    age: Limits | None = None
    icv_ml: Limits | None = None
    height_m: Limits | None = None
    weight_kg: Limits | None = None
    n: int | None = None
    percentiles: tuple[tuple[float, float], ...] = ()
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    sd: float | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        for name in ("structure", "source"):
            if not getattr(self, name).strip():
                raise ConfigError(f"a row of reference values needs a {name}")
        if self.unit.startswith("[arb'U]"):
            raise ConfigError(
                "values in [arb'U] are not comparable between scans, so nothing is usual in them"
            )
        if self.n is not None and self.n < 1:
            raise ConfigError(f"a group has one person or more, not {self.n}")
        _require_one_form(self)

    def differs_from(self, other: "ReferenceRow") -> bool:
        """Whether two rows are of different groups, so that a person is never in both."""
        if self.sex is not None and other.sex is not None and self.sex != other.sex:
            return True
        ranges = [(getattr(self, name), getattr(other, name)) for name in RANGES]
        return any(one is not None and not one.meets(two) for one, two in ranges)

    @property
    def subject(self) -> tuple[str, Quantity, str | None]:
        """Of what it tells what is usual."""
        return self.structure.casefold(), self.quantity, self.detail


@dataclass(frozen=True, slots=True)
class ReferenceTable:
    """Rows of reference values, no two for one person and quantity.

    Parameters
    ----------
    name
        Of its file.
    segmenter, version
        What made the masks that it was measured on; empty where it does not say.
    """

    name: str
    rows: tuple[ReferenceRow, ...]
    segmenter: str = ""
    version: str = ""
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        by_subject: dict[tuple[str, Quantity, str | None], list[ReferenceRow]] = {}
        for row in self.rows:
            by_subject.setdefault(row.subject, []).append(row)
        for rows in by_subject.values():
            for one, two in combinations(rows, 2):
                if not one.differs_from(two):
                    raise ConfigError(
                        f"two rows for {one.structure} {one.quantity.value} hold the same persons "
                        f"({', '.join(one_group(one)) or 'everybody'}; {', '.join(one_group(two)) or 'everybody'})"
                    )

    def about(self, names: Collection[str]) -> "ReferenceTable":
        """The rows about structures of these names, and those about tissues."""
        known = {name.casefold() for name in names}
        rows = tuple(
            row for row in self.rows if row.subject[0] in known or row.quantity.info.kind == "tissue"
        )
        return replace(self, rows=rows)


def one_group(row: ReferenceRow) -> Iterator[str]:
    """Whom a row is about, in words.

    >>> list(one_group(ReferenceRow("a", Quantity.VOLUME, "ml", "b", sex="female", age=Limits(60, 70), low=1, n=12)))
    ['female', '60 to 70 years', 'n = 12']
    """
    if row.sex is not None:
        yield row.sex
    for name, unit in RANGES.items():
        limits = getattr(row, name)
        if limits is not None:
            yield f"{limits.low:g} to {limits.high:g} {unit}"
    if row.n is not None:
        yield f"n = {row.n}"


def _require_one_form(row: ReferenceRow) -> None:
    """Percentiles, a range, or mean and SD: one of them, whole."""
    of_range = row.low is not None or row.high is not None
    of_normal = row.mean is not None or row.sd is not None
    what = f"{row.structure} {row.quantity.value}"
    if bool(row.percentiles) + of_range + of_normal != 1:
        raise ConfigError(f"{what}: give percentiles, or low and high, or mean and sd: one of them")
    if of_normal and (row.mean is None or row.sd is None or not row.sd > 0):
        raise ConfigError(f"{what}: mean and a positive sd belong together")
    if row.low is not None and row.high is not None and not row.low < row.high:
        raise ConfigError(f"{what}: low lies below high, not {row.low:g} and {row.high:g}")
    if len(row.percentiles) == 1:
        raise ConfigError(f"{what}: one percentile tells nothing about others; give two or more")
    for (one, small), (two, large) in pairwise(row.percentiles):
        if not (0 < one < two < 100 and small < large):
            raise ConfigError(f"{what}: percentiles lie between 0 and 100 and rise with their values")
