"""NIfTI forms and units: one table of what a header may say and what is made of it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medseg.domain import ReadOptions
from medseg.errors import InputError
from medseg.io import inspect, read

Nifti = Callable[..., Path]


def affine(*spacing: float, origin: tuple[float, ...] = (1, 2, 3), tilt_degrees: float = 0.0) -> np.ndarray:
    angle = np.deg2rad(tilt_degrees)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    result = np.eye(4)
    result[:3, :3] = turn * spacing
    result[:3, 3] = origin
    return result


PLAIN = affine(1, 2, 3)
FLIPPED = np.diag([-1.0, 1, 1, 1]) @ PLAIN
PERMUTED = PLAIN[:, [1, 0, 2, 3]]

USED = [
    # name, qform, sform, expected affine, expected codes
    ("only the qform", PLAIN, None, PLAIN, set()),
    ("only the sform", None, FLIPPED, FLIPPED, set()),
    ("both the same", PLAIN, PLAIN, PLAIN, set()),
    (
        "a little apart: the sform",
        PLAIN,
        affine(1, 2, 3, origin=(1.02, 2, 3)),
        "sform",
        {"nifti.forms_differ"},
    ),
    ("half a voxel apart", PLAIN, affine(1, 2, 3, origin=(1.5, 2, 3)), "sform", {"nifti.forms_differ"}),
    ("edges 0.9 % apart", PLAIN, affine(1, 2, 3.027), "sform", {"nifti.forms_differ"}),
]


@pytest.mark.parametrize(("name", "qform", "sform", "expected", "codes"), USED, ids=[c[0] for c in USED])
def test_the_form_that_is_used(nifti: Nifti, name, qform, sform, expected, codes) -> None:
    image = read(nifti(qform=qform, sform=sform))
    wanted = sform if isinstance(expected, str) else expected
    np.testing.assert_allclose(image.grid.affine, wanted, atol=1e-5)
    assert image.grid.orientation_known
    assert {finding.code for finding in image.findings} == codes
    assert image.value_unit == "[arb'U]"
    assert image.modality is None


CONTRADICTIONS = [
    ("another voxel size", PLAIN, affine(1, 2, 3.1), "3%"),
    ("an axis flipped", PLAIN, FLIPPED, "flipped or permuted (RAS and LAS)"),
    ("axes permuted", PLAIN, PERMUTED, "differs"),
    ("axes of equal length permuted", affine(2, 2, 2), affine(2, 2, 2)[:, [1, 0, 2, 3]], "permuted"),
    ("a voxel or more away", PLAIN, affine(1, 2, 3, origin=(2, 2, 3)), "1.00 voxels"),
    ("turned by 20 degrees", PLAIN, affine(1, 2, 3, tilt_degrees=20), "corner"),
]


@pytest.mark.parametrize(
    ("name", "qform", "sform", "fault"), CONTRADICTIONS, ids=[case[0] for case in CONTRADICTIONS]
)
def test_contradicting_forms_are_refused_and_the_user_chooses(
    nifti: Nifti, name, qform, sform, fault
) -> None:
    path = nifti(qform=qform, sform=sform)
    with pytest.raises(InputError, match="contradict") as caught:
        read(path)
    message = str(caught.value)
    assert fault in message
    assert "\n" not in message
    assert "--affine qform" in message
    assert message.count("mm3") == 2
    (source,) = inspect(path)
    assert source.grid is None
    assert source.findings[-1].severity == "error"
    for form, chosen in (("qform", qform), ("sform", sform)):
        image = read(path, options=ReadOptions(affine=form))
        np.testing.assert_allclose(image.grid.affine, chosen, atol=1e-5)
        assert "nifti.form_chosen" in {finding.code for finding in image.findings}


def test_the_refusal_prints_both_sizes_and_volumes(nifti: Nifti) -> None:
    with pytest.raises(InputError) as caught:
        read(nifti(qform=affine(1.5, 1.5, 10), sform=affine(1, 1, 1)))
    for part in ("1.5 × 1.5 × 10 mm (22.5 mm3)", "1 × 1 × 1 mm (1 mm3)"):
        assert part in str(caught.value)


def test_a_form_that_is_not_there_can_not_be_chosen(nifti: Nifti) -> None:
    with pytest.raises(InputError, match="no valid sform"):
        read(nifti(qform=PLAIN), options=ReadOptions(affine="sform"))


def test_quaternion_rounding_is_no_contradiction(nifti: Nifti) -> None:
    """Large, slightly tilted grids: float32 quaternions of one affine move corners by part of a voxel."""
    tilted = affine(0.7, 0.7, 0.7, tilt_degrees=0.3)
    array = np.zeros((512, 512, 4), np.uint8)
    image = read(nifti(array, qform=tilted, sform=tilted))
    np.testing.assert_allclose(image.grid.affine, tilted, atol=1e-6)


@pytest.mark.parametrize("tilt", np.linspace(-30, 30, 13))
def test_a_tilted_qform_stored_lps_is_not_turned_by_rounding(nifti: Nifti, tilt: float) -> None:
    """Its quaternion has length 1 up to float32; the root of that error would be an angle."""
    expected = affine(0.7, 0.7, 3, origin=(180, 180, -90), tilt_degrees=tilt) @ np.diag([-1.0, -1, 1, 1])
    image = read(nifti(np.zeros((512, 512, 4), np.uint8), qform=expected))
    corner = np.array([511, 511, 3, 1])
    assert np.linalg.norm((image.grid.affine - expected) @ corner) < 1e-3


def test_a_quaternion_a_little_too_long_is_one_of_length_one(nifti: Nifti) -> None:
    path = nifti(qform=PLAIN, quatern_b=0.0, quatern_c=0.0, quatern_d=1.0001)
    assert read(path).grid.orientation == "LPS"
    assert read(path).grid.spacing == pytest.approx((1, 2, 3))


@pytest.mark.parametrize("broken", [np.zeros((4, 4)), np.diag([1, 1, 0, 1.0]), np.full((4, 4), np.nan)])
def test_a_broken_sform_is_left_out_with_a_finding(nifti: Nifti, broken: np.ndarray) -> None:
    rows = {f"srow_{name}": broken[row] for row, name in enumerate("xyz")}
    image = read(nifti(qform=PLAIN, sform=PLAIN, **rows))
    np.testing.assert_allclose(image.grid.affine, PLAIN, atol=1e-6)
    assert [finding.code for finding in image.findings] == ["nifti.form_broken"]


def test_a_quaternion_longer_than_one_is_left_out(nifti: Nifti) -> None:
    image = read(nifti(qform=PLAIN, sform=PLAIN, quatern_b=3.0))
    assert [finding.code for finding in image.findings] == ["nifti.form_broken"]


def test_without_forms_sizes_hold_and_letters_do_not(nifti: Nifti) -> None:
    path = nifti(zooms=(1, 2, 3))
    image = read(path)
    assert not image.grid.orientation_known
    np.testing.assert_array_equal(image.grid.affine, np.diag([1.0, 2, 3, 1]))
    assert [finding.code for finding in image.findings] == ["orientation.unknown"]

    stated = read(path, options=ReadOptions(orientation="PSR"))
    assert stated.grid.orientation_known
    assert stated.grid.orientation == "PSR"
    assert stated.grid.spacing == (1, 2, 3)
    assert [finding.code for finding in stated.findings] == ["orientation.given"]


def test_an_orientation_that_the_file_states_is_not_overruled(nifti: Nifti) -> None:
    path = nifti(sform=PLAIN)
    assert read(path, options=ReadOptions(orientation="RAS")).findings == ()
    with pytest.raises(InputError, match=r"states its orientation \(RAS\)"):
        read(path, options=ReadOptions(orientation="LPS"))


UNITS = [(0, 1.0, {"nifti.unit_unknown"}), (1, 1000.0, {"nifti.unit_converted"}), (2, 1.0, set())]
UNITS += [(3, 0.001, {"nifti.unit_converted"}), (2 | 8, 1.0, set()), (7, 1.0, {"nifti.unit_unknown"})]


@pytest.mark.parametrize(("code", "factor", "codes"), UNITS)
def test_units_become_millimetres(nifti: Nifti, code: int, factor: float, codes: set[str]) -> None:
    image = read(nifti(sform=PLAIN, unit=code))
    np.testing.assert_allclose(image.grid.affine[:3], PLAIN[:3] * factor, rtol=1e-6)
    # A metre is a unit, though no voxel of a scan is one long.
    assert {finding.code for finding in image.findings} - {"spacing.implausible"} == codes


def test_a_sheared_sform_is_a_grid(nifti: Nifti) -> None:
    sheared = PLAIN.copy()
    sheared[1, 2] = 1.5
    image = read(nifti(sform=sheared))
    assert image.grid.is_sheared
    assert image.grid.voxel_volume == pytest.approx(6.0)


def test_thickness_is_what_the_user_says(nifti: Nifti) -> None:
    image = read(nifti(sform=PLAIN), options=ReadOptions(slice_thickness=5.0))
    assert image.grid.slice_thickness == 5.0
    assert image.grid.spacing == pytest.approx((1, 2, 3))
    assert [finding.code for finding in image.findings] == ["thickness.given"]


def test_a_size_that_the_file_states_is_not_overruled(nifti: Nifti) -> None:
    with pytest.raises(InputError, match="--spacing is for images without a size"):
        read(nifti(sform=PLAIN), options=ReadOptions(spacing=(1.0, 1.0, 1.0)))
