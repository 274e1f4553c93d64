"""Training a network that tells touching objects apart, on phantoms: foreground, and distance to the boundary."""

import math
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from medseg.domain import ChannelSpec, Label, LabelTable, ModelCard, NetworkSpec, Run
from medseg.domain.card import Instances, ZScore
from medseg.domain.values import as_details
from medseg.errors import ModelError, OutputError
from medseg.inference.device import choose_device
from medseg.inference.steps import preprocess
from medseg.models import write_bundle
from medseg.networks import build, state_for
from medseg.training.assemble import licence_text
from medseg.training.config import PhantomConfig, dump_config
from medseg.training.phantom_quality import judge, quality_of, quality_table
from medseg.training.phantoms import InstanceTraining, draw_phantom

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["InstanceTraining", "train_instances"]

#: Weight of the distance's error beside that of the foreground.
_DISTANCE_WEIGHT = 20.0


def train_instances(
    out: str | Path,
    settings: InstanceTraining | None = None,
    run: Run | None = None,
    *,
    force: bool = False,
    command: str = "",
) -> Path:
    """Train on phantoms and leave a bundle, which `medseg segment` runs as any other, with its measured quality.

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
    force
        Whether the folder may be replaced.
    command
        What the user typed, for the card: it repeats the measurement.

    Raises
    ------
    OutputError
        If the folder exists and may not be replaced.
    Cancelled
        If the user stopped it.
    """
    from medseg.training.loop import limited_threads

    settings, run = settings or InstanceTraining(), run or Run()
    if Path(out).exists() and not force:
        raise OutputError(f"{out} exists; give another folder or replace it by force")
    card = _card(settings)
    with limited_threads(run):
        state = state_for(card.network, _fit(card, settings, run))
    with TemporaryDirectory() as folder:
        trained = write_bundle(Path(folder) / "bundle", card, [state])
        rows = judge(trained, Path(folder) / "bundle", settings, run)
    extras = {
        "LICENSE": licence_text(card),
        "plan.yaml": dump_config(PhantomConfig(settings)),
        "quality.csv": quality_table(rows),
    }
    write_bundle(
        out, replace(card, quality=(quality_of(rows, command),)), [state], extras=extras, force=force
    )
    return Path(out)


def _card(settings: InstanceTraining) -> ModelCard:
    step = Instances(1, 2, settings.scale_mm, settings.depth_mm, settings.minimum_mm3)
    strides = ((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2))
    spacing = (settings.spacing_mm,) * 3
    return ModelCard(
        name="touching-objects",
        title="Touching bright objects (phantoms)",
        summary="Bright round objects on a dark ground, told apart where they touch; trained on phantoms only.",
        version="1.0",
        channels=(ChannelSpec("image"),),
        reference="image",
        spacing=spacing,
        window=settings.patch,
        network=NetworkSpec("dynunet", 3, 1, 3, (8, 16, 32, 64), strides, ((3, 3, 3),) * 4),
        preprocessing=(ZScore("image"),),
        table=LabelTable((Label(1, "object"),)),
        weights=(),
        postprocessing=(step,),
        trained=as_details(
            data="phantoms of touching lumpy ellipsoids",
            steps=settings.steps,
            batch=settings.batch,
            seed=settings.seed,
            medseg=version("medseg"),
            torch=version("torch"),
        ),
        licence="Apache-2.0",
        attribution="Trained on phantoms that medseg draws; no data of anyone.",
        intended_use="Research only; not a medical device. Counting and measuring bright round objects that touch.",
        limits=(
            "Trained on phantoms: no picture of a patient was seen, and it knows no organ and no lesion.",
            f"Lumpy ellipsoids of {2 * settings.radius_mm[0]:g} to {2 * settings.radius_mm[1]:g} mm across.",
            "Objects are brighter than the ground around them, and about as bright as one another.",
            "Parts of one organ that an anatomical landmark divides, and no furrow, are mostly not told apart.",
            f"Objects below {settings.minimum_mm3:g} mm³ are left out; it works on {settings.spacing_mm:g} mm.",
        ),
    )


def _fit(card: ModelCard, settings: InstanceTraining, run: Run) -> "nn.Module":
    import torch

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
        if not math.isfinite(float(loss.detach())):
            raise ModelError(
                f"training stopped at step {step + 1}: the loss is {float(loss.detach())}, so nothing is learned any "
                f"more (learning rate {settings.lr:g}); lower phantoms.lr"
            )
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
