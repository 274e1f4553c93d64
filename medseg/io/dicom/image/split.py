"""From the frames of one series to stacks of one orientation, and from those to volumes."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from medseg.geometry.slices import same_orientation, slice_normal
from medseg.io.dicom.image.headers import Frame

__all__ = ["SeriesPart", "split_interleaved", "split_stacks", "split_volumes"]

#: Positions within this many mm along the normal are one.
PLACE_TOLERANCE_MM = 1e-2
#: Up to so many traits are combined to tell volumes apart (echo and type, say).
MOST_TRAITS = 4
#: Fewer slices are no stack of their own.
_FEWEST = 2
#: Stacks that end this share of a step before the next one begins follow each other.
_NEAR = 0.05


@dataclass(frozen=True, slots=True)
class SeriesPart:
    """Frames that may form one volume, with the id that picks it; None when it is the only one."""

    frames: tuple[Frame, ...]
    name: str | None = None


def split_stacks(frames: Sequence[Frame], shape_of: dict[str, tuple[int, int]]) -> list[SeriesPart]:
    """Group frames by orientation, shape and stack id; `stack=1`, `stack=2` when there are several."""
    stacks: list[list[Frame]] = []
    for frame in frames:
        home = next((stack for stack in stacks if _alike(stack[0], frame, shape_of)), None)
        if home is None:
            stacks.append([frame])
        else:
            home.append(frame)
    if len(stacks) == 1:
        return [SeriesPart(tuple(stacks[0]))]
    return [SeriesPart(tuple(stack), f"stack={number}") for number, stack in enumerate(stacks, start=1)]


def split_volumes(part: SeriesPart) -> list[SeriesPart]:
    """Split frames by what they are, those at the same positions by what tells them apart; unsplit when nothing does.

    Magnitude, phase and maps are volumes of their own wherever they lie.
    """
    kinds = list(dict.fromkeys(frame.kind for frame in part.frames))
    if len(kinds) == 1:
        return _split_same_kind(part)
    # What is an image comes first, so that a list begins with it.
    kinds.sort(key=lambda kind: (kind != "magnitude", str(kind)))
    found = []
    for kind in kinds:
        frames = tuple(frame for frame in part.frames if frame.kind == kind)
        name = f"{part.name} " if part.name else ""
        found += _split_same_kind(SeriesPart(frames, f"{name}kind={kind or 'unstated'}"))
    return found


def split_interleaved(part: SeriesPart, is_regular: Callable[[Sequence[Frame]], bool]) -> list[SeriesPart]:
    """Two regular stacks that lie in one place, as two acquisitions do; the part alone where there are none.

    Taken for one they are an uneven stack, and resampling would blend what was scanned at different times.
    """
    for name in _varying(part.frames):
        keys = [(dict(frame.traits).get(name),) for frame in part.frames]
        groups = [
            tuple(frame for frame, own in zip(part.frames, keys, strict=True) if own == key)
            for key in dict.fromkeys(keys)
        ]
        if min(map(len, groups)) >= _FEWEST and all(map(is_regular, groups)) and _overlap(groups):
            return _named(part, keys, (name,))
    return [part]


def _overlap(groups: Sequence[Sequence[Frame]]) -> bool:
    """Whether stacks reach into each other: closer than the smaller of their steps."""
    normal = slice_normal(np.array(groups[0][0].orientation))
    spans = []
    for frames in groups:
        along = sorted(float(np.array(frame.position) @ normal) for frame in frames)
        spans.append((along[0], along[-1], (along[-1] - along[0]) / (len(along) - 1)))
    spans.sort()
    return any(
        after[0] < before[1] + min(before[2], after[2]) * (1 - _NEAR) for before, after in pairwise(spans)
    )


def _varying(frames: Sequence[Frame]) -> list[str]:
    """Names of traits that are not the same in all frames, in the order in which they are tried."""
    own = [dict(frame.traits) for frame in frames]
    names = dict.fromkeys(name for traits in own for name in traits)
    return [name for name in names if len({traits.get(name) for traits in own}) > 1]


def _split_same_kind(part: SeriesPart) -> list[SeriesPart]:
    frames = part.frames
    places = _places(frames)
    times = max(Counter(places).values())
    if times == 1:
        return [part]
    own = [dict(frame.traits) for frame in frames]
    names = _varying(frames)
    for count in range(1, MOST_TRAITS + 1):
        for chosen in combinations(names, count):
            keys = [tuple(traits.get(name) for name in chosen) for traits in own]
            if len(set(keys)) == times and _each_place_once(keys, places):
                return _named(part, keys, chosen)
    return _by_instance(part, places, times) or [part]


def _alike(a: Frame, b: Frame, shape_of: dict[str, tuple[int, int]]) -> bool:
    if shape_of[a.file] != shape_of[b.file] or a.stack != b.stack:
        return False
    if a.spacing and b.spacing and not np.allclose(a.spacing, b.spacing, rtol=1e-3):
        return False
    if a.orientation is None or b.orientation is None:
        return a.orientation is b.orientation
    return same_orientation(np.array(a.orientation), np.array(b.orientation))


def _places(frames: Sequence[Frame]) -> list[int]:
    if frames[0].orientation is None:
        return list(range(len(frames)))
    normal = slice_normal(np.array(frames[0].orientation))
    along = np.array([np.array(frame.position or (0, 0, 0)) @ normal for frame in frames])
    order = np.argsort(along, kind="stable")
    ranks = np.concatenate([[0], np.cumsum(np.diff(along[order]) > PLACE_TOLERANCE_MM)])
    places = np.empty(len(frames), dtype=int)
    places[order] = ranks
    return [int(place) for place in places]


def _each_place_once(keys: Sequence[Any], places: Sequence[int]) -> bool:
    pairs = list(zip(keys, places, strict=True))
    return len(set(pairs)) == len(pairs)


def _named(part: SeriesPart, keys: Sequence[tuple[Any, ...]], chosen: tuple[str, ...]) -> list[SeriesPart]:
    distinct = sorted(
        set(keys), key=lambda key: tuple((value is not None, _sortable(value)) for value in key)
    )
    parts = []
    for number, key in enumerate(distinct, start=1):
        frames = tuple(frame for frame, own in zip(part.frames, keys, strict=True) if own == key)
        pairs = enumerate(zip(chosen, key, strict=True))
        words = [_word(name, value, distinct, index, number) for index, (name, value) in pairs]
        prefix = [part.name] if part.name else []
        parts.append(SeriesPart(frames, " ".join([*prefix, *words])))
    return parts


def _word(name: str, value: Any, distinct: Sequence[tuple[Any, ...]], index: int, number: int) -> str:
    if name == "diffusion":
        return _diffusion_word(value, [key[index] for key in distinct])
    if name in ("time", "content time"):
        return f"t={number}"
    if name == "echo":
        echoes = sorted({key[index] for key in distinct}, key=_sortable)
        return f"echo={echoes.index(value) + 1}"
    return f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"


def _diffusion_word(value: Any, everything: Sequence[Any]) -> str:
    if value is None:
        return "b=0"
    b = 0.0 if value[0] is None else value[0]
    shells = list(dict.fromkeys(item[1] for item in everything if item is not None and item[0] == value[0]))
    return f"b={b:g}" if len(shells) < 2 else f"b={b:g} dir={shells.index(value[1]) + 1}"


def _by_instance(part: SeriesPart, places: Sequence[int], times: int) -> list[SeriesPart] | None:
    """Last resort: instance numbers that run through all positions, block after block."""
    numbers = [frame.instance for frame in part.frames]
    if None in numbers or len(set(numbers)) != len(numbers) or set(Counter(places).values()) != {times}:
        return None
    order = sorted(range(len(numbers)), key=lambda index: numbers[index] or 0)
    size = len(order) // times
    blocks = [order[start : start + size] for start in range(0, len(order), size)]
    if any(len({places[index] for index in block}) != size for block in blocks):
        return None
    prefix = f"{part.name} " if part.name else ""
    return [
        SeriesPart(tuple(part.frames[index] for index in block), f"{prefix}t={number}")
        for number, block in enumerate(blocks, start=1)
    ]


def _sortable(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_sortable(item) for item in value)
    return (0, value) if isinstance(value, int | float) else (1, str(value)) if value is not None else (-1, 0)
