"""Synthetic phantoms and predictors that stand in for networks."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medseg.domain import ChannelSpec, Grid, Image, Label, LabelTable, ModelCard, NetworkSpec, Run
from medseg.inference import ModelSegmenter


class StandIn:
    """What a predictor has beside its answers; on the CPU."""

    name = "stand-in"
    device = "cpu"

    def running(self, run: Run) -> AbstractContextManager[None]:
        return nullcontext()

    def to_cpu(self) -> None:
        self.device = "cpu"


@dataclass
class OneHot(StandIn):
    """Probability 1 for the class that is the rounded value of channel 0."""

    classes: int

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        values = np.rint(windows[:, 0]).clip(0, self.classes - 1)
        return np.stack([values == number for number in range(self.classes)], axis=1).astype(np.float32)


@dataclass
class Share(StandIn):
    """Probability of the only label is the value of channel 0, from 0 to 1."""

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        share = windows[:, :1].clip(0, 1)
        return np.concatenate([1 - share, share], axis=1)


def make_card(**changes: Any) -> ModelCard:
    dimensions = changes.pop("dimensions", 3)
    labels = changes.pop("labels", 1)
    channels = changes.pop("channels", (ChannelSpec("image"),))
    values: dict[str, Any] = {
        "name": "toy",
        "title": "Toy",
        "summary": "A toy.",
        "version": "1.0",
        "channels": channels,
        "reference": channels[0].name,
        "spacing": None,
        "window": (8,) * dimensions,
        "network": NetworkSpec(
            "dynunet",
            dimensions,
            len(channels),
            labels + 1,
            (4, 8, 8),
            ((1,) * dimensions, (2,) * dimensions, (2,) * dimensions),
            ((3,) * dimensions,) * 3,
        ),
        "preprocessing": (),
        "table": LabelTable(tuple(Label(value, f"part {value}") for value in range(1, labels + 1))),
        "weights": (),
    }
    return ModelCard(**{**values, **changes})


def make_image(array: Any, affine: Any = None, **changes: Any) -> Image:
    affine = np.eye(4) if affine is None else affine
    return Image(np.asarray(array, dtype=np.float32), Grid(np.shape(array), affine), **changes)


@pytest.fixture
def blob() -> np.ndarray:
    """(21, 18, 15) uint8 with three asymmetric parts, synthetic."""
    labels = np.zeros((21, 18, 15), np.uint8)
    labels[3:15, 2:9, 4:12] = 1
    labels[8:20, 6:16, 1:7] = 2
    labels[0:5, 12:18, 9:15] = 3
    labels[10, 10, 10] = 1
    return labels


def segmenter(card: ModelCard, predictor: Any) -> ModelSegmenter:
    return ModelSegmenter(card, Path(), predictor)
