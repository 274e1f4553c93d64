"""What was understood of a foreign model, in words."""

import re
from dataclasses import asdict

from medseg.domain import NetworkSpec
from medseg.domain.card import PreStep

__all__ = ["network_line", "plain_words", "step_line"]


def network_line(spec: NetworkSpec) -> str:
    """Architecture, levels, features, inputs and outputs."""
    return (
        f"{spec.architecture}, {spec.dimensions}D, {len(spec.filters)} levels of {spec.filters[0]} to "
        f"{max(spec.filters)} features, {spec.in_channels} in, {spec.out_channels} out"
    )


def step_line(step: PreStep) -> str:
    """Channel, step and its values."""
    values = [value for name, value in asdict(step).items() if name not in ("step", "channel")]
    told = " ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)
    return f"{step.channel}: {step.step} {told}".rstrip()


def plain_words(text: str) -> str:
    """A name as one word that every file system takes.

    >>> plain_words("Hippo Tiny/2")
    'hippo-tiny-2'
    """
    return re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-.") or "model"
