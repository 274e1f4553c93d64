"""Graph cut: the object that parts seeds at the least cost, by what their values are and where values change."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.errors import InputError
from medseg.methods.base import answer, only_image, usable
from medseg.methods.child import in_child
from medseg.methods.links import links, typical_difference
from medseg.methods.objects import background_markers, cut_by_box, object_table
from medseg.methods.paths import Edges, neighbours
from medseg.methods.seeded import distance_from, expected_voxels, parts_with, reach
from medseg.methods.seeds import BACKGROUND, field_of, place_seeds
from medseg.methods.seeds import Field as SeedField

__all__ = ["GRAPH_CUT", "GraphCut", "GraphCutParams", "least_cut", "region_costs"]

#: Cost of giving a seed away, beyond any sum of others around a voxel.
_NEVER = 1e6
_BINS = 64
#: Share of every histogram that is spread over all values, so that none costs infinitely much.
_SPREAD = 0.01
#: What it costs more, at most, to belong to the farther of two objects: less than what any likeness tells.
_NEARER = 0.2
#: Rounds over all objects at most; two objects or more seldom need a third.
_ROUNDS = 3


class GraphCutParams(Params):
    """What may be chosen."""

    smoothness_mm: float = Field(
        1.0,
        ge=0,
        le=1000,
        description="Cost of a mm² of boundary where values do not change, in mm³ of voxels that are e times "
        "likelier on the other side; larger is smoother.",
        json_schema_extra={"unit": "mm"},
    )
    sigma: float | None = Field(
        None,
        gt=0,
        description="Difference between neighbours that still counts as noise; the root mean square of the "
        "box without it.",
        json_schema_extra={"unit": "unit of the image"},
    )
    box_is_background: bool = Field(
        default=True, description="Whether the faces of the box around the seeds are background."
    )
    sample_mm: float = Field(
        3.0,
        ge=0,
        le=100,
        description="Radius around each seed whose values tell what its side looks like.",
        json_schema_extra={"unit": "mm"},
    )
    margin_mm: float = Field(
        45.0,
        ge=0,
        le=500,
        description="How far beyond the seeds the object may reach: size of the box that is worked in.",
        json_schema_extra={"unit": "mm"},
    )


class GraphCut:
    """Segmenter behind `medseg segment graph-cut`."""

    spec = SegmenterSpec(
        name="graph-cut",
        title="Graph cut",
        summary="Objects and background part at the least cost of unlikely values and of boundary in mm².",
        source="Boykov, Jolly 2001, Interactive graph cuts, ICCV; several objects: Boykov, Veksler, Zabih 2001, "
        "Fast approximate energy minimization via graph cuts, IEEE Trans PAMI 23(11)",
        kind="prompted",
        needs_prompts=True,
    )
    Params = GraphCutParams

    def segment(
        self,
        images: Mapping[str, Image],
        params: GraphCutParams,
        *,
        within: NDArray[np.bool_] | None = None,
        prompts: Prompts | None = None,
        run: Run,
    ) -> Segmentation:
        """Cut in the box around the seeds; of each object the parts that hold a seed of it are kept.

        Raises
        ------
        InputError
            If there is no seed in an object, its seeds may not be used, or the box holds one value only.
        """
        image = only_image(images)
        seeds = place_seeds(prompts, image.grid, self.spec.name)
        field = field_of(image, seeds, usable(image, within), params.margin_mm)
        markers = background_markers(field, box_is_background=params.box_is_background)
        markers = np.where(field.usable, markers, BACKGROUND).astype(np.int32)
        sigma = params.sigma or typical_difference(field.values, field.usable)
        if sigma == 0:
            raise InputError(
                "graph-cut needs different values; the box around these seeds holds a single one"
            )
        run.check()
        costs = region_costs(field, markers, seeds.labels, params.sample_mm, sigma)
        boundary = _boundary(field, params.smoothness_mm, sigma)
        run.progress(1, 2, "costs")
        labels = _kept(in_child(run, least_cut, costs, boundary), markers, seeds.labels)
        run.progress(2, 2, "cut")
        said = cut_by_box(labels) if params.box_is_background else ()
        return answer(
            self.spec.name,
            image,
            field.restored(labels),
            params,
            table=object_table(seeds.labels),
            findings=(*field.findings, *said),
            sigma_used=sigma,
            unit=image.value_unit,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: GraphCutParams) -> int:  # noqa: ARG002
        """Markers and masks of the image; the box's costs, and the graph's nodes and edges."""
        voxels, box = expected_voxels(grids.values())
        return 9 * voxels + 330 * box


def region_costs(
    field: SeedField, markers: NDArray[np.int32], labels: tuple[int, ...], radius: float, sigma: float
) -> NDArray[np.float32]:
    """What it costs to give each voxel to background (0) or to an object (1, 2, … in the order of `labels`).

    Parameters
    ----------
    field
        Box around the seeds.
    markers
        (I, J, K) int32 with the background filled in.
    labels
        Objects.
    radius
        Of the samples around seeds, in the grid's unit.
    sigma
        Noise of a value; histograms are smoothed by it.

    Returns
    -------
    (1 + objects, I, J, K) float32: −log of the value's share among those sampled; seeds can't be given away.

    Raises
    ------
    InputError
        If an object's seeds may not be used.

    Notes
    -----
    Boykov, Jolly 2001, equations 3 to 6. Own: values are sampled around seeds too, else one point would be a
    histogram of one voxel; half of the background's histogram is that of the whole box, so that tissue where
    nobody put a seed is no object; objects that look alike are parted about midway, since the least cut alone
    would leave one of them nothing but its seed.
    """
    bins, count = _binned(field.values, field.usable)
    width = max(sigma * (_BINS / count if count else 0), 1.0)
    costs = np.empty((1 + len(labels), *markers.shape), np.float32)
    for place, label in enumerate((BACKGROUND, *labels)):
        own = (markers == label) & (field.usable | (label == BACKGROUND))
        if label != BACKGROUND and not own.any():
            raise InputError(f"graph-cut: the seeds of object {label} lie outside --within or the boxes")
        near = (
            (distance_from(own, field.grid.spacing) <= reach(radius, field.grid.spacing))
            & field.usable
            & ((markers == 0) | own)
        )
        shares = _shares(bins[near], width)
        if label == BACKGROUND:
            shares = (shares + _shares(bins[field.usable], width)) / 2
        costs[place] = -np.log(shares)[bins]
        costs[place] += _farther(markers, label, labels, field.grid.spacing)
        costs[place][(markers != 0) & ~own] = _NEVER
    return costs


def _farther(
    markers: NDArray[np.int32], label: int, labels: tuple[int, ...], spacing: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Small cost that grows from an object's own seeds to those of others."""
    others = [other for other in labels if other != label]
    if label == BACKGROUND or not others:
        return np.zeros(markers.shape, np.float32)
    own = distance_from(markers == label, spacing)
    away = distance_from(np.isin(markers, others), spacing)
    cost: NDArray[np.float32] = np.float32(_NEARER) * own / np.maximum(own + away, np.float32(1e-6))
    return cost


