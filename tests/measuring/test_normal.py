"""Volumes by the size of head and body: closed form, and only where that is given."""

import pytest

from medseg.domain import Measurement, Quantity, Status, Target
from medseg.domain.plan import NormalPlan
from medseg.errors import ConfigError, LabelError
from medseg.measuring import normalised
from medseg.measuring.normal import body_surface_m2

PART, HEAD = Target("label", "hippocampus", (1,)), Target("region", "brain", (1, 2))
OK, BOUND, LOST = Status.OK, Status.TRUNCATED_LOWER_BOUND, Status.TRUNCATED_UNRELIABLE
CUT = "it touches the border"


def volume(target: Target, value: float | None, status: Status = OK) -> Measurement:
    reason = None if status is OK else CUT
    return Measurement(target, Quantity.VOLUME, value, "ml", status, reason)


def rows(plan: NormalPlan, part: Measurement, head: Measurement | None = None) -> dict[Quantity, Measurement]:
    found = normalised([part] if head is None else [part, head], plan)
    return {item.quantity: item for item in found if item.target == part.target}


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (NormalPlan(), {}),
        (NormalPlan(icv_ml=1500.0), {Quantity.VOLUME_BY_ICV: (0.2, "%")}),
        (NormalPlan(intracranial="brain"), {Quantity.VOLUME_BY_ICV: (0.25, "%")}),
        (NormalPlan(height_m=2.0), {Quantity.VOLUME_BY_HEIGHT: (0.75, "ml/m2")}),
        (NormalPlan(weight_kg=70.0), {}),
        (
            NormalPlan(height_m=1.70, weight_kg=70.0),
            {
                Quantity.VOLUME_BY_HEIGHT: (3 / 2.89, "ml/m2"),
                Quantity.VOLUME_BY_SURFACE: (3 / (0.007184 * 70**0.425 * 170**0.725), "ml/m2"),
            },
        ),
    ],
)
def test_only_what_is_given_divides(plan: NormalPlan, expected: dict[Quantity, tuple[float, str]]) -> None:
    found = rows(plan, volume(PART, 3.0), volume(HEAD, 1200.0))
    assert {key: (pytest.approx(item.value), item.unit) for key, item in found.items()} == expected
    assert all(item.method and item.status is OK for item in found.values())


@pytest.mark.parametrize(
    ("height_m", "weight_kg", "surface"),
    # Du Bois and Du Bois 1916, by hand: 0.007184 × kg^0.425 × cm^0.725.
    [(1.70, 70.0, 1.8097), (1.0, 20.0, 0.7233), (1.80, 100.0, 2.1950)],
)
def test_body_surface_is_du_bois(height_m: float, weight_kg: float, surface: float) -> None:
    assert body_surface_m2(height_m, weight_kg) == pytest.approx(surface, abs=1e-4)


@pytest.mark.parametrize(
    ("part", "head", "status", "value"),
    [
        (OK, OK, OK, 0.25),
        (BOUND, OK, BOUND, 0.25),  # a larger part, the same head: can only be larger
        (OK, BOUND, LOST, 0.25),  # a larger head makes the share smaller
        (BOUND, BOUND, LOST, 0.25),
        (LOST, OK, LOST, 0.25),
    ],
)
def test_statuses_go_along(part: Status, head: Status, status: Status, value: float) -> None:
    plan = NormalPlan(intracranial="brain", height_m=2.0)
    found = rows(plan, volume(PART, 3.0, part), volume(HEAD, 1200.0, head))
    share = found[Quantity.VOLUME_BY_ICV]
    assert (share.value, share.status) == (pytest.approx(value), status)
    assert bool(share.reason) is (status is not OK)
    assert found[Quantity.VOLUME_BY_HEIGHT].status is part


@pytest.mark.parametrize(
    ("part", "head", "words"),
    [
        (volume(PART, None, Status.NOT_COMPUTED), volume(HEAD, 1200.0), CUT),
        (volume(PART, 3.0), volume(HEAD, None, Status.NOT_COMPUTED), f"brain is not known: {CUT}"),
        (volume(PART, 3.0), volume(HEAD, 0.0), "brain was looked for and not found"),
    ],
)
def test_without_a_volume_there_is_no_share(part: Measurement, head: Measurement, words: str) -> None:
    share = rows(NormalPlan(intracranial="brain"), part, head)[Quantity.VOLUME_BY_ICV]
    assert (share.value, share.status, share.reason) == (None, Status.NOT_COMPUTED, words)


def test_the_head_is_no_share_of_itself_and_lesions_have_none() -> None:
    lesion = volume(Target("lesion", "hippocampus", (1,), 1), 1.0)
    found = normalised([volume(PART, 3.0), volume(HEAD, 1200.0), lesion], NormalPlan(intracranial="brain"))
    assert [item.target for item in found] == [PART]


def test_a_label_that_is_not_there_and_sizes_that_are_none_are_refused() -> None:
    with pytest.raises(LabelError, match="no label or region is called 'skull'"):
        normalised([volume(PART, 3.0)], NormalPlan(intracranial="skull"))
    with pytest.raises(ConfigError, match="height_m lies between 0 and 3, not 170"):
        NormalPlan(height_m=170)
    with pytest.raises(ConfigError, match="not both"):
        NormalPlan("brain", 1200.0)
