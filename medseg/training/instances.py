"""Training a network that tells touching objects apart, on phantoms: foreground, and distance to the boundary."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import ChannelSpec, Label, LabelTable, ModelCard, NetworkSpec, Run
from medseg.domain.card import Instances, ZScore
from medseg.domain.values import as_details
from medseg.errors import ConfigError, OutputError
from medseg.models import write_bundle

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["InstanceTraining", "Phantom", "draw_phantom", "train_instances"]

#: Share of their radii by which neighbours' centres are apart; below 1 they touch.
_NEAR = (0.72, 1.0)
#: Centres lie at most so far from the middle, as a share of the extents; and so often another place is tried.
_WITHIN, _TRIES = 0.38, 6
#: Weight of the distance's error beside that of the foreground.
_DISTANCE_WEIGHT = 20.0


@dataclass(frozen=True, slots=True)
class InstanceTraining:
    """All that decides what the network will be.

    Parameters
    ----------
    steps, batch, lr, seed
        Of the optimiser; phantoms follow from the seed alone.
    patch
        Extents of a phantom on the model grid.
    spacing_mm
        Of the model grid.
    objects
        Fewest and most ellipsoids in a phantom.
    radius_mm
        Smallest and largest semi-axis.
    scale_mm, depth_mm, minimum_mm3
        Of the card's step: see `medseg.domain.card.Instances`.
    """

    steps: int = 500
    batch: int = 2
    lr: float = 4e-3
    seed: int = 0
    patch: tuple[int, int, int] = (24, 24, 24)
    spacing_mm: float = 2.0
    objects: tuple[int, int] = (2, 4)
    radius_mm: tuple[float, float] = (7.0, 13.0)
    scale_mm: float = 16.0
    depth_mm: float = 1.5
    minimum_mm3: float = 200.0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.objects[0]) < 1 or self.objects[0] > self.objects[1]:
            raise ConfigError("steps, batch and objects start at 1, and objects go from fewest to most")
        if not 0 < self.radius_mm[0] <= self.radius_mm[1] or not self.spacing_mm > 0:
            raise ConfigError("radius_mm goes from smallest to largest, and both and spacing_mm are positive")
        if any(extent % 4 for extent in self.patch):
            raise ConfigError(f"patch extents are multiples of 4, not {self.patch}")


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """An image of touching ellipsoids, (I, J, K) float32, and ids from 1 of the one that each voxel lies in."""

    image: NDArray[np.float32]
    ids: NDArray[np.uint32]


def draw_phantom(number: int, settings: InstanceTraining) -> Phantom:
    """Phantom of this number: ellipsoids that touch, equally bright, blurred, with noise.

    Each but the first is put beside an earlier one, so that foreground alone does not tell them apart. A voxel in
    several lies in the one whose surface is deeper, relative to its size.
    """
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng([settings.seed, number])
    extent = np.array(settings.patch) * settings.spacing_mm
    place = (np.moveaxis(np.indices(settings.patch), 0, -1) + 0.5) * settings.spacing_mm
    best = np.ones(settings.patch)
    ids = np.zeros(settings.patch, np.uint32)
    for one, (centre, axes, turn) in enumerate(_ellipsoids(rng, extent, settings), start=1):
        away = (((place - centre) @ turn / axes) ** 2).sum(axis=-1)
        ids[away < best] = one
        best = np.minimum(best, away)
    sharp = (ids > 0).astype(np.float64) * rng.uniform(0.8, 1.5)
    image = gaussian_filter(sharp, rng.uniform(0.4, 0.9)) + rng.normal(0, rng.uniform(0.1, 0.35), ids.shape)
    return Phantom(image.astype(np.float32), ids)


def train_instances(
    out: str | Path, settings: InstanceTraining | None = None, run: Run | None = None, *, force: bool = False
) -> Path:
    """Train on phantoms and leave a bundle, which `medseg segment` runs as any other.

    The last output of the network is the distance to the boundary of the object that a voxel lies in; the card's step
    `instances` decodes it. With one machine and thread count the same settings give the same weights.

    Parameters
    ----------
    out
        Folder of the bundle.
    settings
        What to train.
    run
        Device, threads, progress, cancel.

    Raises
    ------
    OutputError
        If the folder exists and may not be replaced.
    Cancelled
        If the user stopped it.
    """
    from medseg.networks import state_for

    settings, run = settings or InstanceTraining(), run or Run()
    if Path(out).exists() and not force:
        raise OutputError(f"{out} exists; give another folder or replace it by force")
    card = _card(settings)
    network = _fit(card, settings, run)
    write_bundle(out, card, [state_for(card.network, network)], force=force)
    return Path(out)


def _ellipsoids(
    rng: np.random.Generator, extent: NDArray[np.float64], settings: InstanceTraining
) -> list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    """(centre, semi-axes, directions as columns) of each."""
    found: list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]] = []
    wanted = int(rng.integers(settings.objects[0], settings.objects[1] + 1))
    for _ in range(_TRIES * wanted):
        axes = rng.uniform(*settings.radius_mm, size=3)
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        centre = rng.uniform(0.25, 0.75, size=3) * extent
        if found:
            other, sizes, _ = found[int(rng.integers(len(found)))]
            step = rng.normal(size=3)
            reach = (sizes.mean() + axes.mean()) * rng.uniform(*_NEAR)
            centre = other + step / np.linalg.norm(step) * reach
        # One that swallows another would leave it no voxels of its own; of one beyond the faces a sliver is seen.
        apart = all(
            np.linalg.norm(centre - other) > 0.65 * (sizes.mean() + axes.mean()) for other, sizes, _ in found
        )
        if apart and (np.abs(centre / extent - 0.5) < _WITHIN).all():
            found.append((centre, axes, turn))
        if len(found) == wanted:
            break
    return found


def _card(settings: InstanceTraining) -> ModelCard:
    step = Instances(1, 2, settings.scale_mm, settings.depth_mm, settings.minimum_mm3)
    strides = ((1, 1, 1), (2, 2, 2), (2, 2, 2))
    spacing = (settings.spacing_mm,) * 3
    return ModelCard(
        name="touching-objects",
        title="Touching bright objects",
        summary="Bright objects on a dark ground, told apart where they touch; trained on phantoms only.",
        version="1.0",
        channels=(ChannelSpec("image"),),
        reference="image",
        spacing=spacing,
        window=settings.patch,
        network=NetworkSpec("dynunet", 3, 1, 3, (8, 16, 32), strides, ((3, 3, 3),) * 3),
        preprocessing=(ZScore("image"),),
        table=LabelTable((Label(1, "object"),)),
        weights=(),
        postprocessing=(step,),
        trained=as_details(
            data="phantoms of touching ellipsoids",
            steps=settings.steps,
            batch=settings.batch,
            seed=settings.seed,
            medseg=version("medseg"),
            torch=version("torch"),
        ),
        licence="Apache-2.0",
        limits=(
            "Trained on phantoms: no picture of a patient was seen.",
            f"Objects of {2 * settings.radius_mm[0]:g} to {2 * settings.radius_mm[1]:g} mm across.",
        ),
    )


def _fit(card: ModelCard, settings: InstanceTraining, run: Run) -> "nn.Module":
    import torch

    from medseg.inference.device import choose_device
    from medseg.networks import build

    device = choose_device(run.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed + run.seed)
        network = build(card.network).to(device).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.lr, weight_decay=1e-4)
    for step in range(settings.steps):
        run.check()
        for group in optimiser.param_groups:
            group["lr"] = settings.lr * _schedule(step, settings.steps)
        numbers = range(step * settings.batch, (step + 1) * settings.batch)
        batch = [part.to(device) for part in _batch(numbers, card, settings)]
        loss = _loss(network(batch[0]), batch[1], batch[2])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        run.progress(step + 1, settings.steps, f"loss {float(loss.detach()):.3f}")
    return network.cpu().eval()


def _schedule(step: int, steps: int) -> float:
    """Up in the first tenth, then down as a cosine."""
    rise = max(1, steps // 10)
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def _batch(
    numbers: Sequence[int], card: ModelCard, settings: InstanceTraining
) -> "tuple[Tensor, Tensor, Tensor]":
    """(N, 1, …) images as the network sees them, (N, 1, …) classes, (N, …) distances as shares of the scale."""
    import edt
    import torch

    from medseg.inference.steps import preprocess

    images, classes, distances = [], [], []
    spacing = (settings.spacing_mm,) * 3
    for number in numbers:
        drawn = draw_phantom(number, settings)
        inside = np.ones(drawn.image.shape, np.bool_)
        images.append(preprocess(drawn.image, inside, "image", card.preprocessing))
        classes.append(drawn.ids > 0)
        deep: Any = edt.edt(drawn.ids, anisotropy=spacing, black_border=False, parallel=1)
        distances.append(np.clip(deep / settings.scale_mm, 0, 1))
    return (
        torch.from_numpy(np.stack(images))[:, None],
        torch.from_numpy(np.stack(classes)).long()[:, None],
        torch.from_numpy(np.stack(distances).astype(np.float32)),
    )


def _loss(logits: "Tensor", classes: "Tensor", distances: "Tensor") -> "Tensor":
    """Dice and cross-entropy of the foreground, and the squared error of the distance."""
    import torch
    from monai.losses.dice import DiceCELoss

    foreground: Tensor = DiceCELoss(to_onehot_y=True, softmax=True)(logits[:, :2], classes)
    error = torch.mean((torch.sigmoid(logits[:, 2]) - distances) ** 2)
    return foreground + _DISTANCE_WEIGHT * error
