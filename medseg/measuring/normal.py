"""Volumes divided by the size of the head or the body, as far as that is given."""

from collections.abc import Iterator, Sequence

from medseg.domain import Measurement, Quantity, Status, Target
from medseg.domain.plan import NormalPlan
from medseg.errors import LabelError

__all__ = ["body_surface_m2", "intracranial", "normalised"]

_CUT = (Status.TRUNCATED_LOWER_BOUND, Status.TRUNCATED_UNRELIABLE)


def normalised(measurements: Sequence[Measurement], plan: NormalPlan) -> tuple[Measurement, ...]:
    """Volumes of labels and regions in per cent of the intracranial volume, by height², by body surface.

    Parameters
    ----------
    measurements
        All that was measured; volumes among them are divided, their statuses and reasons go along.
    plan
        What they are divided by; what it lacks gives no rows.

    Notes
    -----
    Body surface: Du Bois and Du Bois, Arch Intern Med 17:863, 1916. A volume that is a lower bound over an
    intracranial volume that is one too has no known direction of error.

    Raises
    ------
    LabelError
        If the plan names an intracranial label that is not there.
    """
    volumes = [
        item
        for item in measurements
        if item.quantity is Quantity.VOLUME and item.target.kind in ("label", "region")
    ]
    head = intracranial(measurements, plan)
    return tuple(row for item in volumes for row in _rows(item, head, plan))


def intracranial(measurements: Sequence[Measurement], plan: NormalPlan) -> Measurement | None:
    """The intracranial volume: of the label that the plan names, or as given; None without either.

    Raises
    ------
    LabelError
        If no label or region has the name.
    """
    if plan.icv_ml is not None:
        given = Target("region", "intracranial volume", ())
        return Measurement(given, Quantity.VOLUME, plan.icv_ml, "ml", method="as given")
    if not plan.intracranial:
        return None
    for item in measurements:
        same = item.target.name == plan.intracranial and item.target.kind in ("label", "region")
        if same and item.quantity is Quantity.VOLUME:
            return item
    raise LabelError(
        f"no label or region is called {plan.intracranial!r}, so there is no intracranial volume; give --icv in ml"
    )


def body_surface_m2(height_m: float, weight_kg: float) -> float:
    """Body surface in m² by Du Bois and Du Bois 1916: 0.007184 × kg^0.425 × cm^0.725.

    >>> round(body_surface_m2(1.70, 70), 4)
    1.8097
    """
    return float(0.007184 * weight_kg**0.425 * (100 * height_m) ** 0.725)


def _rows(item: Measurement, head: Measurement | None, plan: NormalPlan) -> Iterator[Measurement]:
    if head is not None and head.target != item.target:
        yield _by_head(item, head)
    if plan.height_m is None:
        return
    height = f"{plan.height_m:g} m"
    yield _divided(item, Quantity.VOLUME_BY_HEIGHT, plan.height_m**2, f"volume / height², height {height}")
    if plan.weight_kg is not None:
        surface = body_surface_m2(plan.height_m, plan.weight_kg)
        method = (
            f"volume / body surface of {surface:.4f} m² from {height} and {plan.weight_kg:g} kg "
            "(Du Bois and Du Bois, Arch Intern Med 17:863, 1916)"
        )
        yield _divided(item, Quantity.VOLUME_BY_SURFACE, surface, method)


def _by_head(item: Measurement, head: Measurement) -> Measurement:
    quantity = Quantity.VOLUME_BY_ICV
    name = head.target.name
    if not head.value:
        why = "was looked for and not found" if head.value == 0 else f"is not known: {head.reason}"
        return _refused(item, quantity, f"{name} {why}")
    told = "as given" if head.method == "as given" else f"of {name}"
    method = f"volume / intracranial volume × 100; the latter {head.value:.6g} ml, {told}"
    found = _divided(item, quantity, head.value / 100, method)
    if head.status not in _CUT or found.value is None:
        return found
    reason = f"{name} is cut: {head.reason}"
    return Measurement(item.target, quantity, found.value, "%", Status.TRUNCATED_UNRELIABLE, reason, method)


def _divided(item: Measurement, quantity: Quantity, by: float, method: str) -> Measurement:
    if item.value is None:
        return _refused(item, quantity, str(item.reason))
    unit = quantity.info.unit
    return Measurement(item.target, quantity, item.value / by, unit, item.status, item.reason, method)


def _refused(item: Measurement, quantity: Quantity, reason: str) -> Measurement:
    return Measurement(item.target, quantity, None, quantity.info.unit, Status.NOT_COMPUTED, reason)
