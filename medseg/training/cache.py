"""Cases on the model grid, kept on disk: prepared once by the function that inference uses, verified by digest."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from medseg.domain import Case, Grid, ModelCard, Run
from medseg.domain.image import digest_of
from medseg.errors import InputError
from medseg.geometry import same_grid
from medseg.geometry.resample import resample
from medseg.inference import labels_on_grid, network_slice_axis, prepare
from medseg.inference.domain import scan_features
from medseg.io.atomic import staged_file, write_bytes
from medseg.masks.components import components
from medseg.training.cases import LoadedCase, ignored_of, load_case
from medseg.training.run_folder import RunFolder

__all__ = ["UNJUDGED", "CachedCase", "build_cache", "prepared_folder"]

#: Labelled voxels remembered per class, enough to draw patches from.
POSITIONS = 4096
#: In place of a class: nobody judged the voxel.
UNJUDGED = 255


@dataclass(frozen=True, slots=True)
class CachedCase:
    """Where a prepared case lies: (C, I, J, K) image, (I, J, K) uint8 classes or UNJUDGED, (n, 4) class and index.

    The image is float16 where that keeps its values, else float32. For a 2D network the axis that it steps along has
    been moved to the front of the three.

    Parameters
    ----------
    image
        SHA-256 of the image's values, by which equal ones are known; empty where it is flat.
    objects
        By label value: separate objects in the mask as it is, and how many of them are left on the model's grid.
    ignored, voxels
        Voxels of the mask as it is that nobody judged, and all of them.
    set_name, held
        The set that it comes from, and the classes that this set holds; empty where there is one set that holds all.
    """

    id: str
    subject: str
    folder: str
    digests: dict[str, str]
    image: str
    objects: dict[str, tuple[int, int]]
    ignored: int = 0
    voxels: int = 0

    features: dict[str, float] = field(default_factory=dict)
    set_name: str = ""
    held: tuple[int, ...] = ()

    def load(self, part: str) -> NDArray[Any]:
        """`image`, `labels` or `positions`, memory-mapped read-only."""
        array: NDArray[Any] = np.load(_file(Path(self.folder), self.id, part), mmap_mode="r")
        return array


_ADAPTER: TypeAdapter[CachedCase] = TypeAdapter(CachedCase)


def prepared_folder(run: Path, card: ModelCard, *more: object) -> Path:
    """Folder for one way of preparing: channels, grid, preprocessing, values that are ignored and sets name it."""
    grid = (card.reference, card.spacing, card.network.dimensions)
    parts = (card.channels, card.preprocessing, card.table.values, grid, *more)
    return run / "cache" / hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def build_cache(plan: RunFolder, card: ModelCard, run: Run) -> dict[str, CachedCase]:
    """Prepared cases by id; what is there and intact is used, the rest is made."""
    found = {value for case in plan.cases for value in ignored_of(case, plan.config)}
    sets = sorted({repr(case.labels) for case in plan.cases if case.labels is not None})
    folder = prepared_folder(plan.folder, card, *sorted(found), *sets)
    folder.mkdir(parents=True, exist_ok=True)
    ready: dict[str, CachedCase] = {}
    for number, case in enumerate(plan.cases):
        run.check()
        ready[case.id] = _intact(folder, case.id) or _make(folder, case, plan, card)
        run.progress(number + 1, len(plan.cases), "preparing cases")
    return ready


def _make(folder: Path, case: Case, plan: RunFolder, card: ModelCard) -> CachedCase:
    loaded = load_case(case, plan.config, plan.names)
    prepared = prepare(loaded.images, card)
    reference = loaded.images[card.reference]
    labels = _classes(loaded, reference.grid, prepared.grid, card.table.values)
    objects = count_kept_objects(loaded.labels, reference.grid, labels, prepared.grid, card.table.values)
    image = prepared.array
    if not np.isfinite(image).all():
        raise InputError(f"case {case.id}: its prepared image holds values that are no numbers")
    if card.network.dimensions == 2:
        axis = network_slice_axis(reference)
        image, labels = np.moveaxis(image, axis + 1, 1), np.moveaxis(labels, axis, 0)
    arrays: dict[str, NDArray[Any]] = {
        "image": np.ascontiguousarray(_narrowed(image)),
        "labels": np.ascontiguousarray(labels),
        "positions": _positions(labels),
    }
    digests = {part: _save(_file(folder, case.id, part), array) for part, array in arrays.items()}
    known = digest_of(image) if float(np.ptp(image)) > 0 else ""
    ignored = 0 if loaded.ignored is None else int(loaded.ignored.sum())
    size = loaded.labels.size
    names, values = scan_features(prepared.array, reference.grid, [channel.name for channel in card.channels])
    features = dict(zip(names, (float(value) for value in values), strict=True))
    made = CachedCase(
        case.id,
        case.subject,
        str(folder),
        digests,
        known,
        objects,
        ignored,
        size,
        features,
        *_held(case, card),
    )
    write_bytes(folder / f"{case.id}.json", json.dumps(asdict(made)).encode(), force=True)
    return made


def _held(case: Case, card: ModelCard) -> tuple[str, tuple[int, ...]]:
    """Name of a case's set, and the classes that it holds."""
    if case.labels is None or case.labels.held is None:
        return "", ()
    values = card.table.values
    return case.labels.set_name, tuple(values.index(value) + 1 for value in case.labels.held)


