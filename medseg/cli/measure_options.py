"""Options of `medseg measure` for lesions, PET and tissue: their wording, and the plan they make."""

from pathlib import Path
from typing import Annotated, get_args

import typer

from medseg.domain.plan import LesionPlan, NormalPlan, PetPlan, ReferencePlan, RuleSet, TissuePlan
from medseg.domain.reference import Person
from medseg.errors import ConfigError
from medseg.io.referencetables import read_reference_table

_LESIONS, _PET, _TISSUE, _USUAL = "Lesions", "PET", "CT tissue", "Reference values"

Lesions = Annotated[
    list[str] | None,
    typer.Option(
        "--lesions",
        metavar="NAME",
        help="Split this label or region into lesions ('all': every label); repeat for more.",
        rich_help_panel=_LESIONS,
    ),
]
Rule = Annotated[
    str | None,
    typer.Option(
        help="Size criterion: recist-1.1, recist-1.1-node, rano-2010, rano-bm.", rich_help_panel=_LESIONS
    ),
]
Connectivity = Annotated[
    int,
    typer.Option(
        help="Voxels of one lesion share a face (6), edge (18) or corner (26).", rich_help_panel=_LESIONS
    ),
]
MinimumSize = Annotated[
    float,
    typer.Option("--min-lesion-mm3", help="Smaller components are no lesions.", rich_help_panel=_LESIONS),
]
Split = Annotated[
    float | None,
    typer.Option(
        "--split-mm",
        help="Split touching lesions at necks at least this much thinner.",
        rich_help_panel=_LESIONS,
    ),
]
Delineations = Annotated[
    list[str] | None,
    typer.Option(
        "--pet",
        metavar="NAME",
        help="Measure the PET channel by this delineation: given, fixed-2.5, fixed-4.0, 41%, 50%, percist; repeat.",
        rich_help_panel=_PET,
    ),
]
PetChannel = Annotated[
    str | None, typer.Option(help="Name of the PET channel, if it is not the only one.", rich_help_panel=_PET)
]
Liver = Annotated[str | None, typer.Option(help="Label of the liver, for percist.", rich_help_panel=_PET)]
Aorta = Annotated[
    str | None,
    typer.Option(help="Label of the aorta, for percist with a diseased liver.", rich_help_panel=_PET),
]
Sex = Annotated[
    str | None, typer.Option(help="male or female: lean body mass, reference values.", rich_help_panel=_PET)
]
LeanMass = Annotated[
    str, typer.Option(help="Lean body mass by janmahasatian or james.", rich_help_panel=_PET)
]
Height = Annotated[
    float | None,
    typer.Option("--height-m", help="Body height in m: lean body mass, tissue indexes, --normalise."),
]
Weight = Annotated[
    float | None,
    typer.Option("--weight-kg", help="Body weight in kg: lean body mass, body surface, --normalise."),
]
Tissue = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Look for CT tissue by ranges inside this label or region.",
        rich_help_panel=_TISSUE,
    ),
]
Presets = Annotated[
    list[str] | None,
    typer.Option("--preset", help="Which tissues; default all that suit; repeat.", rich_help_panel=_TISSUE),
]
Levels = Annotated[
    list[str] | None,
    typer.Option(
        "--level",
        help="A label (its middle slice) or k=57; two give the slab between them. Never guessed.",
        rich_help_panel=_TISSUE,
    ),
]
CtChannel = Annotated[
    str | None,
    typer.Option(help="Name of the CT channel, if it is not the only one.", rich_help_panel=_TISSUE),
]
Values = Annotated[
    list[str] | None,
    typer.Option(
        "--values",
        metavar="[CHANNEL=]KIND",
        help="What the values are where the file does not say (NIfTI): HU, SUVbw, MR.",
    ),
]
Reference = Annotated[
    Path | None,
    typer.Option(
        help="Your table of reference values (CSV or YAML): the record says where each value lies among them.",
        rich_help_panel=_USUAL,
    ),
]
Age = Annotated[float | None, typer.Option(help="Age in years at the scan.", rich_help_panel=_USUAL)]
Intracranial = Annotated[
    str | None,
    typer.Option(
        "--icv",
        metavar="LABEL|ML",
        help="Also give volumes in % of the intracranial volume: a label or region, or a number of ml.",
        rich_help_panel=_USUAL,
    ),
]
Normalise = Annotated[
    bool,
    typer.Option(
        "--normalise",
        help="Also divide volumes by height² (--height-m) and by body surface (with --weight-kg).",
        rich_help_panel=_USUAL,
    ),
]


