"""Segment and measure in a process of their own, so that a window can end them whatever they are doing.

Libraries that load, a long window of a network, a solver, a measurement: none of them hears a cancel. The process that
works is ended instead, at once. Images are lent to it (see `medseg.workflows.lent`); a mask comes back thin.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Image, Params, Prompts, Record, Run, Segmentation, Segmenter
from medseg.domain.plan import MeasurePlan
from medseg.domain.run import Progress
from medseg.methods.child import in_child
from medseg.workflows.lent import Lent, Shelf, Thin, forget_all_but
from medseg.workflows.measure import measure
from medseg.workflows.segment import segment

__all__ = [
    "Asked",
    "Parts",
    "lend_image",
    "measure_apart",
    "opened_images",
    "opened_mask",
    "segment_apart",
    "sent_mask",
    "warm_up",
]

#: The fields of a value, of which some are lent or thin.
Parts: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What is to be segmented, by what; as of `medseg.workflows.segment`."""

    segmenter: Segmenter
    images: Mapping[str, Image]
    params: Params | Mapping[str, Any] = field(default_factory=dict)
    prompts: Prompts | None = None
    within: NDArray[np.bool_] | None = None
    same_space: bool = False


def segment_apart(asked: Asked, shelf: Shelf, run: Run) -> Segmentation:
    """As `segment`, voxel for voxel, in another process.

    Raises
    ------
    Cancelled
        Within a tenth of a second of `run.cancel`; the process and all that it started are gone by then.
    """
    run.progress(0, None, "starting")
    parts = {name: lend_image(image, shelf) for name, image in asked.images.items()}
    within = None if asked.within is None else shelf.lend(asked.within)
    task = replace(asked, images={}, within=None)
    made, thin, objects = in_child(run, _segment, task, parts, within, _how(run))
    run.check()
    instances = None if objects is None else objects.whole()
    return Segmentation(thin.whole(), instances=instances, **made)


def measure_apart(
    mask: Segmentation,
    images: Mapping[str, Image],
    shelf: Shelf,
    run: Run,
    *,
    plan: MeasurePlan | None = None,
    same_space: bool = False,
) -> Record:
    """As `measure`, digit for digit, in another process; raises as `segment_apart`."""
    run.progress(0, None, "starting")
    parts = {name: lend_image(image, shelf) for name, image in images.items()}
    return in_child(run, _measure, sent_mask(mask), parts, {"plan": plan, "same_space": same_space})


def warm_up(asked: Asked, shelf: Shelf, run: Run) -> None:
    """Have a process ready that knows these images and has the segmenter's libraries loaded."""
    in_child(
        run, _warm, asked.segmenter, {name: lend_image(image, shelf) for name, image in asked.images.items()}
    )


def sent_mask(mask: Segmentation) -> Parts:
    """A mask as it is sent to another process: thin, and without probabilities; `opened_mask` is the way back."""
    sent = {name: getattr(mask, name) for name in Segmentation.__slots__}
    sent |= {"labels": Thin.of(mask.labels), "probabilities": None}
    sent["instances"] = None if mask.instances is None else Thin.of(mask.instances)
    return sent


def opened_mask(sent: Parts) -> Segmentation:
    """A mask that was sent."""
    whole: Parts = {name: value.whole() if isinstance(value, Thin) else value for name, value in sent.items()}
    return Segmentation(**whole)


def lend_image(image: Image, shelf: Shelf) -> Parts:
    """An image as it is sent to another process: its voxels are lent; `opened_images` is the way back."""
    parts = {name: getattr(image, name) for name in Image.__slots__}
    lent = {name: shelf.lend(parts[name]) for name in ("array", "outside") if parts[name] is not None}
    return parts | lent


def opened_images(images: Mapping[str, Parts]) -> dict[str, Image]:
    """Images that were lent, in the process that they were lent to."""
    lent = {value.path for parts in images.values() for value in parts.values() if isinstance(value, Lent)}
    forget_all_but(lent)
    return {
        name: Image(**{key: _open(value) for key, value in parts.items()}) for name, parts in images.items()
    }


def _open(value: Any) -> Any:
    return value.open() if isinstance(value, Lent) else value


def _how(run: Run) -> Run:
    """How to run, without the lines to this process; they don't travel."""
    return Run(run.device, run.memory_bytes, run.threads, run.seed, run.deterministic)


def _segment(
    asked: Asked, parts: Mapping[str, Parts], within: Any, how: Run, progress: Progress
) -> tuple[dict[str, Any], Thin, Thin | None]:
    """In the other process."""
    progress(0, None, "loading")
    images = opened_images(parts)
    found = segment(
        asked.segmenter,
        images,
        params=asked.params,
        within=_open(within),
        prompts=asked.prompts,
        same_space=asked.same_space,
        run=replace(how, progress=progress),
    )
    made = {name: getattr(found, name) for name in ("grid", "table", "made_by", "findings", "probabilities")}
    return made, Thin.of(found.labels), None if found.instances is None else Thin.of(found.instances)


def _measure(sent: Parts, parts: Mapping[str, Parts], how: Mapping[str, Any], progress: Progress) -> Record:
    """In the other process."""
    progress(0, None, "measuring")
    return measure(opened_mask(sent), opened_images(parts) or None, **how)


def _warm(segmenter: Segmenter, parts: Mapping[str, Parts]) -> str:
    """In the other process: its libraries are loaded by now, as the segmenter was unpacked."""
    for image in opened_images(parts).values():
        _ = image.digest
    return segmenter.spec.name
