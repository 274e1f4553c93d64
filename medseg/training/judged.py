"""Dice and cross-entropy of what somebody judged: other voxels and other labels have no part in it."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from medseg.training.cache import UNJUDGED
from medseg.training.config import LossConfig

__all__ = ["JudgedLoss"]


class JudgedLoss(nn.Module):
    """MONAI's Dice plus cross-entropy of logits (B, C, …) and classes (B, 1, …), UNJUDGED among them.

    Of a batch that is judged throughout it is MONAI's DiceCELoss. Else probabilities and reference are 0 for Dice
    wherever nobody judged, and the mean of the cross-entropy is over the other voxels; a patch of none is 0.

    Where a patch comes from a set that does not hold every label, its background may be any that is not held: the
    probability of background is the sum of its own and of theirs (the marginal loss of Fang & Yan 2020, IEEE Trans Med
    Imaging 39:3619, and Shi et al. 2021, Med Image Anal 70:101979), and they have no Dice there.
    """

    def __init__(self, settings: LossConfig) -> None:
        from monai.losses.dice import DiceCELoss, DiceLoss

        super().__init__()
        self.settings = settings
        background, pooled = settings.include_background, settings.batch_dice
        self.whole = DiceCELoss(
            include_background=background,
            to_onehot_y=True,
            softmax=True,
            batch=pooled,
            lambda_dice=settings.dice,
            lambda_ce=settings.cross_entropy,
        )
        self.dice = DiceLoss(include_background=background, batch=pooled, reduction="none")

    def forward(self, logits: Tensor, classes: Tensor, held: Tensor | None = None) -> Tensor:
        """The loss, a number; `held` (B, C) bool says which outputs each patch's set holds, background always."""
        judged = classes != UNJUDGED
        partly = held is not None and not bool(held.all())
        if bool(judged.all()) and not partly:
            whole: Tensor = self.whole(logits, classes)
            return whole
        known = torch.where(judged, classes, 0)
        # What nobody judged is a constant, so that neither it nor a value that is no number there has a gradient.
        logits = torch.where(judged, logits, 0.0)
        counted = torch.ones(logits.shape[:2], dtype=torch.bool, device=logits.device)
        if held is not None and partly:
            counted, logits = held, _with_background(logits, held)
        reference = functional.one_hot(known[:, 0], logits.shape[1]).movedim(-1, 1)
        dice = self._dice(torch.softmax(logits, 1) * judged, reference * judged, counted)
        losses = functional.cross_entropy(logits, known[:, 0], reduction="none") * judged[:, 0]
        entropy = losses.sum() / judged.sum().clamp(min=1)
        return self.settings.dice * dice + self.settings.cross_entropy * entropy

    def _dice(self, shares: Tensor, reference: Tensor, counted: Tensor) -> Tensor:
        """Mean over the outputs that count: of each patch, or of all patches of the batch together."""
        first = 0 if self.settings.include_background else 1
        counted = counted[:, first:]
        if self.settings.batch_dice:
            counted = counted.any(0, keepdim=True)
        losses: Tensor = self.dice(shares, reference).reshape(counted.shape)
        return (losses * counted).sum() / counted.sum().clamp(min=1)


def _with_background(logits: Tensor, held: Tensor) -> Tensor:
    """Logits whose background holds the probability of all outputs that are not held, which have none."""
    held = held.reshape(*held.shape, *[1] * (logits.ndim - 2))
    together = ~held
    together[:, 0] = True
    nothing = torch.tensor(-torch.inf, device=logits.device)
    background = torch.logsumexp(torch.where(together, logits, nothing), 1, keepdim=True)
    return torch.cat([background, torch.where(held, logits, nothing)[:, 1:]], 1)
