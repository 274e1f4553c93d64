"""Which open image is which channel of a segmenter: proposed by the core's one rule, and doubted aloud."""

from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import TypeAlias

from medseg.domain import SegmenterSpec
from medseg.domain.channels import pair_channels
from medseg.errors import InputError

__all__ = ["Modalities", "doubts", "propose"]

#: Name of an image, or of a channel → modality, None where it is not known.
Modalities: TypeAlias = Mapping[str, str | None]


def propose(spec: SegmenterSpec, given: Modalities) -> dict[str, str | None]:
    """Channel → name of an open image; None where nothing says which.

    A segmenter of one channel takes the only image there is, whatever it is called.
    """
    needed = {need.name: need.modality for need in spec.channels}
    if len(needed) == 1 and len(given) == 1:
        return dict(zip(needed, given, strict=True))
    try:
        return dict(pair_channels(needed, given))
    except InputError:
        return {name: _alone(name, needed, given) for name in needed}


def doubts(spec: SegmenterSpec, chosen: Mapping[str, str], given: Modalities) -> tuple[str, ...]:
    """What speaks against a choice (channel → name of an image), in sentences for who chose."""
    needed = {need.name: need.modality for need in spec.channels if need.name in chosen}
    return (*_twice(chosen), *_other_modality(needed, chosen, given), *_swapped(needed, chosen, given))


def _alone(name: str, needed: Modalities, given: Modalities) -> str | None:
    """The image of one channel, where the others have none."""
    rivals = [other for other, kind in needed.items() if other != name and kind == needed[name]]
    try:
        return pair_channels({name: None if rivals else needed[name]}, given)[name]
    except InputError:
        return None


def _twice(chosen: Mapping[str, str]) -> Iterator[str]:
    for one in sorted(set(chosen.values())):
        channels = [channel for channel, name in chosen.items() if name == one]
        if len(channels) > 1:
            yield f"“{one}” is chosen for {' and '.join(channels)}."


def _other_modality(needed: Modalities, chosen: Mapping[str, str], given: Modalities) -> Iterator[str]:
    for channel, name in chosen.items():
        want, have = needed[channel], given[name]
        if want and have and want != have:
            yield f"{channel} needs {want}, and “{name}” is {have}."


def _swapped(needed: Modalities, chosen: Mapping[str, str], given: Modalities) -> Iterator[str]:
    """Where names or modalities say another order, or nothing says which is which."""
    if len(chosen) < 2 or len(set(chosen.values())) < len(chosen):
        return
    among = {name: given[name] for name in chosen.values()}
    try:
        by_rule = pair_channels(needed, among)
    except InputError:
        others = [order for order in permutations(among) if order != tuple(chosen.values())]
        if any(_fits(needed, among, order) for order in others):
            yield "Neither names nor modalities say which image is which channel: see that none are swapped."
        return
    for channel, name in by_rule.items():
        if name != chosen[channel]:
            yield f"{channel} is “{chosen[channel]}”, though it looks like “{name}”: are they swapped?"


def _fits(needed: Modalities, given: Modalities, order: tuple[str, ...]) -> bool:
    """Whether no modality speaks against images in this order."""
    pairs = zip(needed.values(), (given[name] for name in order), strict=True)
    return all(not want or not have or want == have for want, have in pairs)
