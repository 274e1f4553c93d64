"""Fronts that move from seeds in true mm: first in coarse steps, then in fine ones; numerics by ITK."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Image, Prompts, Run
from medseg.domain.values import as_details
from medseg.errors import InputError
from medseg.geometry.lps import flip_affine
from medseg.geometry.resample import grid_with_spacing, resample
from medseg.geometry.sitk import from_sitk, to_sitk
from medseg.methods.child import in_child
from medseg.methods.edges import smoothed
from medseg.methods.seeded import distance_from, parts_with
from medseg.methods.seeds import Field, Seeds, field_of, place_seeds

__all__ = ["NODES", "Forces", "Found", "Layer", "Start", "grown_fronts", "through_layers"]

#: Voxels of the grids that a front moves on, one after the other; edges of voxels are equal there, because
#: ITK's fronts know distances only as layers of voxels.
NODES = (32**3, 64**3)
#: Steps at most on each but the first grid, where the front is near its place already.
_FINE_STEPS = 20
#: Steps between two looks whether it still moves, and the share of voxels that may change when it rests.
_SPELL = 10
_RESTS = 2e-3
#: Share of the voxels along the box's cut faces that may be object before it is called cut.
_TOUCHED = 0.01


@dataclass(frozen=True, slots=True)
class Forces:
    """What moves a front.

    Parameters
    ----------
    kind
        `range`: forward where a feature lies in −1…1, back elsewhere. `edges`: forward by a feature of 0…1
        that is low at edges.
    propagation, curvature, advection
        Their weights; curvature in mm (px on px grids): the radius of a ball on which it balances a
        propagation of 1 is twice that. Advection (towards edges) works with `edges` only.
    """

    kind: Literal["edges", "range"]
    propagation: float
    curvature: float
    advection: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What one object's front moves through, on a grid with equal edges.

    Parameters
    ----------
    values, usable
        (I, J, K) float32, and bool.
    closed
        Where it may not go: what is not usable, and what is near a seed of another kind.
    inside
        Of the front, once it is near its place; None before.
    grid
        Of all these.
    """

    values: NDArray[np.float32]
    usable: NDArray[np.bool_]
    closed: NDArray[np.bool_]
    inside: NDArray[np.bool_] | None
    grid: Grid


