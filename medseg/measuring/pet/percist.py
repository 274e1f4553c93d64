"""The PERCIST-derived threshold: lean body mass, and a reference region in liver or aorta."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medseg.definitions.uptake import PercistThreshold
from medseg.domain import Image, Segmentation
from medseg.domain.plan import PetPlan
from medseg.errors import InputError
from medseg.masks.fractions import fractions
from medseg.measuring.pet.peak import sphere_by_centres

__all__ = ["Percist", "lean_body_mass_kg", "percist"]

LIVER_RADIUS_MM = 15.0
#: The aorta's region holds at least this much: a cylinder of 1 cm by 2 cm, as PERCIST takes it, is 1.57 ml.
AORTA_ML = 1.5
_WHOLE = 0.999


@dataclass(frozen=True, slots=True)
class Percist:
    """The threshold in the image's unit, and how it was had."""

    rule: PercistThreshold
    text: str


def lean_body_mass_kg(
    weight_kg: float,
    height_m: float,
    sex: Literal["male", "female"],
    formula: Literal["janmahasatian", "james"] = "janmahasatian",
) -> float:
    """Lean body mass in kg.

    Janmahasatian et al. 2005 (Clin Pharmacokinet 44, 1051): 9270 W / (6680 + 216 BMI) for men,
    9270 W / (8780 + 244 BMI) for women. James 1976 (with the factor 128 for men): 1.10 W − 128 (W / H)² and
    1.07 W − 148 (W / H)², H in cm, which falls again and becomes negative in the very heavy.

    Raises
    ------
    InputError
        If weight or height is not positive, or the formula gives no positive mass.

    Examples
    --------
    >>> round(lean_body_mass_kg(70, 1.75, "male"), 2)
    55.86
    """
    if weight_kg <= 0 or height_m <= 0:
        raise InputError(
            f"lean body mass needs a weight and a height, not {weight_kg:g} kg and {height_m:g} m"
        )
    if formula == "janmahasatian":
        base, slope = (6680, 216) if sex == "male" else (8780, 244)
        return 9270 * weight_kg / (base + slope * weight_kg / height_m**2)
    straight, bent = (1.10, 128) if sex == "male" else (1.07, 148)
    mass = straight * weight_kg - bent * (weight_kg / (100 * height_m)) ** 2
    if mass <= 0:
        raise InputError(f"James' formula gives no lean body mass at {weight_kg:g} kg and {height_m:g} m")
    return mass


def percist(segmentation: Segmentation, image: Image, plan: PetPlan) -> Percist:
    """Threshold from the reference region that the plan names, on native PET voxels.

    Lean body mass turns SUVbw into SUL by one factor, so it changes the threshold's number and not the
    voxels that reach it; both numbers are told.

    Raises
    ------
    InputError
        If an input is missing or the region too small; it is named.
    """
    scale, lean = _to_sul(image, plan)
    region, words = _reference(segmentation, image, plan)
    values = image.array[region].astype(np.float64)
    mean, sd = float(values.mean()), float(values.std())
    rule = PercistThreshold(mean, sd, "aorta" if plan.aorta else "liver")
    text = (
        f"PERCIST-derived threshold {rule.value:.4g} {image.value_unit} (SUL {rule.value * scale:.4g}) = "
        f"{2.0 if plan.aorta else 1.5} × mean {mean:.4g} + 2 × SD {sd:.4g} (ddof 0, {values.size} voxels) "
        f"of {words}; {lean}; Wahl 2009"
    )
    return Percist(rule, text)


