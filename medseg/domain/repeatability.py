"""How far two scans of one patient differ although nothing changed: the error that a change is judged by."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from pydantic import ConfigDict

from medseg.domain.finding import Finding
from medseg.domain.measurement import Interval
from medseg.domain.quantity import Quantity
from medseg.domain.values import STRICT
from medseg.errors import InputError

__all__ = [
    "FEWEST_SUBJECTS",
    "REPEATABILITY_SCHEMA",
    "Disturbed",
    "Estimate",
    "Evidence",
    "PairedValue",
    "Recovered",
    "Repeatability",
    "RepeatabilityStudy",
    "Trend",
]

#: Name and version of the JSON.
REPEATABILITY_SCHEMA = "medseg.repeatability/1.0"
#: Of fewer subjects a study is preliminary (QIBA's number for a test–retest study).
FEWEST_SUBJECTS = 35

#: Two scans of a patient; or one scan disturbed, whose spread is a lower bound of what two scans would show.
Evidence: TypeAlias = Literal["test-retest", "self"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic with its interval, where it has one."""

    value: float
    interval: Interval | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise InputError(f"an estimate of {self.value} is not a number to report")


@dataclass(frozen=True, slots=True)
class Trend:
    """A test: the statistic with its name, and the probability of one as large if there were nothing."""

    name: str
    value: float
    p: float
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class PairedValue:
    """One structure measured twice; `subject` is a number within the study, as no name belongs into a model."""

    subject: int
    first: float
    second: float
    lesion: str | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Disturbed:
    """One structure on a scan that was disturbed without any change of the structure: how, and its volume then."""

    how: str
    target: str
    volume_ml: float
    probability_ml: float | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Recovered:
    """A known change that was put into a scan, and what of it came back.

    Parameters
    ----------
    kind, target
        What was done to an object of which structure.
    size_ml
        Of the object before the change; of a planted one, its volume.
    put_ml, found_ml
        True change of the structure's volume, and that which was measured.
    """

    kind: Literal["grown", "shrunk", "planted"]
    target: str
    size_ml: float
    put_ml: float
    found_ml: float
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    @property
    def share(self) -> float:
        """Part of the change that came back: 1 is all of it.

        >>> Recovered("grown", "node", 2.0, 0.5, 0.45).share
        0.9
        """
        return self.found_ml / self.put_ml


@dataclass(frozen=True, slots=True)
class Repeatability:
    """Repeatability of one quantity of one structure.

    Parameters
    ----------
    target, quantity, unit
        Name of the label or region, what was measured of it, and its unit (UCUM).
    subjects, pairs
        How many; more pairs than subjects are several lesions of one subject. Of one scan disturbed, which is one
        subject, how often it was measured.
    low, high
        Smallest and largest mean of a pair: of other sizes nothing is known.
    wsd
        Within-subject SD, √(Σd²/2n), in the unit.
    rc
        Repeatability coefficient, 1.96·√2·wSD: two scans of an unchanged patient differ by less in 95 %.
    wcv
        Within-subject CV, √(mean of d²/2m²), as a share; None where a mean is not positive.
    log_factor
        exp(1.96·√2·σ_w), with σ_w = √(Σ(ln first − ln second)²/2n): the same on the log scale, by which the second
        value is divided and multiplied; None where a value is not positive.
    icc
        ICC(2,1), which says how well subjects are told apart and is never the error; None where they do not differ.
    bias
        Mean of first − second, with its interval; `bias_test` says whether it is one.
    limits
        Bland and Altman's limits of agreement, bias ± 1.96 SD.
    growth
        Whether |d| grows with the mean (Spearman), in which case `scale` is `log`; None of fewer than four subjects.
    scale
        The scale whose no-change range is the headline.
    of_size
        Of a part of the study: means from, and up to (exclusive; None: no end).
    """

    target: str
    quantity: Quantity
    unit: str
    subjects: int
    pairs: int
    low: float
    high: float
    wsd: Estimate
    rc: Estimate
    wcv: Estimate | None = None
    log_factor: Estimate | None = None
    icc: Estimate | None = None
    bias: Estimate | None = None
    bias_test: Trend | None = None
    limits: tuple[float, float] | None = None
    growth: Trend | None = None
    scale: Literal["absolute", "log"] = "absolute"
    of_size: tuple[float, float | None] | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if self.scale == "log" and self.log_factor is None:
            raise InputError(f"{self.target}: the log scale is the headline and has no factor")

    @property
    def is_preliminary(self) -> bool:
        """Whether it rests on too few subjects to be relied on."""
        return self.subjects < FEWEST_SUBJECTS

    def no_change(self, value: float) -> tuple[float, float]:
        """Where a second value lies in 95 % if nothing changed since the first; in the unit, on the headline's scale.

        >>> rc = Estimate(0.5)
        >>> Repeatability("node", Quantity.VOLUME, "ml", 40, 40, 1.0, 3.0, Estimate(0.18), rc).no_change(2.0)
        (1.5, 2.5)
        """
        if self.scale == "log" and self.log_factor is not None:
            return value / self.log_factor.value, value * self.log_factor.value
        return value - self.rc.value, value + self.rc.value

    @property
    def no_change_percent(self) -> tuple[float, float] | None:
        """The range on the log scale in per cent of the first value, asymmetric; None without a factor.

        >>> few = Estimate(0.1)
        >>> item = Repeatability("node", Quantity.VOLUME, "ml", 40, 40, 1.0, 3.0, few, few, log_factor=Estimate(2.0))
        >>> item.no_change_percent
        (-50.0, 100.0)
        """
        if self.log_factor is None:
            return None
        factor = self.log_factor.value
        return 100 * (1 / factor - 1), 100 * (factor - 1)


@dataclass(frozen=True, slots=True)
class RepeatabilityStudy:
    """What was measured twice, and how far it differed: kept with a model, and given to a follow-up.

    Parameters
    ----------
    source
        What the pairs are: a file, a citation.
    evidence
        Two scans, or one scan disturbed: then every figure is a lower bound.
    items, by_size
        Per structure and quantity; and the same of parts by size.
    segmenter, weights_digest, parameters_digest
        What made the masks, where all of them were made alike; a change is judged by it alone if it was made so too.
    findings
        What a reader must know: pairs left out, masks that were made in unlike ways.
    disturbed, recovered
        Of one scan: every measurement of it disturbed, and every known change that was put into it.
    """

    source: str
    evidence: Evidence
    items: tuple[Repeatability, ...]
    by_size: tuple[Repeatability, ...] = ()
    values: tuple[tuple[str, Quantity, tuple[PairedValue, ...]], ...] = ()
    segmenter: str | None = None
    weights_digest: str | None = None
    parameters_digest: str | None = None
    findings: tuple[Finding, ...] = ()
    disturbed: tuple[Disturbed, ...] = ()
    recovered: tuple[Recovered, ...] = ()
    analysed_on: str | None = None
    schema: str = REPEATABILITY_SCHEMA
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def of(self, target: str, quantity: Quantity) -> Repeatability | None:
        """That of one quantity of one structure; None where it was not measured twice."""
        return next((item for item in self.items if (item.target, item.quantity) == (target, quantity)), None)

    def pairs_of(self, item: Repeatability) -> tuple[PairedValue, ...]:
        """The pairs behind one of `items`."""
        return next(
            (pairs for name, what, pairs in self.values if (name, what) == (item.target, item.quantity)), ()
        )
