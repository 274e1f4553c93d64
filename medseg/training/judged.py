"""Dice and cross-entropy of the voxels that somebody judged: the others have no part in value or gradient."""

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
        self.dice = DiceLoss(include_background=background, batch=pooled)

    def forward(self, logits: Tensor, classes: Tensor) -> Tensor:
        """The loss, a number."""
        judged = classes != UNJUDGED
        if bool(judged.all()):
            whole: Tensor = self.whole(logits, classes)
            return whole
        known = torch.where(judged, classes, 0)
        # What nobody judged is a constant, so that neither it nor a value that is no number there has a gradient.
        logits = torch.where(judged, logits, 0.0)
        reference = functional.one_hot(known[:, 0], logits.shape[1]).movedim(-1, 1)
        dice: Tensor = self.dice(torch.softmax(logits, 1) * judged, reference * judged)
        losses = functional.cross_entropy(logits, known[:, 0], reduction="none") * judged[:, 0]
        entropy = losses.sum() / judged.sum().clamp(min=1)
        return self.settings.dice * dice + self.settings.cross_entropy * entropy