def least_cut(costs: NDArray[np.float32], boundary: Edges) -> NDArray[np.uint16]:
    """Labelling of the least sum of costs: exact for one object, by α-expansion for several.

    Parameters
    ----------
    costs
        (L, I, J, K) of giving a voxel to each label; 0 is the background, where it starts from.
    boundary
        Cost of a face between different labels along each axis.

    Returns
    -------
    (I, J, K) uint16: place of the label. Memory: about 250 bytes a voxel.
    """
    labels = np.zeros(costs.shape[1:], np.uint16)
    if len(costs) == 2:
        return _expanded(labels, costs, boundary, 1)
    for _ in range(_ROUNDS):
        before = labels
        for label in (*range(1, len(costs)), 0):
            labels = _expanded(labels, costs, boundary, label)
        if np.array_equal(before, labels):
            break
    return labels


def _expanded(
    labels: NDArray[np.uint16], costs: NDArray[np.float32], boundary: Edges, label: int
) -> NDArray[np.uint16]:
    """The best labelling in which any voxel may change to `label`.

    A face costs A, B, C, 0 when neither, the second, the first, both change; that is C for the first,
    −C for the second, and B + C − A for the first kept with the second changed (Kolmogorov, Zabih 2004).
    """
    import maxflow

    graph = maxflow.GraphFloat(labels.size, 3 * labels.size)
    nodes = graph.add_grid_nodes(labels.shape)
    keep = np.take_along_axis(costs, labels[None].astype(np.intp), axis=0)[0].astype(np.float64)
    change = costs[label].astype(np.float64)
    for axis in range(3):
        here, there = neighbours(axis)
        first, second, weight = labels[here], labels[there], boundary[axis]
        same = first == second
        _add_edges(graph, nodes, axis, np.where(same, weight, 0), symmetric=True)
        if same.all():
            continue
        neither, second_in, first_in = (
            np.where(same, 0, weight),
            np.where(same | (first == label), 0, weight),
            np.where(same | (second == label), 0, weight),
        )
        change[here] += first_in - neither
        change[there] -= first_in
        _add_edges(graph, nodes, axis, second_in + first_in - neither, symmetric=False)
    lowest = np.minimum(keep, change)
    graph.add_grid_tedges(nodes, change - lowest, keep - lowest)
    graph.maxflow()
    return np.where(graph.get_grid_segments(nodes), np.uint16(label), labels)


