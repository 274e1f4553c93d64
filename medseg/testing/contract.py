"""What every segmenter promises, whoever wrote it: functions that an author runs on his own.

In a plugin's tests::

    import pytest
    from medseg.testing.contract import PROMISES
    from medseg.testing.segmenters import Trial

    @pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
    def test_promise(promise):
        promise(MY_METHOD, Trial(params={"low": 60}))

Each raises an AssertionError that says what was broken. All together take some seconds for a quick method.
"""

import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import permutations, product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from medseg.domain import Prompts, Run, Segmentation, Segmenter
from medseg.domain.prompts import Point
from medseg.errors import Cancelled, InputError
from medseg.geometry import AxisOrder, same_grid
from medseg.testing.segmenters import BallImage, Trial, ball_image, declared, dice
from medseg.testing.used_memory import peak_bytes
from medseg.workflows.segment import segment

__all__ = ["PROMISES", "Promise"]

Promise: TypeAlias = Callable[[Segmenter, Trial], None]
_ENOUGH = 0.95
#: Radius in mm of balls, and how far below its ceiling an answer may stay.
_BALLS = ((25.0, 0.0), (17.0, 0.025))
_CANCEL_S = 1.0
_FACTOR = 1.5
#: Noise of a process's memory (allocator, caches) that no prediction can know.
_SLACK_BYTES = 6 << 20
_MEMORY_TRIES = 3
#: Small, anisotropic, all extents different: what is compared in all orders.
_SMALL: Mapping[str, Any] = {"shape": (27, 25, 12), "spacing": (2.0, 2.1, 4.5), "radius": 16.0}
#: The field of `_SMALL` in other voxels.
_SMALL_OTHERWISE: Mapping[str, Any] = {"shape": (18, 21, 27), "spacing": (3.0, 2.5, 2.0), "radius": 16.0}
_LARGE: Mapping[str, Any] = {"shape": (144, 136, 128), "radius": 30.0}
#: As large as the box around seeds may be before it is coarsened: what memory is predicted for, seeds unknown.
_BOX: Mapping[str, Any] = {"shape": (96, 96, 96), "radius": 24.0}


def describes_itself(segmenter: Segmenter, trial: Trial) -> None:  # noqa: ARG001 - all promises are called alike
    """Name, title, summary and source are given; every parameter has a default, a sentence and its unit."""
    lacking = [part for part in ("spec", "Params", "segment", "memory_bytes") if not hasattr(segmenter, part)]
    assert not lacking, f"it has no {', '.join(lacking)}, which medseg.domain.Segmenter asks for"
    spec = segmenter.spec
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", spec.name), (
        f"name {spec.name!r}: small letters and hyphens"
    )
    assert spec.title, "no title"
    assert spec.summary.endswith("."), f"the summary is no sentence with a full stop: {spec.summary!r}"
    assert re.search(r"\d{4}", spec.source) or len(spec.source) > 20, (
        f"the source is a paper or book with its year, or says in some words whose idea it is; not {spec.source!r}"
    )
    fields = segmenter.Params.model_json_schema().get("properties", {})
    for name, told in fields.items():
        assert not segmenter.Params.model_fields[name].is_required(), f"{name} has no default"
        assert told.get("description", "").endswith("."), (
            f"{name} is described by no sentence with a full stop"
        )
        assert told.get("unit") == "mm" or not name.endswith("_mm"), f"{name} does not say that it is in mm"
    segmenter.Params()