#: (I, J, K) float32 feature of an object with a label, from a layer and the box it was made from.
Feature = Callable[[Layer, Field, int], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Objects found by their fronts.

    Parameters
    ----------
    labels
        (I, J, K) uint16 on the image's grid.
    seeds
        What they grew from.
    findings
        What a reader must know: coarser steps, an object cut by the box.
    """

    labels: NDArray[np.uint16]
    seeds: Seeds
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """Where fronts start: balls around the seeds, in a box.

    Parameters
    ----------
    method
        Name for messages.
    margin, radius
        Of the box around the seeds, and of the balls, in the grid's unit.
    steps
        At most so many on the coarsest grid.
    """

    method: str
    margin: float
    radius: float
    steps: int


def grown_fronts(
    image: Image,
    prompts: Prompts | None,
    considered: NDArray[np.bool_],
    feature: Feature,
    forces: Forces,
    *,
    start: Start,
    run: Run,
) -> Found:
    """Objects that fronts find, one from each label's seeds; where two overlap, the deeper front has it.

    Raises
    ------
    InputError
        If there is no seed in an object, an object's seeds may not be used, or the grid is sheared.
    """
    if image.grid.is_sheared:
        raise InputError(
            f"{start.method} needs axes at right angles; resample this image on a regular grid with --resample"
        )
    seeds = place_seeds(prompts, image.grid, start.method)
    field = field_of(image, seeds, considered, start.margin)
    run.check()
    depth = np.zeros(field.values.shape, np.float32)
    labels = np.zeros(depth.shape, np.uint16)
    for done, label in enumerate(seeds.labels):
        phi = _front(field, label, feature, forces, start, run=run)
        own = (phi < depth) & field.usable
        labels[own], depth[own] = label, phi[own]
        run.progress(done + 1, len(seeds.labels), "fronts")
    for label in seeds.labels:
        mine = labels == label
        labels[mine & ~parts_with(mine, field.markers == label)] = 0
    findings = (*field.findings, *_cut(field, labels), *_vanished(seeds, labels))
    return Found(field.restored(labels), seeds, findings)


def _front(
    field: Field, label: int, feature: Feature, forces: Forces, start: Start, *, run: Run
) -> NDArray[np.float32]:
    """(I, J, K) of the field: below 0 inside one object's front."""
    own = (field.markers == label) & field.usable
    if not own.any():
        raise InputError(f"{start.method}: the seeds of object {label} lie outside --within or the boxes")
    distance = distance_from(own, field.grid.spacing)
    other = distance_from((field.markers != 0) & (field.markers != label), field.grid.spacing)
    closed = ~field.usable | (other < np.minimum(np.float32(start.radius), distance))
    layers = [_layer(field, closed, nodes) for nodes in NODES]
    layers = [
        layer for n, layer in enumerate(layers) if n == 0 or layer.grid.shape != layers[n - 1].grid.shape
    ]
    first, last = layers[0].grid, layers[-1]
    # Curvature would end a smaller ball before it grows, and one between two voxels is no surface.
    radius = max(start.radius, 4 * forces.curvature / max(forces.propagation, 1e-3), 2 * _edge(first))
    phi = _on(distance, field.grid, first) - np.float32(radius)
    work = [(feature(layer, field, label), layer.grid) for layer in layers]
    phi = in_child(run, through_layers, phi, work, forces, start.steps)
    if forces.kind == "range" and (phi < 0).any():
        # Near its place, what lies on both sides of the front tells more than the seeds did.
        learnt = feature(replace(last, inside=phi < 0), field, label)
        phi = in_child(run, through_layers, phi, [(learnt, last.grid)], forces, _FINE_STEPS)
    return _on(phi, last.grid, field.grid)


def _layer(field: Field, closed: NDArray[np.bool_], nodes: int) -> Layer:
    """The field on at most about so many voxels with equal edges, no finer than its own finest."""
    old = field.grid.spacing
    axes = [axis for axis in range(3) if field.grid.shape[axis] > 1] or [0]
    size = float(np.prod([old[axis] * field.grid.shape[axis] for axis in axes]))
    edge = max(min(old[axis] for axis in axes), float((size / nodes ** (len(axes) / 3)) ** (1 / len(axes))))
    first, second, third = (edge if axis in axes else old[axis] for axis in range(3))
    grid = grid_with_spacing(field.grid, (first, second, third))
    # What is left out between sparser voxels is averaged.
    sigma = 0.4 * np.sqrt(max(edge**2 - min(old[axis] for axis in axes) ** 2, 0.0))
    values = _on(smoothed(field.values, field.usable, old, float(sigma)), field.grid, grid)
    usable = resample(field.usable, field.grid, grid, interpolation="nearest")
    shut = resample(closed, field.grid, grid, interpolation="nearest")
    return Layer(values, usable, shut | ~usable, None, grid)


def _on(values: NDArray[np.float32], source: Grid, target: Grid) -> NDArray[np.float32]:
    """Values on another grid; beyond the source the largest, which is outside of any front."""
    return resample(values, source, target, fill=float(values.max())).astype(np.float32)


def _edge(grid: Grid) -> float:
    """Length of an edge that is alike along all axes of more than one voxel."""
    return min(
        n for n, extent in zip(grid.spacing, grid.shape, strict=True) if extent > 1 or max(grid.shape) == 1
    )


def through_layers(
    phi: NDArray[np.float32], layers: list[tuple[NDArray[np.float32], Grid]], forces: Forces, steps: int
) -> NDArray[np.float32]:
    """Move a front on the first grid until it rests, then on each finer one a little; runs in a process of its own.

    Parameters
    ----------
    phi
        (I, J, K) signed distance on the first grid, negative inside.
    layers
        Feature (float32) and grid, coarse to fine.
    forces
        What moves it.
    steps
        At most, on the first grid.

    Returns
    -------
    float32 on the last grid; below 0 inside.
    """
    grid = layers[0][1]
    for number, (values, finer) in enumerate(layers):
        if number:
            phi = _on(phi, grid, finer)
        phi = _moved(phi, values, finer, forces, _FINE_STEPS if number else steps)
        grid = finer
    return phi


def _moved(
    phi: NDArray[np.float32], values: NDArray[np.float32], grid: Grid, forces: Forces, steps: int
) -> NDArray[np.float32]:
    """Move in short spells until hardly a voxel changes: ITK's own measure does not settle, and slows then."""
    # ITK turns the pull of edges by the image's direction and the front's slope not; without a turn both agree.
    # Its Gaussians want four voxels along every axis: a slice is repeated.
    more = [(0, max(0, 4 - extent)) for extent in phi.shape]
    shape = tuple(slice(extent) for extent in phi.shape)
    phi, values = np.pad(phi, more, mode="edge"), np.pad(values, more, mode="edge")
    straight = replace(grid, shape=phi.shape, affine=flip_affine(np.diag([*grid.spacing, 1.0])))
    feature = to_sitk(values, straight)
    inside = phi < 0
    for done in range(0, steps, _SPELL):
        mover = _mover(forces, min(_SPELL, steps - done))
        phi = from_sitk(mover.Execute(to_sitk(phi, straight), feature)).astype(np.float32)
        before, inside = inside, phi < 0
        if int((before ^ inside).sum()) <= _RESTS * max(1, int(inside.sum())):
            break
    return phi[shape]


def _mover(forces: Forces, steps: int) -> Any:
    import SimpleITK as sitk

    mover: Any
    if forces.kind == "range":
        mover = sitk.ThresholdSegmentationLevelSetImageFilter()
        mover.SetLowerThreshold(-1.0)
        mover.SetUpperThreshold(1.0)
    else:
        mover = sitk.GeodesicActiveContourLevelSetImageFilter()
        mover.SetAdvectionScaling(forces.advection)
    mover.SetPropagationScaling(forces.propagation)
    mover.SetCurvatureScaling(forces.curvature)
    mover.SetNumberOfIterations(steps)
    mover.SetMaximumRMSError(0.0)
    mover.SetNumberOfThreads(1)
    return mover


def _vanished(seeds: Seeds, labels: NDArray[np.uint16]) -> tuple[Finding, ...]:
    lost = [str(label) for label in seeds.labels if not (labels == label).any()]
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
