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
