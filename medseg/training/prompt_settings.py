"""What decides what a promptable network will be."""

from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import ConfigDict

from medseg.domain.card import ChannelSpec, PreStep
from medseg.domain.clicks import ClickRule
from medseg.domain.network import NetworkSpec
from medseg.domain.values import STRICT
from medseg.errors import ConfigError

__all__ = ["PromptSet", "PromptTraining"]


@dataclass(frozen=True, slots=True)
class PromptSet:
    """One of the sets that a promptable network learns from.

    Parameters
    ----------
    name
        What it is called in messages.
    cases
        Case list; relative to the configuration's file. Its paths are relative to `folder` within the root.
    split, fold
        Split file, and the fold of it that is held out with what the split itself holds out.
    channel
        The list's channel that the network sees.
    objects
        Labels that together are an object, for each kind of object that may be asked for; every kind is as frequent.
    folder
        Within the root.
    last_objects
        Those of `objects` that the last steps learn from: what is meant most often is learned last. All if empty.
    """

    name: str
    cases: str
    split: str
    channel: str
    objects: tuple[tuple[int, ...], ...] = ((1,),)
    fold: int = 0
    folder: str = "."
    last_objects: tuple[tuple[int, ...], ...] = ()
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if not self.objects or any(not labels or min(labels) < 1 for labels in self.objects):
            raise ConfigError(f"set {self.name}: an object is one label or several, each from 1 on")
        if not set(self.last_objects) <= set(self.objects):
            raise ConfigError(f"set {self.name}: last_objects are some of its objects")


@dataclass(frozen=True, slots=True)
class PromptTraining:
    """All that decides what a promptable network will be.

    Parameters
    ----------
    name, title, summary, version, licence, attribution, intended_use, limits
        What its card says in words.
    sets
        What it learns from, each as often as the others.
    channel, network, window, preprocessing, clicks
        As of the card: what the network sees, and is.
    root
        Folder that holds the sets' folders; given on the command line as `prompts.root=…`.
    steps, batch, lr, weight_decay, checkpoint_every, seed
        Of the optimiser.
    last_steps
        Steps at the end that learn from each set's `last_objects` only.
    most_clicks
        A sample has from 1 to so many, half as many samples for each click more.
    random_clicks
        Share of clicks that lie anywhere in the error and not where it is deepest, as hands click.
    with_answer
        Share of samples that see the answer before, where there is one; the others see none.
    share
        Smallest and largest share of the window that an object's longest extent takes; above 1 it is cut by the window.
    turn, flip
        Largest turn about each axis in radians; whether axes are mirrored half of the time.
    noise, gamma
        Largest standard deviation of noise, and of the logarithm of a gamma.
    """

    name: str
    title: str
    summary: str
    sets: tuple[PromptSet, ...]
    channel: ChannelSpec
    network: NetworkSpec
    window: tuple[int, int, int]
    steps: int
    version: str = "1.0"
    licence: str = ""
    attribution: str = ""
    intended_use: str = "Research only; not a medical device."
    limits: tuple[str, ...] = ()
    preprocessing: tuple[PreStep, ...] = ()
    clicks: ClickRule = field(default_factory=ClickRule)
    root: str | None = None
    batch: int = 4
    lr: float = 3e-3
    weight_decay: float = 1e-4
    last_steps: int = 0
    checkpoint_every: int = 50
    seed: int = 0
    most_clicks: int = 6
    random_clicks: float = 0.5
    with_answer: float = 0.6
    share: tuple[float, float] = (0.35, 1.1)
    turn: float = 0.3
    flip: bool = True
    noise: float = 0.15
    gamma: float = 0.25
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.checkpoint_every, self.most_clicks) < 1 or not self.sets:
            raise ConfigError(
                "prompts: steps, batch, checkpoint_every and most_clicks start at 1, and sets are needed"
            )
        if not 0 < self.share[0] <= self.share[1]:
            raise ConfigError(f"prompts.share goes from smallest to largest, both positive, not {self.share}")
        if not all(0 <= part <= 1 for part in (self.random_clicks, self.with_answer)):
            raise ConfigError("prompts: random_clicks and with_answer are shares from 0 to 1")
        if (self.network.in_channels, self.network.out_channels) != (1 + self.clicks.channels, 2):
            raise ConfigError(
                f"prompts.network has {1 + self.clicks.channels} inputs (the image, clicks inside and outside, the "
                f"answer before) and 2 outputs, not {self.network.in_channels} and {self.network.out_channels}"
            )
        if any(size % step for size, step in zip(self.window, self.network.divisor, strict=True)):
            raise ConfigError(f"prompts.window {self.window} is no multiple of {self.network.divisor}")
