"""What the check of a scan against the training's notices, kind by kind: the tables of docs/reference/domain.md.

    python -m benchmarks.domain_kinds DATA > docs/reference/domain.md

DATA holds the sets hippocampus, sarcoma, longitudinal and misc. Nothing is segmented. Each case of the training is judged by
what all others say is usual; an altered case by what all but its original say. A scan of another kind is a crop of the
size of the model's own cases, drawn by seed 0, at least half of it no air. About half a minute.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from medseg import read
from medseg.domain import Case, Grid, Image, ModelCard
from medseg.errors import InputError
from medseg.inference import canonical, prepare
from medseg.inference.domain import TrainingDomain, scan_features, train_domain
from medseg.io import open_dataset
from medseg.models import load_features, read_card
from medseg.settings import shipped_folder
from medseg.training import TrainConfig, load_config
from medseg.training.cases import load_case, match_names

_ROOT = Path(__file__).parents[1]
_CROPS = 30
#: Extents of a crop, mm: the middle of what the hippocampus set has.
_EXTENTS_MM = np.array([35, 51, 35])
OTHERS = {
    "FLAIR of MS": "longitudinal/*/*FLAIR.nii.gz",
    "T1 of MS": "longitudinal/*/*T1W.nii.gz",
    "FLAIR of stroke": "misc/bids_stroke/rawdata/*/*/*flair.nii.gz",
    "spinal cord": "misc/cord/t2*/t2*.nii.gz",
    "MR of sarcoma": "sarcoma/*/MR_T1_image.nii.gz",
    "CT of sarcoma": "sarcoma/*/CT_image.nii.gz",
}

Images = Mapping[str, Image]
Change = Callable[[Images, np.random.Generator], Images]

HEAD = """# What the check of a scan notices

