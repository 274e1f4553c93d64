"""Objects of several sets, prepared once, and random windows on them: window n of a run is always the same."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import TypeAdapter

from medseg.domain import Case, Dataset, Grid, Run
from medseg.errors import ConfigError
from medseg.geometry import order_to, require_same_grid
from medseg.geometry.resample import crop_grid, grid_with_spacing, resample
from medseg.inference import canonical, labels_on_grid
from medseg.inference.steps import preprocess
from medseg.io import open_dataset, read_segmentation
from medseg.io.atomic import staged_file, write_bytes
from medseg.io.datasets import read_channel, read_split
from medseg.masks.fractions import bounds
from medseg.masks.morphology import grown
from medseg.training.prompt_settings import PromptSet, PromptTraining

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ClickWindows", "ObjectCase", "held_out_cases", "prepare_objects"]

#: Longest extent of what is labelled, in voxels of what is kept: finer than any window on it.
_ACROSS = 72
#: Room kept around it on each side, as a share of that extent.
_AROUND = 1.0
#: Values are kept as so many of their own 99.9th percentile: float16 ends at 65504.
_SCALE = 1000.0
#: Voxels of an object that a window shows at least.
_FEWEST = 12


@dataclass(frozen=True, slots=True)
class ObjectCase:
    """Where a case lies: (I, J, K) float16 values and uint8 labels on cubic voxels, and which objects are in it."""

    id: str
    values: str
    labels: str
    objects: tuple[tuple[int, ...], ...]

    def load(self) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Values and labels."""
        return np.load(self.values).astype(np.float32), np.load(self.labels)


_ADAPTER: TypeAdapter[ObjectCase] = TypeAdapter(ObjectCase)


def prepare_objects(settings: PromptTraining, folder: Path, run: Run) -> tuple[tuple[ObjectCase, ...], ...]:
    """Training cases of each set; what `folder` holds already is used.

    Raises
    ------
    ConfigError
        If no root is given, a channel is missing, or a set has nothing to learn from.
    """
    found = []
    for chosen in settings.sets:
        dataset = _dataset(chosen, settings)
        split = read_split(chosen.split, dataset)
        held = {*split.held_out, *split.folds[chosen.fold]}
        cases = [case for case in dataset.cases if case.subject not in held]
        ready = []
        for number, case in enumerate(cases):
            run.check()
            ready.append(_kept(folder, case, chosen) or _made(folder, case, chosen))
            run.progress(number + 1, len(cases), f"objects of {chosen.name}")
        if not any(case.objects for case in ready):
            raise ConfigError(f"set {chosen.name} has no case with labels {chosen.objects} to learn from")
        found.append(tuple(case for case in ready if case.objects))
    return tuple(found)


def held_out_cases(chosen: PromptSet, settings: PromptTraining) -> tuple[Case, ...]:
    """Cases of a set's fold: nothing was learned from them."""
    dataset = _dataset(chosen, settings)
    held = read_split(chosen.split, dataset).folds[chosen.fold]
    return tuple(case for case in dataset.cases if case.subject in held)


def _dataset(chosen: PromptSet, settings: PromptTraining) -> Dataset:
    if settings.root is None:
        raise ConfigError("the configuration names no data; give prompts.root=FOLDER")
    return open_dataset(Path(chosen.cases), root=Path(settings.root).expanduser() / chosen.folder)


def _stem(folder: Path, case: Case, chosen: PromptSet) -> Path:
    told = json.dumps([chosen.name, case.id, chosen.channel, chosen.objects, _ACROSS, _AROUND])
    return folder / f"{case.id}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"


def _kept(folder: Path, case: Case, chosen: PromptSet) -> ObjectCase | None:
    try:
        found = _ADAPTER.validate_json(_stem(folder, case, chosen).with_suffix(".json").read_bytes())
    except (OSError, ValueError):
        return None
    return found if Path(found.values).is_file() and Path(found.labels).is_file() else None


def _made(folder: Path, case: Case, chosen: PromptSet) -> ObjectCase:
    files = {file.channel: file for file in case.images}
    if chosen.channel not in files or case.reference is None:
        raise ConfigError(
            f"set {chosen.name}, case {case.id}: channel {chosen.channel!r} or the mask is missing"
        )
    image = read_channel(files[chosen.channel])
    mask = read_segmentation(case.reference, on=image)
    require_same_grid(image.grid, mask.grid, f"mask of case {case.id}")
    labels = order_to(image.grid).apply(mask.labels)
    own = canonical(image)
    kinds = tuple(kind for kind in chosen.objects if set(kind) <= set(mask.present))
    values, classes = _around(np.asarray(own.array, np.float32), labels, own.grid)
    stem = _stem(folder, case, chosen)
    folder.mkdir(parents=True, exist_ok=True)
    made = ObjectCase(
        case.id,
        _save(stem.with_suffix(".values.npy"), values),
        _save(stem.with_suffix(".labels.npy"), classes),
        kinds,
    )
    write_bytes(stem.with_suffix(".json"), json.dumps(asdict(made)).encode(), force=True)
    return made