def finds_the_ball(segmenter: Segmenter, trial: Trial) -> None:
    """A ball 50 mm wide, and one of 34 mm, is the same object on 1 mm and on 5 mm slices.

    Compared on the 1 mm grid. Dice is at least 0.95, or what the truth reaches when it is put on the thick slices;
    of the smaller ball it may stay a little below, since noise decides about the many voxels that its edge crosses.
    """
    for radius, spared in _BALLS:
        fine = ball_image(segmenter.spec, trial, shape=(80, 80, 75), radius=radius)
        thick = ball_image(segmenter.spec, trial, shape=(80, 80, 15), spacing=(1.0, 1.0, 5.0), radius=radius)
        one, other = (ball.found(_answer(segmenter, ball, trial)) for ball in (fine, thick))
        alone = dice(one, fine.truth)
        assert alone >= 0.9, (
            f"Dice with the ball of {2 * radius:g} mm is {alone:.3f} on 1 mm slices; are the trial's parameters right?"
        )
        least = min(_ENOUGH, dice(np.repeat(thick.truth, 5, axis=2), fine.truth)) - spared
        both = dice(np.repeat(other, 5, axis=2), one)
        assert both >= least, (
            f"slices of 5 mm and of 1 mm agree to Dice {both:.3f} only on a ball of {2 * radius:g} mm; "
            f"{least:.3f} is expected"
        )


def is_blind_to_storage(segmenter: Segmenter, trial: Trial) -> None:
    """An image stored in any of the 48 axis orders gives the same answer, voxel for voxel."""
    ball = ball_image(segmenter.spec, trial, **_SMALL)
    prompts = trial.seeds(segmenter.spec, ball)
    first = _answer(segmenter, ball, trial)
    for source, flipped in product(permutations(range(3)), product((False, True), repeat=3)):
        order = AxisOrder(source, flipped)  # type: ignore[arg-type]
        stored = {
            name: replace(image, array=np.array(order.apply(image.array)), grid=order.grid(image.grid))
            for name, image in ball.images.items()
        }
        answer = segment(segmenter, stored, params=trial.params, prompts=prompts)
        differ = int((answer.labels != order.apply(first.labels)).sum())
        assert not differ, f"{differ} voxels differ when axes are stored as {source}, flipped {flipped}"


def answers_on_the_native_grid(segmenter: Segmenter, trial: Trial) -> None:
    """An oblique image stored in another order gets its answer on its own grid."""
    ball = ball_image(segmenter.spec, trial, **_SMALL)
    angle = np.deg2rad(12)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    order = AxisOrder((2, 0, 1), (True, False, True))
    centre = (turn @ np.append(ball.centre, 1))[:3]
    # Channels of one scan often lie on different grids: here those beside the reference, over the same field.
    others = ball_image(segmenter.spec, trial, **_SMALL_OTHERWISE)
    reference = segmenter.spec.reference or segmenter.spec.channels[0].name
    images = {}
    for name in ball.images:
        image = (ball if name == reference else others).images[name]
        grid = order.grid(replace(image.grid, affine=turn @ image.grid.affine))
        images[name] = replace(image, array=np.array(order.apply(image.array)), grid=grid)
    turned = replace(
        ball, images={reference: images[reference]}, truth=np.array(order.apply(ball.truth)), centre=centre
    )
    prompts = _turned(trial, segmenter, ball, turn)
    answer = segment(segmenter, images, params=trial.params, prompts=prompts, same_space=True)
    assert same_grid(answer.grid, turned.grid), "the answer lies on another grid than the image"
    if not segmenter.spec.needs_prompts or trial.prompts is None:
        found = turned.found(answer)
        reached = dice(found, turned.truth)
        assert reached > 0.7, f"on an oblique image: {_missed(reached, found, turned)}"


