"""The grade of a number on one scan: its spread when the scan is disturbed, and what comes back of known change.

All of it is a lower bound of what two scans would show: a patient who lies down again, another day's contrast and
another operator are in no single scan.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil

from medseg import measuring
from medseg.domain import Finding, Image, Params, Quantity, Run, Segmentation, Segmenter, Target
from medseg.domain.repeatability import Disturbed, Estimate, Recovered, Repeatability, RepeatabilityStudy
from medseg.domain.values import digest_of_plain
from medseg.errors import InputError
from medseg.io.atomic import require_absent
from medseg.io.unfinished import together
from medseg.settings import local_now
from medseg.workflows.channels import ChannelPath, Images, as_mapping, match_channels
from medseg.workflows.disturb import disturbances
from medseg.workflows.implant import ScanObject, planted, scan_objects, sizes_to_plant, with_growth
from medseg.workflows.repeatability import RepeatabilityFiles, write_study
from medseg.workflows.segment import SegmentOptions, SegmentTask, read_task
from medseg.workflows.segmenters import find_segmenter, make_params

__all__ = ["SelfOptions", "self_test", "self_test_files"]

#: Factors by which objects grow and shrink.
FACTORS = (0.8, 1.25)
_REACH = 1.96 * np.sqrt(2)
_FEW = 3
#: Of the free memory, that a run with its probabilities may take; else it runs without.
_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class SelfOptions:
    """What a self-test may be told beside images.

    Parameters
    ----------
    plant
        Names of labels of which small objects are planted too: lesions, not organs.
    segment
        How the images are read and segmented.
    """

    plant: tuple[str, ...] = ()
    segment: SegmentOptions = field(default_factory=SegmentOptions)


def self_test(
    segmenter: str | Segmenter,
    images: Images,
    *,
    params: Mapping[str, Any] | None = None,
    plant: Sequence[str] = (),
    same_space: bool = False,
    run: Run | None = None,
) -> RepeatabilityStudy:
    """Segment one scan again and again, disturbed and changed by known amounts; the spread is a lower bound.

    Parameters
    ----------
    segmenter, images, params, same_space
        As `segment` takes them.
    plant
        Labels of which small balls are planted, with the contrast of the label's largest object.
    run
        Device, seed of the noise, progress, cancel.

    Raises
    ------
    InputError
        If the scan has no volume in ml (a slice, pixels), nothing is found in it, or a label to plant is unknown.
    """
    engine = find_segmenter(segmenter) if isinstance(segmenter, str) else segmenter
    matched = match_channels(engine.spec, as_mapping(images))
    task = SegmentTask(engine, matched, _params(engine, params or {}, matched), None, None, same_space)
    return _tested(task, tuple(plant), run or Run())


def self_test_files(
    segmenter: str,
    inputs: Mapping[str, ChannelPath],
    files: RepeatabilityFiles,
    *,
    options: SelfOptions | None = None,
    force: bool = False,
    run: Run | None = None,
) -> RepeatabilityStudy:
    """Read the images of one scan, test, and write the study with its page and table; raises as `self_test`."""
    options = options or SelfOptions()
    with together(*files.given.values()):
        for path in files.given.values():
            require_absent(path, force=force)
        engine = find_segmenter(segmenter)
        task = read_task(engine, inputs, Path("not-written.nii.gz"), options.segment)
        task = replace(task, params=_params(engine, dict(options.segment.parameters), task.images))
        study = _tested(task, options.plant, run or Run())
        write_study(study, files, force=force)
    return study


def _params(engine: Segmenter, given: Mapping[str, Any], images: Mapping[str, Image]) -> Params:
    """With probabilities kept where the segmenter has any and they fit into memory: their volume is watched too."""
    plain = make_params(engine, given)
    if "keep_probabilities" not in engine.Params.model_fields:
        return plain
    kept = make_params(engine, {**given, "keep_probabilities": True})
    needed = engine.memory_bytes({name: image.grid for name, image in images.items()}, kept)
    return kept if needed < _SHARE * psutil.virtual_memory().available else plain


def _tested(task: SegmentTask, plant: tuple[str, ...], run: Run) -> RepeatabilityStudy:
    grid = task.images[task.reference].grid
    if grid.unit != "mm" or min(grid.shape) == 1:
        raise InputError(
            "a self-test needs a scan with a volume in ml, and this is a slice or has no physical size"
        )
    before = task.run(run)
    targets = measuring.targets(before)
    _require_known(plant, targets)
    if not before.present:
        raise InputError("nothing was found in this scan, so that nothing can be tested")
    disturbed = [*_measured("as it is", before, targets), *_disturbed(task, before, targets, run)]
    recovered = [*_changed(task, before, targets, run), *_planted(task, before, targets, plant, run)]
    items = tuple(item for target in targets for item in _spreads(target.name, disturbed))
    parameters = [list(pair) for pair in before.made_by.parameters if pair[0] != "keep_probabilities"]
    return RepeatabilityStudy(
        source=f"one scan, {before.made_by.images[0].digest[:8]}",
        evidence="self",
        items=items,
        segmenter=before.made_by.segmenter,
        weights_digest=before.made_by.weights_digest,
        parameters_digest=digest_of_plain(parameters),
        findings=(*before.findings, *_unplanted(plant, recovered)),
        disturbed=tuple(disturbed),
        recovered=tuple(recovered),
        analysed_on=local_now().date().isoformat(),
    )


def _require_known(plant: Sequence[str], targets: Sequence[Target]) -> None:
    names = [target.name for target in targets if target.kind == "label"]
    for name in plant:
        if name not in names:
            raise InputError(f"no label is called {name!r} to plant; there are {', '.join(names)}")


def _measured(how: str, found: Segmentation, targets: Sequence[Target]) -> Iterator[Disturbed]:
    """Volumes of labels and regions, from voxels, and from probabilities where they were kept."""
    kept, values = found.probabilities, found.table.values
    sums = None
    if kept is not None and len(kept) == len(values) + 1:
        sums = [float(part.sum(dtype=np.float64)) for part in kept]
    for target in targets:
        volume = float(found.mask(*target.labels).sum()) * found.grid.voxel_volume / 1000
        weighed = None
        if sums is not None:
            weighed = (
                sum(sums[1 + values.index(value)] for value in target.labels) * found.grid.voxel_volume / 1000
            )
        yield Disturbed(how, target.name, volume, weighed)


def _disturbed(
    task: SegmentTask, before: Segmentation, targets: Sequence[Target], run: Run
) -> Iterator[Disturbed]:
    mirror = not before.table.is_lateralised
    for number, item in enumerate(disturbances(task.images, before, mirror=mirror, seed=run.seed)):
        run.check()
        run.progress(number, None, f"self-test: {item.how}")
        yield from _measured(item.how, _again(task, item.images, run), targets)


def _again(task: SegmentTask, images: Mapping[str, Any], run: Run) -> Segmentation:
    """The same segmentation of other images; its own progress would be a bar for each."""
    return replace(task, images=images).run(replace(run, progress=Run().progress))


def _changed(
    task: SegmentTask, before: Segmentation, targets: Sequence[Target], run: Run
) -> Iterator[Recovered]:
    labels = tuple(target for target in targets if target.kind == "label")
    for item in scan_objects(before, labels):
        label = before.mask(*item.target.labels)
        for factor in FACTORS:
            run.check()
            kind: Literal["grown", "shrunk"] = "grown" if factor > 1 else "shrunk"
            run.progress(0, None, f"self-test: {item.target.name} {kind}")
            images, put = with_growth(task.images, item, factor, before)
            after = _again(task, images, run)
            found = int(after.mask(*item.target.labels).sum()) - int(label.sum())
            ml = found * before.grid.voxel_volume / 1000
            yield Recovered(kind, item.target.name, item.ml, put, ml)


def _planted(
    task: SegmentTask, before: Segmentation, targets: Sequence[Target], plant: Sequence[str], run: Run
) -> Iterator[Recovered]:
    for target in (item for item in targets if item.kind == "label" and item.name in plant):
        like = _largest(before, target)
        for ml in () if like is None else sizes_to_plant(before.grid, like.ml):
            run.check()
            run.progress(0, None, f"self-test: {target.name} planted")
            made = None if like is None else planted(task.images, task.reference, before, like, ml)
            if made is None:
                continue
            after = _again(task, made.images, run)
            new = after.mask(*target.labels) & made.near & ~before.mask(*target.labels)
            yield Recovered(
                "planted", target.name, ml, ml, float(new.sum()) * before.grid.voxel_volume / 1000
            )


def _largest(before: Segmentation, target: Target) -> ScanObject | None:
    return next(iter(scan_objects(before, (target,))), None)


def _unplanted(plant: Sequence[str], recovered: Sequence[Recovered]) -> Iterator[Finding]:
    done = {item.target for item in recovered if item.kind == "planted"}
    for name in plant:
        if name not in done:
            text = (
                f"No {name} could be planted: none is there away from the border to take its contrast from, or there "
                "is no room away from what was found."
            )
            yield Finding("repeatability.not_planted", "warning", text)


def _spreads(name: str, disturbed: Sequence[Disturbed]) -> Iterator[Repeatability]:
    """The spread of a structure's volume, and of its volume from probabilities."""
    own = [item for item in disturbed if item.target == name]
    yield from _spread(name, Quantity.VOLUME, [item.volume_ml for item in own])
    weighed = [item.probability_ml for item in own if item.probability_ml is not None]
    if len(weighed) == len(own):
        yield from _spread(name, Quantity.PROBABILITY_VOLUME, weighed)


def _spread(name: str, quantity: Quantity, values: Sequence[float]) -> Iterator[Repeatability]:
    """SD over the disturbances; they are no sample of anything, so that no figure has an interval."""
    if len(values) < _FEW or max(values) == 0:
        return
    sd, mean = float(np.std(values, ddof=1)), float(np.mean(values))
    factor = None
    if min(values) > 0:
        factor = Estimate(float(np.exp(_REACH * np.std(np.log(values), ddof=1))))
    yield Repeatability(
        target=name,
        quantity=quantity,
        unit="ml",
        subjects=1,
        pairs=len(values),
        low=min(values),
        high=max(values),
        wsd=Estimate(sd),
        rc=Estimate(float(_REACH) * sd),
        wcv=Estimate(sd / mean),
        log_factor=factor,
        scale="absolute" if factor is None else "log",
    )