Written by `python -m benchmarks.domain_kinds DATA`; [how the check works](../concepts/intervals.md#like-the-trainings-scans-or-not).
Tilt and bend of the values were added because the first run of this command saw no mirrored scan; nothing else was chosen
by these figures. *AUROC* tells scans of a kind from the training's own by their distance; *suspicious* and *unlike*
are the shares that a user would be told of, with the distances as they stand in the model. In brackets 95 % intervals
(Clopper–Pearson); scans of one patient count each, so that they are too narrow where patients are fewer than scans.
"""


@dataclass(frozen=True, slots=True)
class Model:
    """A shipped model and the features of what it was trained on."""

    card: ModelCard
    names: tuple[str, ...]
    rows: np.ndarray

    def features(self, images: Images) -> np.ndarray:
        """Of a scan, as segmenting takes them."""
        ordered = {name: canonical(image) for name, image in images.items()}
        prepared = prepare(ordered, self.card)
        grid = ordered[self.card.reference].grid
        found = scan_features(prepared.array, grid, [channel.name for channel in self.card.channels])
        told = dict(zip(*found, strict=True))
        return np.array([told[name] for name in self.names])

    def without(self, features: np.ndarray) -> TrainingDomain:
        """What is usual by all cases but the one that has these features."""
        off = np.abs(self.rows - features).max(axis=1)
        usual = train_domain(self.names, np.delete(self.rows, int(np.argmin(off)), axis=0))
        assert usual is not None
        return usual


def main() -> None:
    """Print the page."""
    data = Path(sys.argv[1])
    hippocampus = open_dataset(data / "hippocampus")
    sarcoma = open_dataset(_ROOT / "configs/sarcoma_cases.csv", root=data / "sarcoma")
    print(HEAD)
    own = _tell_altered("hippocampus", "hippocampus_3d", hippocampus.cases[::5], hippocampus, FLIPS | CHANGES)
    _tell_others(_model("hippocampus"), own, data)
    swapped: dict[str, Change] = {"channels in the wrong order": _swapped}
    _tell_altered("sarcoma", "sarcoma_3d", _trained(sarcoma.cases), sarcoma, swapped | FLIPS | CHANGES)


def _trained(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """Those that the shipped sarcoma model was trained on."""
    plan = load_config("sarcoma_3d")
    assert isinstance(plan, TrainConfig)
    return tuple(case for case in cases if case.subject not in plan.data.held_out)


def _model(name: str) -> Model:
    folder = shipped_folder() / "models" / name
    card = read_card(folder)
    table = load_features(card, folder)
    assert table is not None
    return Model(card, *table)


def _tell_altered(
    name: str, config: str, cases: tuple[Case, ...], dataset: object, changes: dict[str, Change]
) -> list[float]:
    """The table of altered cases, and the distances of the cases as they are."""
    model, plan = _model(name), load_config(config)
    assert isinstance(plan, TrainConfig)
    names = match_names(dataset, plan)  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    own: list[tuple[float, str]] = []
    found: dict[str, list[tuple[float, str]]] = {kind: [] for kind in changes}
    for case in cases:
        images = load_case(case, plan, names).images
        features = model.features(images)
        usual = model.without(features)
        own.append(_judged(usual, features))
        for kind, change in changes.items():
            found[kind].append(_told(model, usual, change(images, rng)))
    print(f"\n## {name}: {len(cases)} of its own cases, altered\n")
    print("| alteration | AUROC | suspicious, unlike or refused | unlike or refused |\n|---|---|---|---|")
    print(_row("none: false alarms", own, None))
    for kind, judged in found.items():
        print(_row(kind, judged, [distance for distance, _ in own]))
    return [distance for distance, _ in own]


def _tell_others(model: Model, own: list[float], data: Path) -> None:
    usual = train_domain(model.names, model.rows)
    assert usual is not None
    print(f"\n## {model.card.name}: {_CROPS} crops of each other kind\n")
    print(
        "| kind | scans | AUROC | suspicious, unlike or refused | unlike or refused |\n|---|---|---|---|---|"
    )
    rng = np.random.default_rng(0)
    for kind, pattern in OTHERS.items():
        paths = [path for path in sorted(data.glob(pattern)) if "seg" not in path.name]
        scans = [canonical(read(path)) for path in paths[:10]]
        images = [_cropped(scans[number % len(scans)], rng) for number in range(_CROPS)]
        judged = [_judged(usual, model.features({"mr": image})) for image in images]
        print(_row(f"{kind} | {len(scans)}", judged, own))


def _told(model: Model, usual: TrainingDomain, images: Images) -> tuple[float, str]:
    """The verdict; what segmenting refuses is farther off than all."""
    try:
        return _judged(usual, model.features(images))
    except InputError:
        return float(np.finfo(np.float32).max), "refused"


def _judged(usual: TrainingDomain, features: np.ndarray) -> tuple[float, str]:
    verdict = usual.judge(features)
    return verdict.distance, verdict.level


def _row(kind: str, judged: list[tuple[float, str]], own: list[float] | None) -> str:
    distances = [distance for distance, _ in judged]
    area = "–"
    if own is not None:
        area = f"{roc_auc_score([0] * len(own) + [1] * len(distances), own + distances):.3f}"
    shares = [
        _share([level in levels for _, level in judged])
        for levels in (("suspicious", "unlike", "refused"), ("unlike", "refused"))
    ]
    return f"| {kind} | {area} | {' | '.join(shares)} |"


def _share(told: list[bool]) -> str:
    count, size = sum(told), len(told)
    low, high = binomtest(count, size).proportion_ci()
    return f"{count} of {size} ({low:.2f} to {high:.2f})"


def _cropped(image: Image, rng: np.random.Generator) -> Image:
    edges = np.minimum(np.round(_EXTENTS_MM / image.grid.spacing).astype(int).clip(2), image.grid.shape)
    for _ in range(50):
        first = [int(rng.integers(0, n - edge + 1)) for n, edge in zip(image.grid.shape, edges, strict=True)]
        values = np.asarray(image.array[tuple(slice(a, a + e) for a, e in zip(first, edges, strict=True))])
        if np.mean(values == values.min()) < 0.5:
            break
    grid = Grid(values.shape, image.grid.affine)
    return Image(values, grid, modality="MR", value_unit="[arb'U]", channel="mr")


def _each(change: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Change:
    """A change of values, in every channel."""

    def changed(images: Images, rng: np.random.Generator) -> Images:
        return {
            name: replace(image, array=change(np.asarray(image.array, np.float32), rng).astype(np.float32))
            for name, image in images.items()
        }

    return changed


def _noisy(share: float) -> Change:
    return _each(lambda values, rng: values + rng.normal(0, share * values.std(), values.shape))


def _eight_bits(values: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    low, high = np.percentile(values, (10, 90))
    return np.round(255 * np.clip((values - low) / (high - low), 0, 1))


def _mirrored(axis: int) -> Change:
    """Values mirrored along an axis of the patient while the file says nothing of it."""

    def changed(images: Images, _rng: np.random.Generator) -> Images:
        return {name: replace(i, array=np.flip(i.array, axis)) for name, i in _canonical(images).items()}

    return changed


def _turned(images: Images, _rng: np.random.Generator) -> Images:
    """The patient's axes one further, as in a file whose orientation is wrong."""
    return {
        name: replace(
            image,
            array=np.transpose(image.array, (1, 2, 0)),
            grid=Grid(
                tuple(np.roll(image.grid.shape, -1)),
                np.diag([*np.roll(image.grid.spacing, -1), 1.0]),
                image.grid.unit,
            ),
        )
        for name, image in _canonical(images).items()
    }


def _canonical(images: Images) -> dict[str, Image]:
    return {name: canonical(image) for name, image in images.items()}


def _swapped(images: Images, _rng: np.random.Generator) -> Images:
    """The channels' values exchanged, each on the other's grid."""
    (one, first), (two, second) = images.items()
    return {
        one: replace(first, array=second.array, grid=second.grid),
        two: replace(second, array=first.array, grid=first.grid),
    }


FLIPS: dict[str, Change] = {
    "mirrored right–left": _mirrored(0),
    "mirrored back–front": _mirrored(1),
    "mirrored foot–head": _mirrored(2),
    "axes exchanged": _turned,
}
CHANGES: dict[str, Change] = {
    "noise of 0.1 SD": _noisy(0.1),
    "noise of 0.3 SD": _noisy(0.3),
    "noise of 1 SD": _noisy(1.0),
    "contrast inverted": _each(lambda values, _: values.max() + values.min() - values),
    "8 bits, window of the 10th to 90th percentile": _each(_eight_bits),
    "smoothed, SD of 2 voxels": _each(lambda values, _: gaussian_filter(values, 2)),
}


if __name__ == "__main__":
    main()
