"""The network as a LightningModule: loss with deep supervision, AdamW, schedule, running mean of weights."""

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from medseg.domain import NetworkSpec
from medseg.errors import ModelError
from medseg.networks import build, state_for
from medseg.training.config import TrainConfig
from medseg.training.judged import JudgedLoss
from medseg.training.phantoms import InstanceTraining
from medseg.training.start import hold_still

__all__ = ["InstanceModule", "SegmentationModule"]

#: Weight of the distance's error beside that of the foreground.
_DISTANCE_WEIGHT = 20.0


class SegmentationModule(pl.LightningModule):
    """What Lightning trains; `weights()` gives the tensors that a bundle needs."""

    def __init__(self, config: TrainConfig, begin: Callable[[nn.Module], None] | None = None) -> None:
        """`begin` puts weights into the network that is drawn."""
        super().__init__()
        self.config = config
        self.network = build(config.network)
        if begin is not None:
            begin(self.network)
        hold_still(self.network, config)
        self.average: nn.Module | None = None
        if config.loop.average:
            self.average = copy.deepcopy(self.network).requires_grad_(requires_grad=False)
        self.loss = JudgedLoss(config.loss)

    def training_step(self, batch: tuple[Tensor, ...], _number: int) -> Tensor:
        """Loss of one batch, logged as `train_loss`.

        Raises
        ------
        ModelError
            If it is no number: whatever came after it would find nothing.
        """
        loss = self.loss_of(*batch)
        if not bool(torch.isfinite(loss)):
            largest = float(batch[0].abs().max())
            raise ModelError(
                f"training stopped at step {self.global_step + 1}: the loss is {float(loss.detach())}, so nothing is "
                f"learned any more (learning rate {self.config.optimiser.lr:g}, largest value of the images "
                f"{largest:.4g}); lower optimiser.lr, or check preprocessing, and begin again with --restart"
            )
        self.log(
            "train_loss",
            loss.detach(),
            on_step=False,
            on_epoch=True,
            batch_size=len(batch[0]),
            sync_dist=True,
        )
        return loss

    def validation_step(self, batch: tuple[Tensor, ...], _number: int) -> None:
        """Loss of a fixed batch of validation patches, logged as `validation_loss`."""
        self.log(
            "validation_loss", self.loss_of(*batch), on_epoch=True, batch_size=len(batch[0]), sync_dist=True
        )

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the running mean towards the weights; a short run starts from a faster mean."""
        if self.average is None:
            return
        decay = min(self.config.loop.average, (1 + self.global_step) / (10 + self.global_step))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(value, 1 - decay)

    def configure_optimizers(self) -> Any:
        """AdamW and a schedule over all steps."""
        settings, steps = self.config.optimiser, self.config.loop.steps
        learning = [value for value in self.network.parameters() if value.requires_grad]
        optimiser = torch.optim.AdamW(learning, lr=settings.lr, weight_decay=settings.weight_decay)
        scheduler: torch.optim.lr_scheduler.LRScheduler
        if settings.schedule == "one_cycle":
            # One step more than there are: a scheduler refuses to be asked once too often.
            scheduler = torch.optim.lr_scheduler.OneCycleLR(
                optimiser, max_lr=settings.lr, total_steps=steps + 1, pct_start=_share(settings.warmup, steps)
            )
        else:
            power = 0.9 if settings.schedule == "poly" else 0.0
            scheduler = torch.optim.lr_scheduler.PolynomialLR(optimiser, total_iters=steps + 1, power=power)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def weights(self) -> dict[str, Tensor]:
        """Tensors by name for the card's network."""
        found = state_for(replace(self.config.network, deep_supervision=0), self.average or self.network)
        if any(not bool(torch.isfinite(value.half()).all()) for value in found.values()):
            raise ModelError(
                "training ended with weights that are no numbers or larger than a bundle holds (65504), so there is no "
                "model; lower optimiser.lr, or check preprocessing, and begin again with --restart"
            )
        return found

    def loss_of(self, image: Tensor, labels: Tensor, held: Tensor | None = None) -> Tensor:
        """Loss of (N, C, *patch) images and (N, 1, *patch) classes, over all levels of deep supervision.

        `held` (N, outputs) says which outputs the set of each patch holds; all where it is None.
        """
        logits = self.network(image).float()
        if logits.ndim == image.ndim:
            total: Tensor = self.loss(logits, labels, held)
            return total
        levels = [
            self.loss(level, labels, held) * 0.5**number for number, level in enumerate(logits.unbind(1))
        ]
        return torch.stack(levels).sum() / sum(0.5**number for number in range(len(levels)))


def _share(warmup: float, steps: int) -> float:
    # OneCycleLR divides by the steps of each phase less one; very short runs need a phase of two.
    return min(0.9, max(warmup, math.ceil(2) / (steps + 1)))


class InstanceModule(pl.LightningModule):
    """Foreground and distance to the boundary, with AdamW; its weights are drawn by `seed`."""

    def __init__(self, spec: NetworkSpec, settings: InstanceTraining, seed: int) -> None:
        from monai.losses.dice import DiceCELoss

        super().__init__()
        self.settings = settings
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = build(spec)
        self.foreground = DiceCELoss(to_onehot_y=True, softmax=True)

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], _number: int) -> Tensor:
        """Dice and cross-entropy of the foreground, and the squared error of the distance, as `train_loss`."""
        image, classes, distances = batch
        logits = self.network(image)
        error = torch.mean((torch.sigmoid(logits[:, 2]) - distances) ** 2)
        loss: Tensor = self.foreground(logits[:, :2], classes) + _DISTANCE_WEIGHT * error
        if not bool(torch.isfinite(loss)):
            raise ModelError(
                f"training stopped at step {self.global_step + 1}: the loss is {float(loss.detach())}, so nothing is "
                f"learned any more (learning rate {self.settings.lr:g}); lower phantoms.lr"
            )
        self.log("train_loss", loss.detach(), on_step=True, on_epoch=False, batch_size=len(image))
        return loss

    def configure_optimizers(self) -> Any:
        """AdamW; the rate goes up in the first tenth, then down as a cosine."""
        steps = self.settings.steps
        optimiser = torch.optim.AdamW(self.network.parameters(), lr=self.settings.lr, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rise_and_fall(step, steps))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _rise_and_fall(step: int, steps: int) -> float:
    rise = max(1, steps // 10)
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))