def stays_inside_within(segmenter: Segmenter, trial: Trial) -> None:
    """Outside `within` all is background, and inside it the ball is found."""
    ball = ball_image(segmenter.spec, trial, **_SMALL)
    within = np.zeros(ball.grid.shape, np.bool_)
    within[: ball.grid.shape[0] // 2 + 3, :, 1:] = True
    prompts = trial.seeds(segmenter.spec, ball)
    answer = segment(segmenter, ball.images, params=trial.params, within=within, prompts=prompts)
    assert not (answer.labels[~within] > 0).any(), "labels were given outside `within`"
    assert (answer.labels[within] > 0).any(), "nothing was found inside `within`"


def records_how(segmenter: Segmenter, trial: Trial) -> None:
    """The answer says which segmenter made it, with every parameter, from which image."""
    ball = ball_image(segmenter.spec, trial, **_SMALL)
    made_by = _answer(segmenter, ball, trial).made_by
    assert made_by.segmenter == segmenter.spec.name, f"the answer says that {made_by.segmenter!r} made it"
    missing = set(segmenter.Params.model_fields) - set(dict(made_by.parameters))
    assert not missing, f"parameters {sorted(missing)} are not in the provenance"
    digests = {image.digest for image in ball.images.values()}
    assert {item.digest for item in made_by.images} == digests, (
        "the answer names other images than it was made of"
    )


def can_be_replayed(segmenter: Segmenter, trial: Trial) -> None:
    """The same image, parameters and prompts, read again from JSON, give the same mask bit for bit."""
    ball = ball_image(segmenter.spec, trial, **_SMALL)
    form: TypeAdapter[Prompts] = TypeAdapter(Prompts)
    prompts = trial.seeds(segmenter.spec, ball)
    again = None if prompts is None else form.validate_json(form.dump_json(prompts))
    one, other = (
        segment(segmenter, ball.images, params=trial.params, prompts=given) for given in (prompts, again)
    )
    assert one.digest == other.digest, "the second run gave another mask"


def refuses_in_one_line(segmenter: Segmenter, trial: Trial) -> None:
    """Unsuitable images, seeds and parameters get an InputError of one line; px images too, or they work."""
    spec = segmenter.spec
    ball = ball_image(spec, trial, **_SMALL)
    prompts = trial.seeds(spec, ball)
    empty = {
        name: replace(image, array=np.full(image.array.shape, np.nan)) for name, image in ball.images.items()
    }
    _refused(segmenter, empty, trial.params, prompts, "an image without a measurement")
    _refused(segmenter, ball.images, {"no_such_parameter": 1}, prompts, "an unknown parameter")
    for name, told in segmenter.Params.model_json_schema().get("properties", {}).items():
        if "minimum" in told:
            wrong = {**trial.params, name: told["minimum"] - 1}
            _refused(segmenter, ball.images, wrong, prompts, f"{name} below its range")
    if spec.needs_prompts:
        _refused(segmenter, ball.images, trial.params, None, "no seeds")
        far = Prompts(points=(Point((9999.0, 0.0, 0.0)),))
        _refused(segmenter, ball.images, trial.params, far, "a seed outside the image")
    if spec.channels[0].modality:
        other = declared(ball, modality="MR", value_unit="[arb'U]")
        _refused(segmenter, other.images, trial.params, prompts, "another modality")
    flat = ball_image(spec, trial, shape=(60, 60, 1), unit="px")
    given = trial.seeds(spec, replace(flat, centre=np.array([*flat.centre[:2], flat.grid.affine[2, 3]])))
    if spec.needs_mm:
        _refused(segmenter, flat.images, trial.params, given, "an image in px")
    elif 2 in spec.dimensions:
        assert segment(segmenter, flat.images, params=trial.params, prompts=given).grid.unit == "px"


def reports_progress(segmenter: Segmenter, trial: Trial) -> None:
    """Progress is told, and never beyond its total."""
    told: list[tuple[int, int | None, str]] = []
    ball = ball_image(segmenter.spec, trial, **_SMALL)
    run = Run(progress=lambda done, total, what: told.append((done, total, what)))
    segment(segmenter, ball.images, params=trial.params, prompts=trial.seeds(segmenter.spec, ball), run=run)
    assert told, "no progress was reported"
    assert all(what and (total is None or 0 <= done <= total) for done, total, what in told), told


def cancels_within_a_second(segmenter: Segmenter, trial: Trial) -> None:
    """After 0.2 s on a larger image a cancel is heard within a second; the best of three tries counts."""
    ball = ball_image(segmenter.spec, trial, **_LARGE)
    prompts = trial.seeds(segmenter.spec, ball)
    waits = []
    for _ in range(3):
        due = time.monotonic() + 0.2
        run = Run(cancel=partial(_is_past, due))
        with suppress(Cancelled):
            _run_alone(segmenter, ball, trial, prompts, run)
        waits.append(time.monotonic() - due)
        if waits[-1] <= _CANCEL_S:
            return
    raise AssertionError(f"it took {min(waits):.1f} s until a cancel was heard, or it ended by itself")


def _is_past(due: float) -> bool:
    return time.monotonic() > due


def predicts_its_memory(segmenter: Segmenter, trial: Trial) -> None:
    """The memory predicted and the peak measured above the images agree within a factor of 1.5 (Linux only).

    What else goes on in the process only adds to a peak, so the smallest of three tries counts.
    """
    ball = ball_image(segmenter.spec, trial, **(_BOX if segmenter.spec.needs_prompts else _LARGE))
    prompts = trial.seeds(segmenter.spec, ball)
    grids = {name: image.grid for name, image in ball.images.items()}
    predicted = segmenter.memory_bytes(grids, segmenter.Params(**trial.params))
    high, low = (predicted + _SLACK_BYTES) * _FACTOR, predicted / _FACTOR - _SLACK_BYTES
    tries: list[int] = []
    while not tries or (min(tries) > high and len(tries) < _MEMORY_TRIES):
        measured = peak_bytes(lambda: _run_alone(segmenter, ball, trial, prompts, Run()))
        if measured is None:
            return
        tries.append(measured)
    voxels = int(np.prod(ball.grid.shape))
    assert low <= min(tries) <= high, (
        f"predicted {predicted / voxels:.1f} bytes per voxel, measured {min(tries) / voxels:.1f} "
        f"({voxels} voxels); within a factor of {_FACTOR} is asked for"
    )


def _missed(reached: float, found: NDArray[np.bool_], ball: BallImage) -> str:
    """Where to look when the ball is not found."""
    return (
        f"Dice with the ball is {reached:.3f}: the object at its centre has {int(found.sum())} voxels and the ball "
        f"{int(ball.truth.sum())} of {found.size}; are the trial's parameters right for it?"
    )


def _answer(segmenter: Segmenter, ball: BallImage, trial: Trial) -> Segmentation:
    prompts = trial.seeds(segmenter.spec, ball)
    return segment(segmenter, ball.images, params=trial.params, prompts=prompts)


def _run_alone(
    segmenter: Segmenter, ball: BallImage, trial: Trial, prompts: Prompts | None, run: Run
) -> NDArray[Any]:
    """The method without the workflow around it."""
    params = segmenter.Params(**trial.params)
    return segmenter.segment(ball.images, params, prompts=prompts, run=run).labels


def _turned(trial: Trial, segmenter: Segmenter, ball: BallImage, turn: NDArray[Any]) -> Prompts | None:
    """The trial's prompts, moved with the image."""
    prompts = trial.seeds(segmenter.spec, ball)
    if prompts is None:
        return None

    def moved(place: tuple[float, float, float]) -> tuple[float, float, float]:
        x, y, z = (float(number) for number in (turn @ np.append(place, 1))[:3])
        return x, y, z

    return replace(
        prompts,
        points=tuple(replace(item, position=moved(item.position)) for item in prompts.points),
        strokes=tuple(
            replace(item, positions=tuple(moved(place) for place in item.positions))
            for item in prompts.strokes
        ),
    )


def _refused(
    segmenter: Segmenter,
    images: Mapping[str, Any],
    params: Mapping[str, Any],
    prompts: Prompts | None,
    what: str,
) -> None:
    try:
        segment(segmenter, images, params=params, prompts=prompts)
    except InputError as error:
        said = str(error)
    except Exception as error:
        raise AssertionError(f"{what} gives {type(error).__name__} ({error}), no InputError") from error
    else:
        raise AssertionError(f"{what} was not refused")
    assert "\n" not in said, f"{what} is refused in several lines: {said}"
    assert len(said) < 400, f"{what} is refused at length: {said}"


#: All of them, quick ones first.
PROMISES: tuple[Promise, ...] = (
    describes_itself,
    records_how,
    can_be_replayed,
    stays_inside_within,
    answers_on_the_native_grid,
    refuses_in_one_line,
    reports_progress,
    finds_the_ball,
    is_blind_to_storage,
    cancels_within_a_second,
    predicts_its_memory,
)
