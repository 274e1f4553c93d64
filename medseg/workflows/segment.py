"""Segment: on values, and on files."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Image, Params, Prompts, ReadOptions, Run, Segmentation, Segmenter
from medseg.domain.segmentation import ImageDigest
from medseg.domain.values import as_details
from medseg.errors import GridMismatchError, InputError, ResourceError
from medseg.geometry import AxisOrder, order_to, require_same_grid, same_grid
from medseg.workflows.channels import (
    ChannelPath,
    Images,
    as_mapping,
    match_channels,
    read_channels,
    require_common_space,
)
from medseg.workflows.declare import declare_values
from medseg.workflows.relabel import objects_as_labels
from medseg.workflows.segmenters import find_segmenter, make_params

__all__ = ["SegmentOptions", "segment", "segment_files"]


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
    run = run or Run()
    engine = find_segmenter(segmenter) if isinstance(segmenter, str) else segmenter
    spec = engine.spec
    matched = match_channels(spec, as_mapping(images))
    require_common_space(matched, declared=same_space)
    if spec.needs_prompts and (prompts is None or prompts.is_empty):
        raise InputError(f"{spec.name} needs seeds: give points, boxes or strokes with --prompts FILE")
    values = params if isinstance(params, Params) else make_params(engine, params or {})
    grids = {name: image.grid for name, image in matched.items()}
    _require_memory(engine, engine.memory_bytes(grids, values), run)
    reference = spec.reference or spec.channels[0].name
    orders = {name: order_to(image.grid) for name, image in matched.items()}
    answer = engine.segment(
        {name: _reordered(image, orders[name]) for name, image in matched.items()},
        values,
        within=None if within is None else orders[reference].apply(within),
        prompts=prompts,
        run=run,
    )
    return _restored(answer, matched, reference, orders[reference], run)


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
    from medseg.io import read_segmentation, require_writable, write_segmentation
    from medseg.io.atomic import require_absent

    options = options or SegmentOptions()
    for path in (out, options.objects):
        if path is not None:
            require_absent(path, force=options.force)
    engine = find_segmenter(name)
    params = _params_of(engine, options)
    images = declare_values(read_channels(inputs, options.read), options.values)
    matched = match_channels(engine.spec, images)
    reference = matched[engine.spec.reference or engine.spec.channels[0].name]
    for path in (out, options.objects):
        if path is not None:
            require_writable(path, reference.grid)
    within = None
    if options.within is not None:
        limits = read_segmentation(options.within)
        require_same_grid(reference.grid, limits.grid, "mask of --within")
        within = limits.labels > 0
    result = segment(
        engine,
        matched,
        params=params,
        within=within,
        prompts=_read_prompts(options.prompts),
        same_space=options.same_space,
        run=run,
    )
    if options.objects is not None:
        # First, so that a mask that is there has its objects.
        write_segmentation(_objects_of(result, engine), options.objects, force=options.force)
    write_segmentation(result, out, force=options.force)
    if options.probabilities:
        from medseg.io import write_probabilities

        write_probabilities(result, out, force=options.force)
    return result


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


def _reordered(image: Image, order: AxisOrder) -> Image:
    outside = None if image.outside is None else order.apply(image.outside)
    return replace(image, array=order.apply(image.array), grid=order.grid(image.grid), outside=outside)


def _restored(
    answer: Segmentation, images: Mapping[str, Image], reference: str, order: AxisOrder, run: Run
) -> Segmentation:
    native = images[reference].grid
    if not same_grid(answer.grid, order.grid(native)):
        raise GridMismatchError(
            "the segmenter answered on another grid than its reference channel's: a fault in it"
        )
    made_by = replace(
        answer.made_by,
        images=tuple(ImageDigest(name, image.digest) for name, image in images.items()),
        run=answer.made_by.run or as_details(device=run.device, seed=run.seed),
    )
    carried = [finding for image in images.values() for finding in image.findings]
    findings = tuple(dict.fromkeys([*carried, *answer.findings]))

    def back(array: NDArray[Any] | None) -> NDArray[Any] | None:
        return None if array is None else np.asfortranarray(order.undo(array))

    labels = back(answer.labels)
    assert labels is not None  # noqa: S101 - for the type checker
    return replace(
        answer,
        labels=labels,
        grid=native,
        made_by=made_by,
        findings=findings,
        instances=back(answer.instances),
        probabilities=None if answer.probabilities is None else order.undo(answer.probabilities),
    )


def _require_memory(engine: Segmenter, needed: int, run: Run) -> None:
    import psutil

    available = run.memory_bytes or psutil.virtual_memory().available
    if needed > available:
        raise ResourceError(
            f"{engine.spec.name} would need about {needed / 2**30:.1f} GiB on this image and "
            f"{available / 2**30:.1f} GiB are free; crop the image or close other programs"
        )


def _read_prompts(path: Path | None) -> Prompts | None:
    if path is None:
        return None
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Prompts).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(f"{path} holds no prompts: {str(error).splitlines()[0]}") from error
