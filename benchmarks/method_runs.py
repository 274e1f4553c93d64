"""One method on one case with one choice of parameters: the robot clicks, the answers are judged, costs are taken."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.method_cases import DATASETS, Task, read_task
from benchmarks.method_grids import all_methods, resolved
from benchmarks.robot import anchors, next_seed
from medseg.domain import Grid, Prompts, Run, Segmentation, Segmenter
from medseg.errors import Cancelled, MedsegError
from medseg.metrics.surface import surface_distances
from medseg.testing.used_memory import watch_peak
from medseg.workflows.segment import segment

__all__ = ["AFTER", "PIECES", "Chain", "is_compared", "is_seeded", "last_mask", "run_chain"]

#: Seeds after which an answer is judged.
AFTER = (1, 3, 5, 10)
#: Methods that cut and do not decide: their best pieces are chosen with the reference, a ceiling.
PIECES = ("supervoxels",)
#: Methods that work without seeds, and are compared with them.
SEEDED_TOO = ("watershed",)
#: Methods whose points are anchors of a contour on one slice; they are compared on slices.
CONTOURS = ("livewire",)
#: A call that takes longer is stopped, and counts as no answer.
LIMIT_S = 30.0

Row = dict[str, Any]


class Chain(NamedTuple):
    """What is run in one go: a method on a case with one setting, to a number of seeds."""

    dataset: str
    case: str
    method: str
    params: dict[str, Any]
    most: int


def run_chain(root: Path, chain: Chain) -> list[Row]:
    """Rows of a method on a case: without seeds one per label of its answer, else one after each of `AFTER`.

    Where the robot sees nothing to correct, or a method refuses, the answer before it stands; a refusal before
    the first answer is an empty mask, and `status` says why.
    """
    task, engine = read_task(root, chain.dataset, chain.case), all_methods()[chain.method]
    tolerance = DATASETS[chain.dataset].tolerance
    rows = []
    for count, label, mask, cost in _answers(engine, task, chain.params, chain.most):
        if count in (0, *AFTER):
            told = chain._asdict() | {"label": label, "seeds": count} | cost
            rows.append(told | _judged(mask, task, tolerance))
    return rows


def is_seeded(engine: Segmenter) -> bool:
    """Whether the robot clicks for a method."""
    return engine.spec.needs_prompts or engine.spec.name in SEEDED_TOO


def is_compared(engine: Segmenter, dataset: str) -> bool:
    """Whether a method is run on a list: what draws on one slice is not judged by whole volumes."""
    return engine.spec.name not in CONTOURS or DATASETS[dataset].slices


def last_mask(root: Path, chain: Chain, label: int) -> NDArray[np.bool_]:
    """The mask of a label at the end of a chain, for a picture."""
    task = read_task(root, chain.dataset, chain.case)
    answers = _answers(all_methods()[chain.method], task, chain.params, chain.most)
    return [mask for _, found, mask, _ in answers if found == label][-1]


def _answers(
    engine: Segmenter, task: Task, chosen: dict[str, Any], most: int
) -> Iterator[tuple[int, int, NDArray[np.bool_], Row]]:
    """(seeds, label, mask, cost) after each seed; of a method without seeds each label once, after none."""
    mask, prompts = np.zeros(task.reference.shape, np.bool_), Prompts()
    if not is_seeded(engine):
        found, cost = _called(engine, task, chosen, None)
        for label in (1,) if found is None else found.table.values:
            yield 0, label, mask if found is None else _object(found, task, label), cost
        return
    if engine.spec.name in CONTOURS:
        for count in range(1, most + 1):
            found, cost = _called(engine, task, chosen, anchors(task.reference, task.image.grid, count))
            mask = mask if found is None else found.mask(1)
            yield count, 1, mask, cost
        return
    cost = {"seconds": 0.0, "memory_mib": 0.0, "status": "ok"}
    for count in range(1, most + 1):
        point = next_seed(mask, task.reference, task.image.grid, prompts)
        if point is not None:
            prompts = Prompts(points=(*prompts.points, point))
            found, cost = _called(engine, task, chosen, prompts)
            mask = mask if found is None else found.mask(1)
        yield count, 1, mask, cost


def _called(
    engine: Segmenter, task: Task, chosen: dict[str, Any], prompts: Prompts | None
) -> tuple[Segmentation | None, Row]:
    """The answer, or None and why; what it cost."""
    params = resolved(chosen, task.image, prompts or Prompts())
    due, status, found = time.monotonic() + LIMIT_S, "ok", None
    run = Run(cancel=lambda: time.monotonic() > due, threads=1)
    grown = watch_peak()
    start = time.perf_counter()
    try:
        found = segment(engine, task.image, params=params, prompts=prompts, run=run)
    except Cancelled:
        status = f"stopped after {LIMIT_S:.0f} s"
    except MedsegError as error:
        status = str(error)
    except Exception as error:  # noqa: BLE001 - a fault in one method must not end the comparison
        status = f"FAULT {type(error).__name__}: {error}"
    seconds = time.perf_counter() - start
    return found, {
        "seconds": round(seconds, 4),
        "memory_mib": round((grown() or 0) / 2**20, 1),
        "status": status[:160],
    }


def _object(answer: Segmentation, task: Task, label: int) -> NDArray[np.bool_]:
    """Voxels of a label; of a method that only cuts, the pieces that lie mostly in the reference."""
    if answer.made_by.segmenter not in PIECES or answer.instances is None:
        return answer.mask(label)
    ids = np.asarray(answer.instances)
    inside = np.bincount(ids[task.reference], minlength=int(ids.max()) + 1)
    chosen = 2 * inside > np.bincount(ids.ravel(), minlength=inside.size)
    chosen[0] = False
    return np.asarray(chosen[ids])


def _judged(mask: NDArray[np.bool_], task: Task, tolerance: float) -> Row:
    reference = task.reference
    total = int(mask.sum()) + int(reference.sum())
    dice = 2 * int((mask & reference).sum()) / total if total else 1.0
    surface = _surface_dice(mask, reference, task.image.grid, tolerance) if mask.any() else 0.0
    return {"dice": round(dice, 5), "surface_dice": round(surface, 5)}


def _surface_dice(
    mask: NDArray[np.bool_], reference: NDArray[np.bool_], grid: Grid, tolerance: float
) -> float:
    """Over the box that holds both masks; a lone slice stays one."""
    places = np.argwhere(mask | reference)
    box = tuple(slice(a, b + 1) for a, b in zip(places.min(axis=0), places.max(axis=0), strict=True))
    return surface_distances(mask[box], reference[box], grid).surface_dice(tolerance)
