"""How well objects are told apart on phantoms that no training reaches, by a network and by what needs none."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Grid, Image, ModelCard, Run
from medseg.domain.card import Quality
from medseg.inference import ModelSegmenter
from medseg.masks.components import components
from medseg.masks.split import split_touching
from medseg.training.phantoms import InstanceTraining, draw_phantom

__all__ = ["WAYS", "ObjectCount", "count_objects", "f1_of", "judge_phantoms", "quality_of", "quality_table"]

#: How a foreground becomes objects: the network's distances, necks of its shape, its connected parts.
WAYS = ("network", "split at necks", "connected components")
#: Numbers of phantoms from here on are for judging.
_UNSEEN = 10_000_000
_RESAMPLES, _LEVEL = 10_000, 0.95


@dataclass(frozen=True, slots=True)
class ObjectCount:
    """Of one case, by one way: objects that are there, that were given, and how many of them fit (IoU above 0.5)."""

    case: str
    way: str
    objects: int
    given: int
    fitting: int


def count_objects(case: str, way: str, given: NDArray[Any], truth: NDArray[Any]) -> ObjectCount:
    """Objects of an answer beside those of the truth.

    Parameters
    ----------
    case, way
        What they are called in a table.
    given, truth
        (I, J, K) unsigned ids of objects, 0 for none.

    Notes
    -----
    An object fits if the intersection with the one that it shares most voxels with is more than half of their union:
    at most one can (Kirillov 2019, arXiv 1801.00868).
    """
    fitting = 0
    there = np.unique(truth[truth > 0])
    for one in there:
        inside = truth == one
        shared = np.bincount(given[inside].astype(np.int64))
        shared[0] = 0
        best = given == shared.argmax()
        fitting += bool(shared.any() and 2 * (inside & best).sum() > (inside | best).sum())
    return ObjectCount(case, way, len(there), len(np.unique(given[given > 0])), fitting)


def f1_of(rows: Sequence[ObjectCount]) -> float:
    """2 · fitting / (there + given), over all cases together; 1 where there is nothing and nothing was given."""
    total = sum(row.objects + row.given for row in rows)
    return 2 * sum(row.fitting for row in rows) / total if total else 1.0


def judge_phantoms(
    card: ModelCard, folder: Path, settings: InstanceTraining, run: Run
) -> tuple[ObjectCount, ...]:
    """Objects found on unseen phantoms, by the network and from its foreground by what needs no distance.

    Parameters
    ----------
    card, folder
        A bundle.
    settings
        What phantoms are drawn by.
    run
        Device, threads, cancel.
    """
    segmenter = ModelSegmenter(card, folder)
    grid = Grid(settings.patch, np.diag([*(settings.spacing_mm,) * 3, 1.0]))
    plain = Run(device=run.device, threads=run.threads, seed=run.seed, cancel=run.cancel)
    rows: list[ObjectCount] = []
    for number in range(_UNSEEN, _UNSEEN + settings.unseen):
        phantom = draw_phantom(number, settings)
        image = Image(phantom.image, grid)
        found = segmenter.segment({"image": image}, segmenter.Params(), run=plain)
        inside = found.labels > 0
        ways = (
            found.instances,
            split_touching(inside, grid, settings.depth_mm),
            components(inside),
        )
        rows += [
            count_objects(str(number), way, _large(ids, settings), phantom.ids)
            for way, ids in zip(WAYS, ways, strict=True)
            if ids is not None
        ]
        run.progress(number - _UNSEEN + 1, settings.unseen, "unseen phantoms")
    return tuple(rows)


def _large(ids: NDArray[Any], settings: InstanceTraining) -> NDArray[Any]:
    """Objects without those that the phantoms have none of, whichever way they came."""
    small = np.bincount(ids.ravel()) * settings.spacing_mm**3 < settings.minimum_mm3
    return np.where(small[ids], 0, ids)


def quality_of(rows: Sequence[ObjectCount], command: str) -> Quality:
    """The network's F1 for a card, with a bootstrap interval over cases; the note has that of the other ways."""
    own = [row for row in rows if row.way == WAYS[0]]
    counts = np.array([(2 * row.fitting, row.objects + row.given) for row in own])
    drawn = np.random.default_rng(0).integers(len(own), size=(_RESAMPLES, len(own)))
    hits, total = np.moveaxis(counts[drawn].sum(axis=1), -1, 0)
    low, high = np.quantile(hits / np.maximum(total, 1), [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    others = " and ".join(
        f"{f1_of([row for row in rows if row.way == way]):.2f} by {way}" for way in WAYS[1:]
    )
    note = f"objects of phantoms it has not seen, at an IoU above 0.5; the same foreground gives {others}"
    return Quality("object", "f1", f1_of(own), float(low), float(high), _LEVEL, len(own), command, note)


def quality_table(rows: Sequence[ObjectCount]) -> bytes:
    """Rows as CSV."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [field.name for field in fields(ObjectCount)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return stream.getvalue().encode()
