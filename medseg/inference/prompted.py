"""Promptable networks: one object per label, looked at in a window around its clicks, then around the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as Choice

from medseg.domain import (
    Finding,
    Grid,
    Image,
    ModelCard,
    Params,
    Prompts,
    Provenance,
    Run,
    Segmentation,
    SegmenterSpec,
)
from medseg.domain.provenance import ImageDigest
from medseg.domain.values import as_details
from medseg.errors import InputError
from medseg.geometry.resample import crop_grid, resample
from medseg.inference.clicks import click_map, window_grid
from medseg.inference.ensemble import Predictor
from medseg.inference.load import load_predictor
from medseg.inference.prepare import values_on_grid
from medseg.inference.segmenter import library_version, spec_of
from medseg.inference.steps import preprocess
from medseg.masks.components import label_parts
from medseg.masks.fractions import Box, bounds
from medseg.masks.morphology import grown
from medseg.masks.seeds import BACKGROUND, Seeds, object_table, place_seeds
from medseg.models import model_facts, weights_digest

__all__ = ["PromptedParams", "PromptedSegmenter"]

#: Share from which a voxel is the object.
_HALF = 0.5


class PromptedParams(Params):
    """What may be chosen for any promptable model."""

    first_mm: float = Choice(
        45.0,
        gt=0,
        le=10_000,
        description="How far beyond the clicks the first look reaches; the next ones follow the answer.",
        json_schema_extra={"unit": "mm"},
    )
    margin_mm: float = Choice(
        150.0,
        gt=0,
        le=10_000,
        description="How far beyond the clicks the object may reach.",
        json_schema_extra={"unit": "mm"},
    )


@dataclass(frozen=True)
class PromptedSegmenter:
    """Answers to clicks with the promptable network in a bundle.

    Parameters
    ----------
    card
        What to run.
    folder
        Where the bundle lies; weights are read on first use.
    predictor
        Stands in for the bundle's networks.
    """

    card: ModelCard
    folder: Path
    predictor: Predictor | None = None
    Params = PromptedParams

    @property
    def spec(self) -> SegmenterSpec:
        """Description, from the card."""
        return replace(spec_of(self.card), needs_prompts=True, near_prompts=True, needs_mm=False)

    def segment(
        self,
        images: Mapping[str, Image],
        params: PromptedParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,
        run: Run,
    ) -> Segmentation:
        """Look at each object by itself; where two want a voxel, the surer one has it, and clicks have the last word.

        Raises
        ------
        InputError
            If there is no click in an object, or one lies outside the image or `within`.
        ModelError
            If the weights are damaged.
        """
        image = images[self.card.reference]
        if image.grid.is_sheared:
            raise InputError(
                f"{self.card.name} needs axes at right angles; resample this image on a regular grid with --resample"
            )
        seeds = place_seeds(prompts, image.grid, self.card.name)
        usable = _usable(image, within, seeds)
        for label in seeds.labels:
            if not (usable & (seeds.markers == label)).any():
                raise InputError(
                    f"{self.card.name}: the seeds of object {label} lie outside --within or the boxes"
                )
        run.check()
        predictor = self.predictor or load_predictor(self.card, self.folder, (), run)
        labels = np.zeros(image.grid.shape, np.uint16)
        best = np.full(image.grid.shape, _HALF, np.float32)
        with predictor.running(run):
            for number, label in enumerate(seeds.labels):
                run.check()
                box, share = self._object(image, seeds, label, params.first_mm, predictor)
                wins = (share > best[box]) & usable[box] & _held(share, seeds.markers[box] == label)
                for own in _limits(seeds, label, image.grid.shape):
                    wins &= own[box]
                labels[box][wins], best[box][wins] = label, share[wins]
                run.progress(number + 1, len(seeds.labels), f"object {label}")
        kept = _finished(labels, seeds, usable)
        return Segmentation(
            kept,
            image.grid,
            object_table(seeds.labels),
            self._made_by(image, params, predictor, run),
            (*image.findings, *_nothing_more(kept, seeds)),
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: PromptedParams) -> int:  # noqa: ARG002
        """Markers, shares and labels of the image, and features of the window."""
        voxels = sum(prod(grid.shape) for grid in grids.values())
        return 24 * voxels + 4 * 12 * self.card.network.filters[0] * prod(self.card.window)

    def _object(
        self, image: Image, seeds: Seeds, label: int, first_mm: float, predictor: Predictor
    ) -> tuple[Box, NDArray[np.float32]]:
        """Share of an object on the voxels of a box of the image, outside of which there is none of it."""
        rule = self.card.clicks
        assert rule is not None  # noqa: S101 - for the type checker: its card made it
        grid = image.grid
        own = seeds.markers == label
        inside, outside = _places(own, grid), _places((seeds.markers != 0) & ~own, grid)
        looks = rule.looks
        box = _first_box(seeds, label, grid, first_mm)
        before: tuple[NDArray[np.float32], Grid] | None = None
        while True:
            window = window_grid(grid, box, self.card.window)
            before = self._look(image, window, (inside, outside), before, predictor), window
            covered = _covered(window, grid)
            found = np.asarray(resample(*before, crop_grid(grid, covered), fill=0.0), np.float32)
            looks -= 1
            again = _around(found, covered, seeds.markers == label, grid, rule.around)
            if looks == 0 or again is None or again == box:
                return covered, found
            box = again

    def _look(
        self,
        image: Image,
        window: Grid,
        clicks: tuple[NDArray[np.float64], NDArray[np.float64]],
        before: tuple[NDArray[np.float32], Grid] | None,
        predictor: Predictor,
    ) -> NDArray[np.float32]:
        """Share of the object on a window; clicks lie inside it, and outside."""
        rule = self.card.clicks
        assert rule is not None  # noqa: S101 - for the type checker: its card made it
        (channel,) = self.card.channels
        values, known = values_on_grid(image, window, channel)
        seen = preprocess(values, known, channel.name, self.card.preprocessing)
        radius = rule.radius_steps * window.spacing[0]
        answer = np.zeros(window.shape, np.float32)
        if before is not None and rule.sees_answer:
            answer = np.asarray(resample(*before, window, fill=0.0), np.float32)
        maps = [click_map(window, places, radius) for places in clicks]
        batch = np.stack([np.where(known, seen, np.float32(0)), *maps, answer])[None].astype(np.float32)
        return np.where(known, predictor(batch)[0, 1], np.float32(0))

    def _made_by(self, image: Image, params: PromptedParams, predictor: Predictor, run: Run) -> Provenance:
        return Provenance(
            segmenter=self.card.name,
            parameters=(*params.details, ("version", self.card.version)),
            weights_digest=weights_digest(self.card) if self.card.weights else None,
            images=(ImageDigest(self.card.reference, image.digest),),
            run=as_details(device=predictor.device, seed=run.seed, **library_version(predictor)),
            model=model_facts(self.card),
        )


def _usable(image: Image, within: NDArray[np.bool_] | None, seeds: Seeds) -> NDArray[np.bool_]:
    """Voxels with a measurement, inside `within` and, where all objects have boxes, inside these."""
    usable = (
        np.isfinite(image.array) if image.array.dtype.kind == "f" else np.ones(image.grid.shape, np.bool_)
    )
    for allowed in (within, seeds.allowed, None if image.outside is None else ~image.outside):
        if allowed is not None:
            usable = usable & allowed
    return usable


def _limits(seeds: Seeds, label: int, shape: tuple[int, ...]) -> tuple[NDArray[np.bool_], ...]:
    """The voxels of an object's own boxes, where it has some."""
    if label not in seeds.boxes:
        return ()
    inside = np.zeros(shape, np.bool_)
    for box in seeds.boxes[label]:
        inside[box] = True
    return (inside,)


