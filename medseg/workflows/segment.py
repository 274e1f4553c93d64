"""Segment: on values, and on files."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil
from numpy.typing import NDArray

from medseg.domain import Image, Params, Prompts, ReadOptions, Run, Segmentation, Segmenter
from medseg.domain.run import noted
from medseg.domain.values import as_details
from medseg.errors import GridMismatchError, InputError, ResourceError
from medseg.geometry import AxisOrder, same_grid
from medseg.geometry.resample import crop_grid
from medseg.geometry.shares import reordered_shares
from medseg.inference.inner import order_for, reordered
from medseg.io import read_segmentation, require_writable, write_probabilities, write_segmentation
from medseg.io.atomic import require_absent, require_apart
from medseg.io.unfinished import together
from medseg.masks.fractions import Box
from medseg.masks.onto import onto_grid
from medseg.masks.relabel import objects_as_labels
from medseg.workflows.asked import drawn, segment_request
from medseg.workflows.channels import (
    ChannelPath,
    Images,
    as_mapping,
    by_planes,
    channel_files,
    leave_unneeded,
    match_channels,
    read_as,
    read_channels,
    require_common_space,
)
from medseg.workflows.declare import declare_values
from medseg.workflows.near import cut_out, part_near
from medseg.workflows.prompts import read_prompts
from medseg.workflows.segmenters import find_segmenter, make_params

__all__ = [
    "SegmentOptions",
    "SegmentTask",
    "read_task",
    "require_options",
    "segment",
    "segment_files",
    "write_result",
]


@dataclass(frozen=True, slots=True)
class SegmentOptions:
    """What `segment_files` may be told beside names and paths.

    Parameters
    ----------
    parameters
        The segmenter's parameters by name; text is parsed.
    within
        A mask file; outside it all is background.
    prompts
        A JSON file of prompts.
    probabilities
        Whether to keep and write class probabilities (models only).
    objects
        Where to write the objects, each a label with its number; only of a segmenter that numbers them.
    same_space
        Declares that channels on different grids share one world space.
    channels_by
        `name` (and modality), or `position` where the images come in the order of the segmenter's channels.
    values
        What the values of a channel are where its file does not say: `HU`, `SUVbw`.
    read
        How to read the images.
    force
        Whether existing outputs may be replaced.
    """

    parameters: tuple[tuple[str, Any], ...] = ()
    within: Path | None = None
    prompts: Path | None = None
    probabilities: bool = False
    objects: Path | None = None
    same_space: bool = False
    channels_by: Literal["name", "position"] = "name"
    values: Mapping[str, str] = field(default_factory=dict)
    read: ReadOptions = ReadOptions()
    force: bool = False


def segment(
    segmenter: str | Segmenter,
    images: Images,
    *,
    params: Params | Mapping[str, Any] | None = None,
    within: NDArray[np.bool_] | None = None,
    prompts: Prompts | None = None,
    same_space: bool = False,
    run: Run | None = None,
) -> Segmentation:
    """Segment images by the method or model called `segmenter`.

    Parameters
    ----------
    segmenter
        A name (see `medseg methods` and `medseg models`), a bundle's folder, or a Segmenter.
    images
        One image, or one per channel name.
    params
        Parameters by name, or the segmenter's own Params.
    within
        (I, J, K) bool on the reference channel's grid; outside it all is background.
    prompts
        Seeds in world coordinates.
    same_space
        Declares that channels on different grids share one world space.
    run
        Device, seed, progress, cancel.

    Returns
    -------
    Segmentation
        On the native grid of the reference channel, voxel for voxel.

    Raises
    ------
    InputError
        If images or parameters do not fit the segmenter.
    ResourceError
        If it would not fit into memory.
    """
    engine = find_segmenter(segmenter) if isinstance(segmenter, str) else segmenter
    matched = match_channels(engine.spec, as_mapping(images))
    values = params if isinstance(params, Params) else make_params(engine, params or {})
    task = SegmentTask(engine, matched, values, within, prompts, same_space)
    return task.run(run or Run())


@dataclass(frozen=True, slots=True, eq=False)
class SegmentTask:
    """One segmentation, ready to run: what is asked of which segmenter, on which images.

    Parameters
    ----------
    engine, images, params
        Segmenter, images under its channel names, its parameters.
    within, prompts, same_space
        As of `segment`.
    """

    engine: Segmenter
    images: Mapping[str, Image]
    params: Params
    within: NDArray[np.bool_] | None = None
    prompts: Prompts | None = None
    same_space: bool = False

    @property
    def reference(self) -> str:
        """Channel whose grid the answer has."""
        return self.engine.spec.reference or self.engine.spec.channels[0].name

    @property
    def request(self) -> str:
        """Digest of all that is asked; equal requests give equal masks."""
        return segment_request(
            self.engine, self.images, self.params, within=self.within, prompts=self.prompts
        )

    def run(self, run: Run) -> Segmentation:
        """Segment, on the native grid of the reference channel; raises as `segment`."""
        engine, spec, images = self.engine, self.engine.spec, self.images
        require_common_space(images, declared=self.same_space)
        if self.within is not None and self.within.shape != images[self.reference].grid.shape:
            raise GridMismatchError(
                f"`within` has the shape {self.within.shape}, and the image {images[self.reference].grid.shape}"
            )
        if spec.needs_prompts and (self.prompts is None or self.prompts.is_empty):
            raise InputError(f"{spec.name} needs seeds: give points, boxes or strokes with --prompts FILE")
        orders = {name: order_for(engine, image) for name, image in images.items()}
        order = orders[self.reference]
        given = {name: reordered(image, orders[name]) for name, image in images.items()}
        within = None if self.within is None else order.apply(self.within)
        box = (
            part_near(spec, self.params, self.prompts, given[self.reference].grid)
            if len(given) == 1
            else None
        )
        if box is not None:
            given = {name: cut_out(image, box) for name, image in given.items()}
            within = None if within is None else within[box]
        _require_memory(
            engine, engine.memory_bytes({name: image.grid for name, image in given.items()}, self.params), run
        )
        answer = engine.segment(given, self.params, within=within, prompts=self.prompts, run=run)
        return _restored(answer, self, order, box, run)


def segment_files(
    name: str,
    inputs: Mapping[str, ChannelPath],
    out: Path,
    *,
    options: SegmentOptions | None = None,
    run: Run | None = None,
) -> Segmentation:
    """Read channels, segment, write the mask with its sidecar to `out`; returns what was written.

    Raises
    ------
    InputError
        As `segment`, and if objects are asked for and the segmenter numbers none; then nothing is written.
    OutputError
        If `out` or the file for objects exists and may not be replaced; checked before any work.
    """
    options = options or SegmentOptions()
    with together(out, options.objects):
        for path in (out, options.objects):
            if path is not None:
                require_absent(path, force=options.force)
        run = run or Run()
        with noted(run, "seconds.read"):
            task = read_task(find_segmenter(name), inputs, out, options)
        result = task.run(run)
        with noted(run, "seconds.write"):
            write_result(result, task.engine, out, options)
        return result


def read_task(
    engine: Segmenter, inputs: Mapping[str, ChannelPath], out: Path, options: SegmentOptions
) -> SegmentTask:
    """Read all that a segmentation of files needs; refuses what could not be written after it.

    Raises
    ------
    InputError
        As `segment_files`; also if the mask would replace one of the images.
    """
    params = _params_of(engine, options)
    require_apart((out, options.objects), (*channel_files(inputs), options.prompts))
    matched = _read_matched(engine, inputs, options)
    prompts = None if options.prompts is None else read_prompts(options.prompts)
    task = SegmentTask(engine, matched, params, None, prompts, options.same_space)
    grid = matched[task.reference].grid
    for path in (out, options.objects):
        if path is not None:
            require_writable(path, grid)
    if options.within is None:
        return task
    given = read_segmentation(options.within)
    limits = onto_grid(given, grid, resample=options.read.resample, what="mask of --within")
    return replace(task, within=limits.labels > 0)


def _read_matched(
    engine: Segmenter, inputs: Mapping[str, ChannelPath], options: SegmentOptions
) -> dict[str, Image]:
    """The images that a segmenter needs, under its names of channels."""
    by_position = options.channels_by == "position"
    inputs = by_planes(engine.spec, inputs)
    paths, left = (dict(inputs), ()) if by_position else leave_unneeded(engine.spec, inputs)
    values = {name: kind for name, kind in options.values.items() if name in paths or name not in inputs}
    images = declare_values(read_channels(paths, options.read), values)
    matched = match_channels(engine.spec, images, by_position=by_position)
    first = next(iter(matched))
    return {**matched, first: replace(matched[first], findings=(*matched[first].findings, *left))}


def require_options(engine: Segmenter, options: SegmentOptions) -> None:
    """Refuse what no case could be segmented with: wrong parameters, seeds or limits that can't be read.

    Raises
    ------
    InputError
        Naming it.
    """
    _params_of(engine, options)
    if options.prompts is not None:
        read_prompts(options.prompts)
    if options.within is not None:
        read_segmentation(options.within)


def write_result(result: Segmentation, engine: Segmenter, out: Path, options: SegmentOptions) -> None:
    """Write a mask, and its objects and probabilities where they are asked for."""
    if options.objects is not None:
        # First, so that a mask that is there has its objects.
        write_segmentation(_objects_of(result, engine), options.objects, force=options.force)
    write_segmentation(result, out, force=options.force)
    if options.probabilities:
        write_probabilities(result, out, force=options.force)


def _params_of(engine: Segmenter, options: SegmentOptions) -> Params:
    parameters = dict(options.parameters)
    if options.probabilities:
        if "keep_probabilities" not in engine.Params.model_fields:
            raise InputError(f"{engine.spec.name} gives no probabilities; only models do")
        parameters["keep_probabilities"] = True
    return make_params(engine, parameters)


def _objects_of(result: Segmentation, engine: Segmenter) -> Segmentation:
    if result.instances is None:
        raise InputError(
            f"{engine.spec.name} numbered no objects (from seeds, each is a label already); split-objects, "
            "supervoxels, watershed and the model touching-objects do, and 'medseg edit MASK --op split' parts a mask"
        )
    return objects_as_labels(result)


def _restored(
    answer: Segmentation, task: SegmentTask, order: AxisOrder, box: Box | None, run: Run
) -> Segmentation:
    """The answer on the native grid of the reference channel, also where only a box of it was looked at."""
    native = task.images[task.reference].grid
    ordered = order.grid(native)
    asked = ordered if box is None else crop_grid(ordered, box)
    if not same_grid(answer.grid, asked):
        raise GridMismatchError(
            "the segmenter answered on another grid than its reference channel's: a fault in it"
        )
    made_by = replace(
        answer.made_by,
        parameters=(*answer.made_by.parameters, *drawn(task.within, task.prompts)),
        images=tuple(read_as(task.images[need.name], need) for need in task.engine.spec.channels),
        run=answer.made_by.run or as_details(device=run.device, seed=run.seed),
        request_digest=task.request,
    )
    carried = [finding for image in task.images.values() for finding in image.findings]
    findings = tuple(dict.fromkeys([*carried, *answer.findings]))

    def back(array: NDArray[Any] | None) -> NDArray[Any] | None:
        if array is None or box is None:
            return None if array is None else np.asfortranarray(order.undo(array))
        whole = np.zeros(native.shape, array.dtype, order="F")
        order.apply(whole)[box] = array
        whole.setflags(write=False)  # else it would be copied
        return whole

    labels = back(answer.labels)
    assert labels is not None  # noqa: S101 - for the type checker
    return replace(
        answer,
        labels=labels,
        grid=native,
        made_by=made_by,
        findings=findings,
        instances=back(answer.instances),
        probabilities=reordered_shares(answer.probabilities, order.inverse, native),
    )


def _require_memory(engine: Segmenter, needed: int, run: Run) -> None:
    available = run.memory_bytes or psutil.virtual_memory().available
    if needed > available:
        raise ResourceError(
            f"{engine.spec.name} would need about {needed / 2**30:.1f} GiB on this image and "
            f"{available / 2**30:.1f} GiB are free; crop the image or close other programs"
        )