def value_kinds(items: list[str] | None) -> dict[str, str]:
    """Channel → kind of values; `*` stands for the only channel."""
    found: dict[str, str] = {}
    for item in items or []:
        name, sign, kind = item.rpartition("=")
        channel = name if sign else "*"
        if found.setdefault(channel, kind) != kind:
            raise ConfigError(f"--values says {found[channel]} and {kind} of one channel")
    return found


def lesion_plan(
    names: list[str] | None, *, rule: str | None, connectivity: int, minimum: float, split: float | None
) -> LesionPlan | None:
    """Plan of lesions, or None when none were asked for."""
    if not names:
        if rule is not None or split is not None or minimum:
            raise ConfigError("options for lesions need --lesions NAME (or --lesions all)")
        return None
    if rule is not None and rule not in get_args(RuleSet):
        raise ConfigError(f"--rule is one of {', '.join(get_args(RuleSet))}; not {rule!r}")
    chosen = () if names == ["all"] else tuple(names)
    return LesionPlan(chosen, connectivity, minimum, split, rule)  # type: ignore[arg-type]


def pet_plan(
    delineations: list[str] | None,
    channel: str | None,
    *,
    references: tuple[str | None, str | None],
    body: tuple[str | None, float | None, float | None],
    lean_mass: str,
) -> PetPlan | None:
    """Plan of the PET channel; `references` are liver and aorta, `body` is sex, height, weight."""
    if not delineations:
        return None
    sex, height_m, weight_kg = body
    if sex not in (None, "male", "female"):
        raise ConfigError(f"--sex is male or female, not {sex!r}")
    if lean_mass not in ("janmahasatian", "james"):
        raise ConfigError(f"--lean-mass is janmahasatian or james, not {lean_mass!r}")
    return PetPlan(
        channel or "",
        tuple(delineations),
        liver=references[0],
        aorta=references[1],
        sex=sex,  # type: ignore[arg-type]
        height_m=height_m,
        weight_kg=weight_kg,
        lean_mass=lean_mass,  # type: ignore[arg-type]
    )


def tissue_plan(
    compartments: list[str] | None,
    channel: str | None,
    *,
    presets: list[str] | None,
    levels: list[str] | None,
    body: tuple[float | None, float | None],
) -> TissuePlan | None:
    """Plan of CT tissue; `body` is height and weight."""
    if not compartments:
        if presets or levels:
            raise ConfigError("options for tissue need --tissue NAME, the label or region to look inside")
        return None
    if len(compartments) > 1:
        raise ConfigError(
            f"--tissue takes one label or region, not {len(compartments)}; join them to a region in --labels FILE"
        )
    return TissuePlan(channel or "", compartments[0], tuple(presets or ()), tuple(levels or ()), *body)


def normal_plan(
    icv: str | None, *, normalise: bool, body: tuple[float | None, float | None]
) -> NormalPlan | None:
    """Plan of what volumes are divided by; `body` is height and weight."""
    height_m, weight_kg = body if normalise else (None, None)
    if normalise and height_m is None:
        raise ConfigError(
            "--normalise divides by height²: give --height-m (and --weight-kg for the body surface)"
        )
    if icv is None and not normalise:
        return None
    given = _as_number(icv)
    label = icv if icv is not None and given is None else ""
    return NormalPlan(label, given, height_m, weight_kg)


def reference_plan(
    table: Path | None,
    age: float | None,
    sex: str | None,
    *,
    icv: str | None,
    body: tuple[float | None, float | None],
) -> ReferencePlan | None:
    """Reference values and the person; `body` is height and weight."""
    if sex not in (None, "male", "female"):
        raise ConfigError(f"--sex is male or female, not {sex!r}")
    if table is None:
        if age is not None:
            raise ConfigError("--age is for reference values: give them with --reference FILE")
        return None
    person = Person(age, sex, _as_number(icv), *body)  # type: ignore[arg-type]
    return ReferencePlan(read_reference_table(table), person)


def _as_number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
