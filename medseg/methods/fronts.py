"""Fronts that move from seeds in true mm: first in coarse steps, then in fine ones; numerics by ITK."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as Choice

from medseg.domain import Finding, Grid, Image, Params, Prompts, Run
from medseg.domain.values import as_details
from medseg.masks.seeds import Field, field_of, margin_field, place_seeds, require_usable
from medseg.methods.base import refuse_sheared
from medseg.methods.child import in_child
from medseg.methods.front_layers import Layer, edge_of, layer_of, on_grid, other_seeds
from medseg.methods.front_steps import Forces, moved
from medseg.methods.seeded import distance_from, expected_voxels, parts_with

__all__ = ["Found", "Front", "FrontParams", "front_bytes", "grown_fronts"]

#: Voxels of the coarse and the fine grid that a front moves on; edges of voxels are equal there, because
#: ITK's fronts know distances only as layers of voxels.
_NODES = (32**3, 64**3)
#: Steps at most after the first time on the coarse grid: the front is near its place already.
_FINE_STEPS = 20
#: Share of the voxels along the box's cut faces that may be object before it is called cut.
_TOUCHED = 0.01


class FrontParams(Params):
    """What may be chosen of every front."""

    propagation: float = Choice(
        1.0,
        gt=0,
        le=100,
        description="Weight of the push: outwards in the object, back or slower at its end.",
    )
    smoothness_mm: float = Choice(
        0.5,
        ge=0,
        le=100,
        description="Weight of curvature: bumps and necks of less than about twice this radius are evened.",
        json_schema_extra={"unit": "mm"},
    )
    advection: float = Choice(
        0.0, ge=0, le=100, description="Weight of the pull towards the nearest edge, from both sides."
    )
    start_mm: float = Choice(
        3.0,
        gt=0,
        le=100,
        description="Radius of the ball around each seed that the front starts from, and that others keep off.",
        json_schema_extra={"unit": "mm"},
    )
    steps: int = Choice(
        200, ge=1, le=10000, description="Steps of the front at most, on the coarsest grid of the box."
    )
    margin_mm: float = margin_field()


#: (I, J, K) float32 feature of an object with a label, from a layer and the box it was made from.
Feature = Callable[[Layer, Field, int], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Objects found by their fronts.

    Parameters
    ----------
    labels
        (I, J, K) uint16 on the image's grid.
    objects
        Labels that have a seed.
    findings
        What a reader must know: coarser steps, an object cut by the box.
    """

    labels: NDArray[np.uint16]
    objects: tuple[int, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Front:
    """What tells one method's fronts from another's.

    Parameters
    ----------
    method
        Name for messages.
    feature
        What an object's front is moved by, on a layer.
    forces
        Which way the feature moves it, and the weights.
    """

    method: str
    feature: Feature
    forces: Forces


def grown_fronts(
    image: Image,
    prompts: Prompts | None,
    considered: NDArray[np.bool_],
    front: Front,
    params: FrontParams,
    *,
    run: Run,
) -> Found:
    """Objects that fronts find, one from each label's seeds; where two overlap, the deeper front has it.

    A seed always belongs to its object, also where a front left it.

    Raises
    ------
    InputError
        If there is no seed in an object, an object's seeds may not be used, or the grid is sheared.
    """
    refuse_sheared(image.grid, front.method)
    seeds = place_seeds(prompts, image.grid, front.method)
    objects = seeds.labels
    field = field_of(image, seeds, considered, params.margin_mm)
    require_usable(field, seeds.labels, front.method)
    run.check()
    depth = np.zeros(field.values.shape, np.float32)
    labels = np.zeros(depth.shape, np.uint16)
    for done, label in enumerate(objects):
        phi = _moved_to_rest(field, label, front, params, run=run)
        own = (phi < depth) & field.usable
        labels[own], depth[own] = label, phi[own]
        run.progress(done + 1, len(objects), "fronts")
    for label in objects:
        mine = labels == label
        labels[mine & ~parts_with(mine, field.markers == label)] = 0
    findings = (*field.findings, *_cut(field, labels), *_vanished(objects, labels))
    seeded = (field.markers > 0) & field.usable
    labels[seeded] = field.markers[seeded]
    return Found(field.restored(labels), objects, findings)


def _moved_to_rest(
    field: Field, label: int, front: Front, params: FrontParams, *, run: Run
) -> NDArray[np.float32]:
    """(I, J, K) of the field: below 0 inside one object's front."""
    own = (field.markers == label) & field.usable
    distance = distance_from(own, field.grid.spacing)
    other = distance_from(other_seeds(field, label), field.grid.spacing)
    closed = ~field.usable | (other < np.minimum(np.float32(params.start_mm), distance))
    coarse, fine = (layer_of(field, closed, nodes) for nodes in _NODES)
    # Curvature would end a smaller ball before it grows, and one between two voxels is no surface.
    grid, balance = coarse.grid, 2 * params.smoothness_mm / params.propagation
    start = distance - np.float32(max(params.start_mm, 2 * balance, 2 * edge_of(grid)))
    # Of a ball that reaches other seeds only the nearer part.
    phi = on_grid(np.maximum(start, (distance - other) / 2), field.grid, grid)
    # Near its place, what lies on both sides of a front tells more than the seeds did.
    again = (coarse,) if front.forces.kind == "range" else ()
    for number, layer in enumerate((coarse, *again, fine)):
        phi, grid = on_grid(phi, grid, layer.grid), layer.grid
        seeds = layer.places(own, field)
        phi[seeds] = np.minimum(phi[seeds], -edge_of(grid) / 2)
        near = replace(layer, inside=phi < 0) if number else layer
        steps = _FINE_STEPS if number else params.steps
        phi = in_child(run, moved, phi, front.feature(near, field, label), grid, front.forces, steps)
    return on_grid(phi, grid, field.grid)


def _vanished(objects: tuple[int, ...], labels: NDArray[np.uint16]) -> tuple[Finding, ...]:
    lost = [str(label) for label in objects if not (labels == label).any()]
    if not lost:
        return ()
    text = (
        f"The front of object {', '.join(lost)} vanished; lower smoothness_mm, or place seeds deeper inside."
    )
    return (Finding("method.front_vanished", "warning", text),)


def _cut(field: Field, labels: NDArray[np.uint16]) -> tuple[Finding, ...]:
    """Says so where objects lie along faces of the box that are not the image's own."""
    touched = 0
    for axis, (part, extent) in enumerate(zip(field.box, field.shape, strict=True)):
        front = np.moveaxis(labels, axis, 0)
        touched += int((front[0] > 0).sum()) if part.start > 0 else 0
        touched += int((front[-1] > 0).sum()) if part.stop < extent else 0
    if touched <= _TOUCHED * int((labels > 0).sum()):
        return ()
    text = "The object reaches the box around the seeds and may be cut there; raise margin_mm or add seeds."
    return (Finding("method.cut_by_box", "warning", text, as_details(voxels=touched)),)


def front_bytes(grids: Iterable[Grid]) -> int:
    """Peak memory: markers and masks of the image, and the box's fronts, features and what ITK keeps of both."""
    voxels, box = expected_voxels(grids)
    return 9 * voxels + 20 * box + 110 * min(box, _NODES[-1])
