"""Training a network that tells touching objects apart, on phantoms: foreground, and distance to the boundary."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medseg.domain import ChannelSpec, Label, LabelTable, ModelCard, NetworkSpec, Run
from medseg.domain.card import Instances, ZScore
from medseg.domain.values import as_details
from medseg.errors import OutputError
from medseg.inference.steps import preprocess
from medseg.io.leftovers import scratch_folder
from medseg.io.unfinished import may_replace, together
from medseg.models import write_bundle
from medseg.networks import state_for
from medseg.training.assemble import licence_text
from medseg.training.config import PhantomConfig, dump_config
from medseg.training.phantom_quality import judge_phantoms, quality_of, quality_table
from medseg.training.phantoms import InstanceTraining, draw_phantom

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["InstanceTraining", "train_instances"]


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
    settings, run = settings or InstanceTraining(), run or Run()
    with together(Path(out)):
        if Path(out).exists() and not force and not may_replace(Path(out)):
            raise OutputError(f"{out} exists; give another folder or replace it by force")
        _leave_bundle(Path(out), settings, run, force=force, command=command)
    return Path(out)


def _leave_bundle(out: Path, settings: InstanceTraining, run: Run, *, force: bool, command: str) -> None:
    card = _card(settings)
    state = state_for(card.network, _fit(card, settings, run))
    with scratch_folder() as folder:
        trained = write_bundle(folder / "bundle", card, [state])
        rows = judge_phantoms(trained, folder / "bundle", settings, run)
    extras = {
        "LICENSE": licence_text(card),
        "plan.yaml": dump_config(PhantomConfig(settings)),
        "quality.csv": quality_table(rows),
    }
    write_bundle(
        out, replace(card, quality=(quality_of(rows, command),)), [state], extras=extras, force=force
    )


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


class _Phantoms:
    """Phantom by its number: (1, …) image as the network sees it, (1, …) classes, (…) distance as a share."""

    def __init__(self, card: ModelCard, settings: InstanceTraining) -> None:
        self.card, self.settings = card, settings

    def __len__(self) -> int:
        return self.settings.steps * self.settings.batch

    def __getitem__(self, number: int) -> "tuple[Tensor, Tensor, Tensor]":
        import edt
        import torch

        drawn = draw_phantom(number, self.settings)
        inside = np.ones(drawn.image.shape, np.bool_)
        image = preprocess(drawn.image, inside, "image", self.card.preprocessing)
        spacing = (self.settings.spacing_mm,) * 3
        deep: Any = edt.edt(drawn.ids, anisotropy=spacing, black_border=False, parallel=1)
        distance = np.clip(deep / self.settings.scale_mm, 0, 1).astype(np.float32)
        return (
            torch.from_numpy(image)[None],
            torch.from_numpy(drawn.ids > 0).long()[None],
            torch.from_numpy(distance),
        )


def _fit(card: ModelCard, settings: InstanceTraining, run: Run) -> "nn.Module":
    from medseg.training.loop import Pace, fit_module
    from medseg.training.module import InstanceModule

    module = InstanceModule(card.network, settings, settings.seed + run.seed)
    pace = Pace(settings.steps, settings.steps, clip=5.0)
    network: nn.Module = fit_module(
        module, _Phantoms(card, settings), settings.batch, pace=pace, run=run
    ).network
    return network