def _around(
    values: NDArray[np.float32], labels: NDArray[Any], grid: Grid
) -> tuple[NDArray[np.float16], NDArray[np.uint8]]:
    """The part around what is labelled, on cubic voxels; values as `_SCALE` of a high percentile."""
    box = bounds(labels > 0)
    if box is None:
        return np.zeros((1, 1, 1), np.float16), np.zeros((1, 1, 1), np.uint8)
    longest = max((side.stop - side.start) * step for side, step in zip(box, grid.spacing, strict=True))
    reach = tuple(int(np.ceil(_AROUND * longest / step)) for step in grid.spacing)
    part = grown(box, labels.shape, reach)
    source = crop_grid(grid, part)
    step = max(min(grid.spacing), longest / _ACROSS)
    target = grid_with_spacing(source, (step, step, step))
    known = np.nan_to_num(values[part])
    top = float(np.percentile(np.abs(known), 99.9)) or 1.0
    scaled = resample(known * (_SCALE / top), source, target, fill=0.0)
    names = tuple(int(value) for value in np.unique(labels[part]) if value)
    indices = labels_on_grid(labels[part], source, target, names)
    classes = np.array([0, *names], np.uint8)[indices]
    return np.clip(scaled, -60_000, 60_000).astype(np.float16), classes


def _save(path: Path, array: NDArray[Any]) -> str:
    with staged_file(path, force=True) as staged, staged.open("wb") as stream:
        np.save(stream, array)
    return str(path)


class ClickWindows:
    """Map from a window's number to ((1, *window) float32 as the network sees it, (*window) int64 of 0 and 1).

    The sets take turns; case, kind of object, place, size and turn are drawn by the number alone.
    """

    def __init__(self, sets: tuple[tuple[ObjectCase, ...], ...], settings: PromptTraining, seed: int) -> None:
        self.sets, self.settings, self.seed = sets, settings, seed

    def __getitem__(self, number: int) -> "tuple[Tensor, Tensor]":
        """Window of this number."""
        import torch

        rng = np.random.default_rng([self.seed, number])
        cases = self.sets[number % len(self.sets)]
        case = cases[int(rng.integers(len(cases)))]
        values, labels = case.load()
        kinds = self._kinds(case, number)
        kind = kinds[int(rng.integers(len(kinds)))]
        image, target = self._cut(values, np.isin(labels, kind), rng)
        return torch.from_numpy(image[None]), torch.from_numpy(target.astype(np.int64))

    def _kinds(self, case: ObjectCase, number: int) -> tuple[tuple[int, ...], ...]:
        """Objects of a case that may be asked for at this number."""
        settings = self.settings
        last = settings.sets[number % len(self.sets)].last_objects
        is_last = number >= (settings.steps - settings.last_steps) * settings.batch
        chosen = tuple(kind for kind in case.objects if kind in last) if is_last else ()
        return chosen or case.objects

    def _cut(
        self, values: NDArray[np.float32], mask: NDArray[np.bool_], rng: Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        image, target = self._seen(values, mask, *self._place(mask, rng))
        if int(target.sum()) < _FEWEST:  # turned out of sight: straight on its middle there is enough
            box = np.argwhere(mask)
            image, target = self._seen(values, mask, box.mean(axis=0), np.eye(3))
        inside = np.isfinite(image)
        image = preprocess(
            np.nan_to_num(image), inside, self.settings.channel.name, self.settings.preprocessing
        )
        image = self._changed(image, rng)
        image[~inside] = 0
        return image, target

    def _place(
        self, mask: NDArray[np.bool_], rng: Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Middle of the window, and steps of the kept voxels along each of its axes (columns)."""
        settings = self.settings
        box = bounds(mask)
        assert box is not None  # noqa: S101 - a case has the objects that it lists
        sides = np.array([[side.start, side.stop - 1] for side in box], np.float64)
        longest = float((sides[:, 1] - sides[:, 0]).max()) + 1
        share = float(np.exp(rng.uniform(*np.log(settings.share))))
        step = max(1.0, longest / share / max(settings.window))
        if rng.random() < 0.5:
            places = np.argwhere(mask)
            middle = places[int(rng.integers(len(places)))].astype(np.float64)
        else:
            middle = sides.mean(axis=1) + rng.uniform(-0.1, 0.1, 3) * longest
        turn = _rotation(rng.uniform(-settings.turn, settings.turn, 3))
        if settings.flip:
            turn = turn * rng.choice([-1.0, 1.0], 3)
        return middle, turn * step

    def _seen(
        self,
        values: NDArray[np.float32],
        mask: NDArray[np.bool_],
        middle: NDArray[np.float64],
        steps: NDArray[np.float64],
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values, NaN beyond the image, and mask on the window."""
        from scipy.ndimage import affine_transform

        window = self.settings.window
        offset = middle - steps @ ((np.array(window) - 1) / 2)
        how: dict[str, Any] = {"offset": offset, "output_shape": window, "order": 1, "mode": "constant"}
        image = affine_transform(values, steps, cval=np.nan, **how)
        target = affine_transform(mask.astype(np.float32), steps, cval=0.0, **how)
        return image, target > 0.5

    def _changed(self, image: NDArray[np.float32], rng: Generator) -> NDArray[np.float32]:
        """Another contrast, and noise."""
        low, high = float(image.min()), float(image.max())
        if high > low:
            gamma = float(np.exp(rng.normal(0, self.settings.gamma)))
            image = ((image - low) / (high - low)) ** gamma * (high - low) + low
            image = (image - image.mean()) / max(float(image.std()), 1e-6)
        noise = rng.normal(0, float(rng.uniform(0, self.settings.noise)), image.shape)
        return (image + noise).astype(np.float32)


def _rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        first, second = (other for other in range(3) if other != axis)
        one = np.eye(3)
        one[first, first] = one[second, second] = np.cos(angle)
        one[first, second], one[second, first] = -np.sin(angle), np.sin(angle)
        turn = turn @ one
    return turn