def _classes(loaded: LoadedCase, source: Grid, target: Grid, values: tuple[int, ...]) -> NDArray[np.uint8]:
    """Classes on the model's grid; what nobody judged is one more label on the way there, as nnU-Net has it."""
    if loaded.ignored is None:
        return labels_on_grid(loaded.labels, source, target, values)
    extra = max(values) + 1
    marked = np.where(loaded.ignored, extra, loaded.labels.astype(np.int32))
    classes = labels_on_grid(marked, source, target, (*values, extra))
    classes[classes == len(values) + 1] = UNJUDGED
    return classes


def _narrowed(image: NDArray[np.float32]) -> NDArray[Any]:
    """As float16 where that loses nothing that matters; it ends at 65504, and flattens differences below 1e-7."""
    with np.errstate(over="ignore"):
        half = image.astype(np.float16)
    allowed = 1e-3 * np.abs(image) + 1e-3 * float(image.std(dtype=np.float64))
    fits = bool(np.isfinite(half).all() and (np.abs(half.astype(np.float32) - image) <= allowed).all())
    return half if fits else image


def count_kept_objects(
    native: NDArray[Any], source: Grid, classes: NDArray[Any], target: Grid, values: tuple[int, ...]
) -> dict[str, tuple[int, int]]:
    """By label value: separate objects (26-connected) of a mask, and how many have a voxel left on another grid."""
    back = (
        classes if same_grid(source, target) else resample(classes, target, source, interpolation="nearest")
    )
    found: dict[str, tuple[int, int]] = {}
    for index, value in enumerate(values, start=1):
        objects = components(native == value)
        left = np.unique(objects[(back == index) & (objects > 0)])
        found[str(value)] = (int(objects.max(initial=0)), int(left.size))
    return found


def _intact(folder: Path, case: str) -> CachedCase | None:
    try:
        made = _ADAPTER.validate_json((folder / f"{case}.json").read_bytes())
        found = {part: _digest(_file(folder, case, part).read_bytes()) for part in made.digests}
    except (OSError, ValueError):
        return None
    return made if found == made.digests and made.folder == str(folder) else None


def _positions(labels: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Class and index of voxels to centre patches on; class 0 stands for any judged voxel, where not all are."""
    rng = np.random.default_rng(0)
    rows = []
    judged = labels != UNJUDGED
    classes = np.unique(labels[(labels > 0) & judged])
    for value in classes if judged.all() else (*classes, 0):
        index = np.argwhere(labels == value if value else judged)
        if len(index) > POSITIONS:
            index = index[rng.choice(len(index), POSITIONS, replace=False)]
        rows.append(np.column_stack([np.full(len(index), value), index]))
    return np.concatenate(rows).astype(np.int32) if rows else np.zeros((0, 4), np.int32)


def _file(folder: Path, case: str, part: str) -> Path:
    return folder / f"{case}.{part}.npy"


def _save(path: Path, array: NDArray[Any]) -> str:
    with staged_file(path, force=True) as staged, staged.open("wb") as stream:
        np.save(stream, array)
    return _digest(path.read_bytes())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