def _to_sul(image: Image, plan: PetPlan) -> tuple[float, str]:
    """Factor from the image's unit to SUL, and a phrase on it."""
    if "SUVlbm" in image.value_unit:
        return 1.0, "values are SUL as stored"
    if "SUVbw" not in image.value_unit:
        raise InputError(f"PERCIST needs SUV by body weight or by lean body mass, not {image.value_unit}")
    stated = image.source.detail("pet_patient_weight_kg") if image.source is not None else None
    weight = plan.weight_kg if plan.weight_kg is not None else stated
    needed = {"sex": plan.sex, "height": plan.height_m, "weight": weight}
    missing = [name for name, value in needed.items() if value is None]
    if missing or plan.sex is None or plan.height_m is None or not isinstance(weight, int | float):
        raise InputError(
            f"PERCIST needs lean body mass: give the patient's {' and '.join(missing)} "
            "(--sex, --height-m, --weight-kg)"
        )
    mass = lean_body_mass_kg(float(weight), plan.height_m, plan.sex, plan.lean_mass)
    origin = "given" if plan.weight_kg is not None else "from the DICOM header"
    text = (
        f"lean body mass {mass:.4g} kg ({plan.lean_mass.capitalize()}) from {plan.sex}, {plan.height_m:g} m given, "
        f"{weight:g} kg {origin}"
    )
    return mass / float(weight), text


def _reference(segmentation: Segmentation, image: Image, plan: PetPlan) -> tuple[Any, str]:
    """Voxels of the reference region as an index into the image, and what they are."""
    if plan.liver and plan.aorta:
        raise InputError(
            "PERCIST takes the liver, or the aorta where the liver is diseased: name one of them"
        )
    name = plan.liver or plan.aorta
    if not name:
        raise InputError("PERCIST needs a reference region: name the label of the liver (or of the aorta)")
    shares, box = fractions(_mask_named(segmentation, name), segmentation.grid, image.grid)
    if not shares.size:
        raise InputError(f"PERCIST needs a reference region, and {name!r} has no voxel on the PET")
    shares = np.where(_measured(image)[box], shares, 0)
    if plan.aorta:
        return _aorta(shares, box, image, name)
    return _liver(shares, box, image, name)


def _mask_named(segmentation: Segmentation, name: str) -> NDArray[np.bool_]:
    table = segmentation.table
    known: dict[str, tuple[int, ...]] = {label.name: (label.value,) for label in table.labels}
    known |= {region.name: region.labels for region in table.regions}
    if name not in known:
        raise InputError(
            f"PERCIST needs {name!r}, which is no label or region of the mask ({', '.join(known)})"
        )
    return segmentation.mask(*known[name])


def _measured(image: Image) -> NDArray[np.bool_]:
    known: NDArray[np.bool_] = np.isfinite(image.array)
    return known if image.outside is None else known & ~image.outside


def _liver(shares: NDArray[Any], box: Any, image: Image, name: str) -> tuple[Any, str]:
    """The sphere of 3 cm around the voxel that lies deepest in the label."""
    from scipy.ndimage import distance_transform_edt

    if image.grid.is_sheared:
        raise InputError("PERCIST's sphere needs a PET without tilt; read it with --resample")
    depth = distance_transform_edt(np.pad(shares >= 0.5, 1), sampling=image.grid.spacing)[1:-1, 1:-1, 1:-1]
    if depth.max() <= LIVER_RADIUS_MM:
        raise InputError(
            f"PERCIST needs a sphere of 3 cm inside the liver, and {name!r} holds one of "
            f"{2 * float(depth.max()) / 10:.1f} cm at most"
        )
    deepest = np.array(np.unravel_index(int(depth.argmax()), depth.shape))
    offsets = sphere_by_centres(image.grid, LIVER_RADIUS_MM).offsets
    index = deepest + offsets + np.array([part.start for part in box])
    return tuple(index.T), f"a sphere of 3 cm where {name!r} is deepest"


def _aorta(shares: NDArray[Any], box: Any, image: Image, name: str) -> tuple[Any, str]:
    """The voxels that lie wholly in the label."""
    inner = np.argwhere(shares >= _WHOLE) + np.array([part.start for part in box])
    volume = len(inner) * image.grid.voxel_volume / 1000
    if volume < AORTA_ML:
        raise InputError(
            f"PERCIST needs {AORTA_ML} ml of blood wholly inside the aorta, and {name!r} holds {volume:.2f} ml"
        )
    return tuple(inner.T), f"the voxels wholly inside {name!r} ({volume:.2f} ml)"
