"""What a fold's network found in a case that it had not seen, kept beside the fold: a mask, its reference, shares.

A kill loses the case at hand; later steps (postprocessing, temperature) read these files and run no network.
"""

import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Case, Grid, Run, Segmentation
from medseg.domain.segmentation import Probabilities
from medseg.geometry.resample import crop_grid
from medseg.inference import ModelSegmenter
from medseg.inference.memory import available_bytes
from medseg.io.atomic import write_bytes
from medseg.masks.fractions import bounds
from medseg.masks.morphology import grown
from medseg.training.cases import LoadedCase, load_case
from medseg.training.config import TrainConfig

__all__ = ["MARGIN", "HeldOutCase", "Shares", "cropped", "judge_cases", "kept_cases"]

#: Voxels of a case whose shares are kept: enough for one number, and cases weigh alike whatever their size.
VOXELS = 4096
#: Beyond the box around prediction and reference (mm; pixels on `px` grids): farther off background is no question.
MARGIN = 10.0
_FOLDER = "heldout"


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """(N, L) shares of background and labels at voxels drawn at random, and (N,) which of them the reference has."""

    values: NDArray[np.float32]
    classes: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutCase:
    """One case, in canonical order of axes.

    Parameters
    ----------
    id, subject, grid
        Of the case.
    prediction, reference
        (I, J, K) label values.
    judged
        (I, J, K) bool: voxels that somebody judged; None for all.
    shares
        Of some voxels; None where there was no room for probabilities.
    set_name, held
        The set that it comes from, and the label values that this set holds; None where there is one that holds all.
    """

    id: str
    subject: str
    grid: Grid
    prediction: NDArray[np.uint16]
    reference: NDArray[np.uint16]
    judged: NDArray[np.bool_] | None = None
    shares: Shares | None = None
    set_name: str = ""
    held: tuple[int, ...] | None = None

    def holds(self, values: Sequence[int]) -> bool:
        """Whether its mask says where all of these labels are."""
        return self.held is None or set(values) <= set(self.held)


def judge_cases(
    segmenter: ModelSegmenter,
    cases: Sequence[Case],
    config: TrainConfig,
    names: dict[str, str],
    *,
    fold: Path | None = None,
    run: Run,
) -> Iterator[HeldOutCase]:
    """Segment cases one by one; with `fold`, each is kept in that folder, and what is there is not made again."""
    plain = Run(device=run.device, threads=run.threads, seed=run.seed, cancel=run.cancel)
    for case in cases:
        path = None if fold is None else _file(fold, case.id)
        kept = None if path is None else _read(path)
        if kept is None:
            kept = _judge(
                segmenter, case, load_case(case, config, names), config, plain, with_shares=path is not None
            )
            if path is not None:
                path.parent.mkdir(exist_ok=True)
                write_bytes(path, _dump(kept), force=True)
        yield kept


def kept_cases(fold: Path) -> Iterator[HeldOutCase]:
    """Those of a fold that `judge_cases` kept, by name; runs of older versions kept none."""
    for path in sorted((fold / _FOLDER).glob("*.npz")):
        found = _read(path)
        if found is not None:
            yield found


def _judge(
    segmenter: ModelSegmenter,
    case: Case,
    loaded: LoadedCase,
    config: TrainConfig,
    run: Run,
    *,
    with_shares: bool,
) -> HeldOutCase:
    grid = loaded.images[config.reference].grid
    classes = (0, *config.labels.values)
    # Compressed on the model's grid; one class at a time on the native one.
    room = 8 * len(classes) * loaded.labels.size < available_bytes() / 2
    keep = with_shares and room
    params = segmenter.Params(keep_probabilities=True) if keep else segmenter.Params()
    found: Segmentation = segmenter.segment(loaded.images, params, run=run)
    made = HeldOutCase(
        case.id,
        case.subject,
        grid,
        found.labels.astype(np.uint16),
        loaded.labels,
        None if loaded.ignored is None else ~loaded.ignored,
        None,
        "" if case.labels is None else case.labels.set_name,
        None if case.labels is None else case.labels.held,
    )
    return replace(made, shares=_drawn(made, found.probabilities, classes)) if keep else made


def _drawn(case: HeldOutCase, probabilities: Probabilities | None, classes: Sequence[int]) -> Shares | None:
    """Shares of voxels near the structures, drawn by the case's name so that they are the same the next time."""
    box = bounds((case.prediction > 0) | (case.reference > 0))
    if box is None or probabilities is None:
        return None
    steps = np.ceil(MARGIN / np.array(case.grid.spacing)).astype(int)
    near = np.zeros(case.reference.shape, np.bool_)
    near[grown(box, near.shape, tuple(int(step) for step in steps))] = True
    if case.judged is not None:
        near &= case.judged
    places = np.flatnonzero(near)
    rng = np.random.default_rng(zlib.crc32(case.id.encode()))
    chosen = np.sort(rng.choice(places, min(VOXELS, places.size), replace=False))
    values = np.stack([np.ravel(one)[chosen] for one in probabilities], axis=1).astype(np.float32)
    reference = case.reference.ravel()[chosen]
    order = np.argsort(classes)
    return Shares(values, order[np.searchsorted(np.array(classes)[order], reference)])


def _dump(case: HeldOutCase) -> bytes:
    arrays = {
        "affine": case.grid.affine,
        "pixels": np.array(case.grid.unit == "px"),
        "prediction": case.prediction,
        "reference": case.reference,
        "who": np.array([case.id, case.subject]),
    }
    if case.judged is not None:
        arrays["judged"] = case.judged
    if case.held is not None:
        arrays |= {"held": np.array(case.held), "set": np.array(case.set_name)}
    if case.shares is not None:
        arrays |= {"shares": case.shares.values, "classes": case.shares.classes}
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def cropped(case: HeldOutCase) -> HeldOutCase:
    """What lies around prediction and reference, one voxel more on each side; without shares."""
    box = bounds((case.prediction > 0) | (case.reference > 0))
    if box is None:
        return replace(case, shares=None)
    box = grown(box, case.prediction.shape, (1, 1, 1))
    return replace(
        case,
        grid=crop_grid(case.grid, box),
        prediction=case.prediction[box],
        reference=case.reference[box],
        judged=None if case.judged is None else case.judged[box],
        shares=None,
    )


def _read(path: Path) -> HeldOutCase | None:
    """What is there and whole; None else."""
    if not path.is_file():
        return None
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error):
        return None
    unit = "px" if bool(arrays["pixels"]) else "mm"
    grid = Grid(arrays["prediction"].shape, arrays["affine"], unit)  # type: ignore[arg-type]
    shares = Shares(arrays["shares"], arrays["classes"]) if "shares" in arrays else None
    name, subject = arrays["who"].tolist()
    made = HeldOutCase(
        name, subject, grid, arrays["prediction"], arrays["reference"], arrays.get("judged"), shares
    )
    if "held" not in arrays:
        return made
    return replace(made, set_name=str(arrays["set"]), held=tuple(int(value) for value in arrays["held"]))


def _file(fold: Path, case: str) -> Path:
    return fold / _FOLDER / f"{case}.npz"
