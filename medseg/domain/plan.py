"""What to measure beside every label and region: lesions by a rule set, PET delineations, tissue."""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from pydantic import ConfigDict

from medseg.domain.reference import Person, ReferenceTable
from medseg.domain.values import STRICT
from medseg.errors import ConfigError

__all__ = [
    "LesionPlan",
    "MeasurePlan",
    "NormalPlan",
    "PetPlan",
    "ReferencePlan",
    "RuleSet",
    "TissuePlan",
]

RuleSet: TypeAlias = Literal["recist-1.1", "recist-1.1-node", "rano-2010", "rano-bm"]


@dataclass(frozen=True, slots=True)
class LesionPlan:
    """How labels become lesions.

    Parameters
    ----------
    names
        Labels or regions to look into; none given means every label.
    connectivity
        Voxels that share a face (6), an edge (18) or a corner (26) are one lesion.
    minimum_mm3
        Smaller components are no lesions; mm³ (px³ on `px` grids).
    split_mm
        Split touching lesions whose inscribed radii exceed that of the neck between them by at least this
        much; None keeps them together.
    rule
        Named rule set of the size criterion; None gives axes without a criterion.
    """

    names: tuple[str, ...] = ()
    connectivity: Literal[6, 18, 26] = 26
    minimum_mm3: float = 0.0
    split_mm: float | None = None
    rule: RuleSet | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if self.connectivity not in (6, 18, 26):
            raise ConfigError(f"connectivity is 6, 18 or 26, not {self.connectivity}")
        if not self.minimum_mm3 >= 0:
            raise ConfigError(f"the minimum size is 0 mm³ or more, not {self.minimum_mm3}")
        if self.split_mm is not None and not self.split_mm > 0:
            raise ConfigError(f"the depth of a neck that splits is positive, not {self.split_mm} mm")


@dataclass(frozen=True, slots=True)
class PetPlan:
    """How a PET channel is measured.

    Parameters
    ----------
    channel
        Name of the PET channel; its unit must be an SUV. Empty: the only channel with such a unit.
    delineations
        `given` (the mask as it is), `fixed-2.5`, `fixed-4.0`, `41%`, `50%` (of SUVmax), `percist`.
    liver, aorta
        Name of the label with the reference region of PERCIST; the aorta where the liver is diseased.
    sex, height_m, weight_kg
        For lean body mass, which PERCIST needs.
    lean_mass
        Formula of lean body mass.
    """

    channel: str = ""
    delineations: tuple[str, ...] = ("given", "41%")
    liver: str | None = None
    aorta: str | None = None
    sex: Literal["male", "female"] | None = None
    height_m: float | None = None
    weight_kg: float | None = None
    lean_mass: Literal["janmahasatian", "james"] = "janmahasatian"
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class TissuePlan:
    """Which tissues to look for in which compartment of a CT.

    Parameters
    ----------
    channel
        Name of the CT channel, in HU; empty: the only channel in HU.
    compartment
        Label or region to look inside; a range without one is only "fat-range area".
    presets
        Names of tissues in the versioned table; none given means all that fit the compartment.
    levels
        Label (such as a vertebra) whose middle slice, or pair of labels between whose middle slices, is
        measured; a slice position along the slicing axis is given as `k=57`. None measures every slice.
    height_m, weight_kg
        Give indexes by height² and by body surface.
    """

    channel: str = ""
    compartment: str = ""
    presets: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    height_m: float | None = None
    weight_kg: float | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class NormalPlan:
    """By what volumes are divided.

    Parameters
    ----------
    intracranial
        Label or region whose volume is the intracranial one; empty: `icv_ml`, or none.
    icv_ml, height_m, weight_kg
        Give volumes in per cent of the intracranial volume, by height², and by body surface.
    """

    intracranial: str = ""
    icv_ml: float | None = None
    height_m: float | None = None
    weight_kg: float | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        Person(icv_ml=self.icv_ml, height_m=self.height_m, weight_kg=self.weight_kg)
        if self.intracranial and self.icv_ml is not None:
            raise ConfigError("the intracranial volume is that of a label, or given in ml; not both")


@dataclass(frozen=True, slots=True)
class ReferencePlan:
    """Reference values, and the person whose values are placed among them."""

    table: ReferenceTable
    person: Person
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class MeasurePlan:
    """What is measured beside every label and region; None leaves a part out."""

    lesions: LesionPlan | None = None
    pet: PetPlan | None = None
    tissue: TissuePlan | None = None
    normal: NormalPlan | None = None
    reference: ReferencePlan | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
