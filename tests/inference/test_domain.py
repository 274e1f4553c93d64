"""Whether a scan is like the training's: what is usual passes, what is not is named with numbers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from medseg import read
from medseg.domain import Grid, Image
from medseg.inference import canonical, prepare
from medseg.inference.domain import TrainingDomain, domain_finding, scan_features, train_domain
from medseg.inference.verdict import domain_verdict
from medseg.models import read_card
from medseg.settings import shipped_folder
from medseg.workflows import segment

SHIPPED = shipped_folder() / "models" / "hippocampus"


def features(
    rng: np.random.Generator, *, spacing: float = 1.0, sign: float = 1.0, noise: float = 0.1
) -> tuple[tuple[str, ...], np.ndarray]:
    """Of a noisy ball in a box."""
    shape = tuple(int(size) for size in rng.integers(28, 36, 3))
    place = np.indices(shape) - np.array(shape).reshape(3, 1, 1, 1) / 2
    ball = (np.sqrt((place**2).sum(axis=0)) < 9).astype(float)
    values = sign * ball + rng.normal(0, noise, shape)
    values = (values - values.mean()) / values.std()
    return scan_features(values[None], Grid(shape, np.diag([spacing] * 3 + [1.0])), ["mr"])  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def usual() -> TrainingDomain:
    rng = np.random.default_rng(0)
    rows = [features(rng) for _ in range(60)]
    known = train_domain(rows[0][0], np.array([values for _, values in rows]))
    assert known is not None
    return known


def test_at_most_a_twentieth_of_the_training_is_suspicious(usual: TrainingDomain) -> None:
    assert usual.false_alarms <= 0.05


@pytest.mark.parametrize(
    ("traits", "level", "named"),
    [
        ({}, "in range", ""),
        ({"spacing": 2.0}, "unlike", "is 2 mm; in the training it was 1 to 1 mm"),
        ({"sign": -1.0}, "unlike", "of mr, as the network sees it"),
        ({"noise": 1.5}, "unlike", "of mr, as the network sees it"),
    ],
)
def test_what_is_unlike_is_named(
    usual: TrainingDomain, traits: dict[str, float], level: str, named: str
) -> None:
    verdict = usual.judge(features(np.random.default_rng(99), **traits)[1])
    assert verdict.level == level
    assert level == "in range" or named in verdict.why
    assert bool(domain_finding(verdict, "toy")) is (level != "in range")


def test_with_few_scans_nothing_is_usual() -> None:
    names, values = features(np.random.default_rng(0))
    assert train_domain(names, np.array([values] * 9)) is None


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirror_turns_tilt_and_bend_along_its_axis_and_nothing_else(axis: int) -> None:
    array = np.random.default_rng(1).normal(size=(1, 7, 8, 9)).astype(np.float32)
    grid = Grid((7, 8, 9), np.eye(4))
    names, values = scan_features(array, grid, ["mr"])
    _, mirrored = scan_features(np.flip(array, axis + 1), grid, ["mr"])
    place = ("right–left", "back–front", "foot–head")[axis]
    turned = np.array([-1 if f"along {place}" in name else 1 for name in names])
    assert (turned == -1).sum() == 2
    assert mirrored == pytest.approx(values * turned, abs=1e-6)


def test_a_rising_line_has_tilt_and_no_bend() -> None:
    """Mean of x² over −1, 0, 1 is 2/3; a cube less its line, times the line, is 0."""
    array = np.zeros((1, 3, 4, 5), np.float32) + np.array([-1, 0, 1], np.float32).reshape(1, 3, 1, 1)
    told = dict(zip(*scan_features(array, Grid((3, 4, 5), np.eye(4)), ["mr"]), strict=True))
    assert told["the tilt along right–left of mr"] == pytest.approx(2 / 3)
    assert told["the bend along right–left of mr"] == pytest.approx(0, abs=1e-12)
    assert told["the tilt along foot–head of mr"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("gone", [1, 6])
def test_a_bundle_that_keeps_fewer_features_judges_by_those(
    gone: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    rows = [features(rng) for _ in range(30)]
    names, table = rows[0][0][:-gone], np.array([values[:-gone] for _, values in rows])
    monkeypatch.setattr("medseg.inference.verdict.load_features", lambda *_: (names, table))
    card = replace(read_card(SHIPPED), name=f"older{gone}")
    image = Image(
        rng.normal(size=(35, 51, 35)).astype(np.float32), Grid((35, 51, 35), np.eye(4)), modality="MR"
    )
    verdict = domain_verdict(prepare({"mr": image}, card), image.grid, card, tmp_path)
    usual = train_domain(names, table)
    assert verdict is not None
    assert usual is not None
    assert len(usual.names) == len(rows[0][0]) - gone
    assert verdict.level != "in range"


def cropped(image: Image, rng: np.random.Generator) -> Image:
    """A crop of the size that the shipped model knows, of which half at least is no air."""
    edges = np.round(np.array([35, 51, 35]) / image.grid.spacing).astype(int).clip(2)
    edges = np.minimum(edges, image.grid.shape)
    for _ in range(50):
        first = [int(rng.integers(0, n - edge + 1)) for n, edge in zip(image.grid.shape, edges, strict=True)]
        box = tuple(slice(a, a + edge) for a, edge in zip(first, edges, strict=True))
        values = np.asarray(image.array[box])
        if np.mean(values == values.min()) < 0.5:
            break
    return Image(values, Grid(values.shape, image.grid.affine))


def distance(image: Image) -> float:
    card = read_card(SHIPPED)
    image = replace(image, modality="MR", value_unit="[arb'U]", channel="mr")
    verdict = domain_verdict(prepare({"mr": image}, card), image.grid, card, SHIPPED)
    assert verdict is not None
    return verdict.distance


KINDS = {
    "MS, FLAIR": "longitudinal/*/*FLAIR.nii.gz",
    "MS, T1": "longitudinal/*/*T1W.nii.gz",
    "stroke, FLAIR": "misc/bids_stroke/rawdata/*/*/*flair.nii.gz",
    "cord": "misc/cord/t2*/t2*.nii.gz",
    "sarcoma, MR": "sarcoma/*/MR_T1_image.nii.gz",
    "sarcoma, CT": "sarcoma/*/CT_image.nii.gz",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_crops_of_other_scans_are_told_from_the_own(kind: str, data: Callable[[str], Path]) -> None:
    """30 crops of the right size from scans of another kind, against every fifth hippocampus: AUROC at least 0.95."""
    rng = np.random.default_rng(0)
    root = data("hippocampus").parent
    paths = [path for path in sorted(root.glob(KINDS[kind])) if "seg" not in path.name]
    if not paths:
        pytest.skip(f"no scans of {kind} are here")
    scans = [canonical(read(path)) for path in paths[:10]]
    others = [distance(cropped(scans[number % len(scans)], rng)) for number in range(30)]
    own = [
        distance(canonical(read(path))) for path in sorted(root.glob("hippocampus/imagesTr/*.nii.gz"))[::5]
    ]
    assert roc_auc_score([0] * len(own) + [1] * len(others), own + others) >= 0.95


def test_a_whole_head_is_no_hippocampus(data: Callable[[str], Path]) -> None:
    """It was given 76 ml without a word; now it is named, and its volumes have no interval."""
    image = read(data("longitudinal/patient03/study1_FLAIR.nii.gz"))
    found = segment("hippocampus", replace(image, modality="MR"))
    assert any(item.code == "domain.unlike" and "field of view" in item.message for item in found.findings)
    assert found.made_by.intervals == ()
