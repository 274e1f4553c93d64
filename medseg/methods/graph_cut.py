"""Graph cut: the object that parts seeds at the least cost, by what their values are and where values change."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from medseg.domain import Grid, Image, Params, Prompts, Run, Segmentation, SegmenterSpec
from medseg.extras import require_extra
from medseg.masks.seeds import (
    BACKGROUND,
    box_is_background_field,
    field_of,
    margin_field,
    object_table,
    place_seeds,
    require_usable,
)
from medseg.masks.seeds import Field as SeedField
from medseg.methods.base import answer, only_image, require_contrast, usable
from medseg.methods.child import in_child
from medseg.methods.likeness import NODES, Likeness, likeness_of
from medseg.methods.links import links, typical_difference
from medseg.methods.objects import background_markers, cut_by_box
from medseg.methods.paths import Edges, neighbours
from medseg.methods.seeded import expected_voxels, parts_with

__all__ = ["GRAPH_CUT", "GraphCut", "GraphCutParams", "least_cut", "region_costs"]

#: Cost of giving a seed away, beyond any sum of others around a voxel.
_NEVER = 1e6
#: Nobody is farther from a side's seeds than this share of nearness says, so that nothing costs infinitely much.
_LEAST_NEAR = np.float32(1e-4)
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
        "box where none is given.",
        json_schema_extra={"unit": "unit of the image"},
    )
    margin_mm: float = margin_field()
    box_is_background: bool = box_is_background_field()


class GraphCut:
    """Segmenter behind `medseg segment graph-cut`."""

    spec = SegmenterSpec(
        name="graph-cut",
        title="Graph cut",
        summary="Objects and background part at the least cost of far seeds, unlikely values and boundary in mm².",
        source="Price, Morse, Cohen 2010, Geodesic graph cut for interactive image segmentation, CVPR; Boykov, "
        "Jolly 2001, Interactive graph cuts, ICCV; several objects: Boykov, Veksler, Zabih 2001, IEEE Trans PAMI 23",
        kind="prompted",
        needs_prompts=True,
        near_prompts=True,
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
        require_extra("graph-cut", self.spec.name)
        seeds = place_seeds(prompts, image.grid, self.spec.name)
        labels = seeds.labels
        considered = usable(image, within)
        field = field_of(image, seeds, considered, params.margin_mm)
        coarse = field_of(image, seeds, considered, params.margin_mm, NODES)
        require_usable(field, labels, self.spec.name)
        require_contrast(field.values[field.usable], self.spec.name, "box around the seeds")
        # Parts that do not touch may be even, each in itself.
        sigma = params.sigma or typical_difference(field.values, field.usable) or 1.0
        markers, far = (
            background_markers(part, self.spec.name, box_is_background=params.box_is_background)
            for part in (field, coarse)
        )
        likeness = likeness_of((field, coarse), far, labels, sigma, run)
        markers = np.where(field.usable, markers, BACKGROUND).astype(np.int32)
        costs = region_costs(likeness, field.values, markers, labels)
        boundary = _boundary(field, params.smoothness_mm, sigma)
        run.progress(1, 2, "costs")
        found = _kept(in_child(run, least_cut, costs, boundary), markers, labels)
        run.progress(2, 2, "cut")
        said = cut_by_box(found) if params.box_is_background else ()
        return answer(
            self.spec.name,
            image,
            field.restored(found),
            params,
            table=object_table(labels),
            findings=(*field.findings, *said),
            sigma_used=sigma,
            unit=image.value_unit,
        )

    def memory_bytes(self, grids: Mapping[str, Grid], params: GraphCutParams) -> int:  # noqa: ARG002
        """Markers and masks of the image; the box's costs, and the graph's nodes and edges."""
        voxels, box = expected_voxels(grids.values())
        return 9 * voxels + 420 * box


def region_costs(
    likeness: Likeness,
    values: NDArray[np.float32],
    markers: NDArray[np.int32],
    labels: tuple[int, ...],
) -> NDArray[np.float32]:
    """What it costs to give each voxel to background (0) or to an object (1, 2, … in the order of `labels`).

    Parameters
    ----------
    likeness
        Of places and values with background and objects.
    values
        (I, J, K) float32 of the image.
    markers
        (I, J, K) int32 with the background filled in.
    labels
        Objects.

    Returns
    -------
    (1 + objects, I, J, K) float32: −log of the side's nearness, and −log of the value's share on that side as
    far as values separate; seeds can't be given away.

    Notes
    -----
    Price, Morse, Cohen 2010, with Boykov and Jolly's histograms and sums in place of the paper's weights.
    Objects that look alike are parted where the ways to their seeds are equally long.
    """
    costs = np.empty_like(likeness.near)
    for place, label in enumerate((BACKGROUND, *labels)):
        costs[place] = np.float32(likeness.separation) * likeness.unlikely(place, values)
        costs[place] -= np.log(np.maximum(likeness.near[place], _LEAST_NEAR))
        costs[place][(markers != 0) & (markers != label)] = _NEVER
    return costs


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


def _kept(
    places: NDArray[np.uint16], markers: NDArray[np.int32], labels: tuple[int, ...]
) -> NDArray[np.uint16]:
    found = np.zeros_like(places)
    for place, label in enumerate(labels, start=1):
        found[parts_with(places == place, markers == label)] = label
    return found


GRAPH_CUT = GraphCut()
