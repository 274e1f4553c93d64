"""The promptable network as a LightningModule: a robot clicks in its own answers, within the step."""

from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medseg.domain import Grid
from medseg.errors import ModelError
from medseg.inference.clicks import click_map
from medseg.networks import build, state_for
from medseg.training.prompt_settings import PromptTraining
from medseg.training.prompting.robot import next_click

__all__ = ["PromptModule"]


class PromptModule(pl.LightningModule):
    """Learns to answer to clicks that its own answers ask for; weights are drawn by the run's seed."""

    def __init__(self, settings: PromptTraining, seed: int) -> None:
        from monai.losses.dice import DiceCELoss

        super().__init__()
        self.settings, self.seed = settings, seed
        # Channels last: on a processor convolutions of few channels take a third less time so.
        self.network = build(settings.network).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.loss = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True)
        self.grid = Grid(settings.window, np.eye(4))

    def training_step(self, batch: tuple[Tensor, Tensor], _number: int) -> Tensor:
        """Loss after the last click, as `train_loss`.

        Raises
        ------
        ModelError
            If it is no number.
        """
        image, target = batch[0].contiguous(memory_format=torch.channels_last_3d), batch[1]
        logits = self.network(torch.cat([image, self._clicked(image, target)], 1)).float()
        loss: Tensor = self.loss(logits, target[:, None])
        if not bool(torch.isfinite(loss)):
            raise ModelError(
                f"training stopped at step {self.global_step + 1}: the loss is {float(loss.detach())}, so nothing is "
                f"learned any more (learning rate {self.settings.lr:g}); lower prompts.lr, and begin again with "
                "--restart"
            )
        self.log("train_loss", loss.detach(), on_step=False, on_epoch=True, batch_size=len(image))
        return loss

    def configure_optimizers(self) -> Any:
        """AdamW; one rise in the first tenth, then down to nothing."""
        settings = self.settings
        optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, max_lr=settings.lr, total_steps=settings.steps + 2, pct_start=0.1
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def weights(self) -> dict[str, Tensor]:
        """Tensors by name for the card's network."""
        return state_for(self.settings.network, self.network)

    def _clicked(self, image: Tensor, target: Tensor) -> Tensor:
        """(N, 3, …) clicks inside and outside, and the answer before the last click; drawn by the step's number."""
        settings = self.settings
        rng = np.random.default_rng([self.seed, self.global_step])
        count = min(settings.most_clicks, int(rng.geometric(0.5)))
        sees_answer = rng.random(len(image)) < settings.with_answer
        wanted = [target[n].cpu().numpy() > 0 for n in range(len(target))]
        answers: list[NDArray[np.bool_]] = [np.zeros(settings.window, np.bool_) for _ in wanted]
        maps = torch.zeros((len(image), 3, *settings.window), device=image.device)
        for number in range(count):
            if number:
                with torch.no_grad():
                    shares = torch.softmax(self.network(torch.cat([image, maps], 1)).float(), 1)[:, 1]
                answers = [share.cpu().numpy() > 0.5 for share in shares]
                seen = torch.from_numpy(sees_answer).to(image.device)
                maps[:, 2] = shares * seen[:, None, None, None]
            for place, (answer, reference) in enumerate(zip(answers, wanted, strict=True)):
                at_random = rng.random() < settings.random_clicks
                click = next_click(answer, reference, rng if at_random else None)
                if click is not None:
                    index, positive = click
                    drawn = click_map(self.grid, np.array([index], np.float64), settings.clicks.radius_steps)
                    own = maps[place, 0 if positive else 1]
                    torch.maximum(own, torch.from_numpy(drawn).to(own.device), out=own)
        return maps