def _add_edges(graph: Any, nodes: Any, axis: int, weight: NDArray[Any], *, symmetric: bool) -> None:
    structure = np.zeros((3, 3, 3))
    place = [1, 1, 1]
    place[axis] = 2
    structure[tuple(place)] = 1
    last = [(0, int(other == axis)) for other in range(3)]
    graph.add_grid_edges(nodes, np.pad(weight.astype(np.float64), last), structure, symmetric)


def _boundary(field: SeedField, smoothness: float, sigma: float) -> Edges:
    """Area of a face over the volume of a voxel is 1 / distance: costs are per voxel, whatever the spacing."""
    first, second, third = (
        weight * np.float32(smoothness / length)
        for weight, length in zip(links(field.values, field.usable, sigma), field.grid.spacing, strict=True)
    )
    return first, second, third


def _binned(values: NDArray[np.float32], usable: NDArray[np.bool_]) -> tuple[NDArray[np.intp], float]:
    """Bin of every value between the box's 0.5th and 99.5th percentile, and the width of that range."""
    low, high = np.percentile(values[usable], (0.5, 99.5))
    if high <= low:
        low, high = float(values[usable].min()), float(values[usable].max())
    scaled = (values - np.float32(low)) * np.float32(_BINS / (high - low))
    return np.clip(scaled, 0, _BINS - 1).astype(np.intp), float(high - low)


def _shares(bins: NDArray[np.intp], width: float) -> NDArray[np.float64]:
    """Histogram under a Gaussian of `width` bins, as shares that sum to 1."""
    from scipy.ndimage import gaussian_filter1d

    counts = np.bincount(bins, minlength=_BINS).astype(np.float64)
    smooth = gaussian_filter1d(counts, min(width, _BINS / 4), mode="nearest")
    shares: NDArray[np.float64] = (1 - _SPREAD) * smooth / max(float(smooth.sum()), 1e-12) + _SPREAD / _BINS
    return shares


def _kept(
    places: NDArray[np.uint16], markers: NDArray[np.int32], labels: tuple[int, ...]
) -> NDArray[np.uint16]:
    found = np.zeros_like(places)
    for place, label in enumerate(labels, start=1):
        found[parts_with(places == place, markers == label)] = label
    return found


GRAPH_CUT = GraphCut()