def _places(mask: NDArray[np.bool_], grid: Grid) -> NDArray[np.float64]:
    """(n, 3) positions of a mask's voxels."""
    return grid.to_position(np.argwhere(mask).astype(np.float64)).reshape(-1, 3)


def _first_box(seeds: Seeds, label: int, grid: Grid, first_mm: float) -> Box:
    """Around an object's seeds, or around its boxes where these say how large it is."""
    found = bounds(seeds.markers == label)
    assert found is not None  # noqa: S101 - an object has a seed
    own = seeds.boxes.get(label, ())
    reach = tuple(int(np.ceil(first_mm / step)) for step in grid.spacing)
    if own or seeds.allowed is not None:
        limit = bounds(_limits(seeds, label, grid.shape)[0]) if own else bounds(np.asarray(seeds.allowed))
        if limit is not None:
            found = _join(found, limit)
            reach = tuple(max(1, (side.stop - side.start) // 4) for side in found)
    return grown(found, grid.shape, reach)


def _join(one: Box, other: Box) -> Box:
    first, second, third = (
        slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one, other, strict=True)
    )
    return first, second, third


def _covered(window: Grid, grid: Grid) -> Box:
    """Voxels of a grid between the outermost voxels of a window on its axes."""
    index = grid.to_index(window.to_position(np.array([[0.0, 0, 0], np.array(window.shape) - 1.0])))
    low = np.clip(np.ceil(index.min(axis=0) - 1e-6), 0, np.array(grid.shape) - 1).astype(int)
    high = np.clip(np.floor(index.max(axis=0) + 1e-6), low, np.array(grid.shape) - 1).astype(int)
    return slice(low[0], high[0] + 1), slice(low[1], high[1] + 1), slice(low[2], high[2] + 1)


def _around(
    share: NDArray[np.float32], box: Box, seeded: NDArray[np.bool_], grid: Grid, room: float
) -> Box | None:
    """The box of the parts that hold a seed, and of all seeds, with room; None where nothing was found."""
    part = bounds(_held(share, seeded[box]))
    seeds = bounds(seeded)
    if part is None or seeds is None:
        return None
    first, second, third = (
        slice(side.start + one.start, side.start + one.stop) for side, one in zip(box, part, strict=True)
    )
    whole = _join((first, second, third), seeds)
    longest = max((side.stop - side.start) * step for side, step in zip(whole, grid.spacing, strict=True))
    return grown(whole, grid.shape, tuple(int(np.ceil(room * longest / step)) for step in grid.spacing))


def _held(share: NDArray[np.float32], seeded: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The parts of an object that hold a seed of it."""
    ids, count = label_parts(share > _HALF)
    held = np.zeros(count + 1, np.bool_)
    held[ids[seeded]] = True
    held[0] = False
    return np.asarray(held[ids])


def _finished(labels: NDArray[np.uint16], seeds: Seeds, usable: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """What was clicked is as it was clicked, and of an object those parts are left that hold a seed of it."""
    labels[seeds.markers == BACKGROUND] = 0
    for label in seeds.labels:
        labels[(seeds.markers == label) & usable] = label
        own = labels == label
        labels[own & ~_held(own.astype(np.float32), own & (seeds.markers == label))] = 0
    return labels


def _nothing_more(labels: NDArray[np.uint16], seeds: Seeds) -> tuple[Finding, ...]:
    """Said where nothing but the clicks was found."""
    if int((labels > 0).sum()) > int((seeds.markers > 0).sum()):
        return ()
    text = (
        "Nothing but the clicks themselves was found: this object is none that the model knows, or clicks contradict "
        "one another."
    )
    return (Finding("model.only_clicks", "warning", text),)
