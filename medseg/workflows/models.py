"""Models of the user: bring in those of other programs, take them out, and compare what they find."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg import settings
from medseg.domain import Run, Segmentation
from medseg.errors import InputError, OutputError
from medseg.io import read_segmentation
from medseg.io.leftovers import aside_name
from medseg.masks.onto import onto_grid
from medseg.models.bundle import Contents, write_contents
from medseg.models.card import AnyCard, read_any_card
from medseg.models.foreign import Understood, Wanted, understood
from medseg.models.foreign.onnx import ONNX
from medseg.workflows.channels import ChannelPath
from medseg.workflows.segment import SegmentOptions, read_task
from medseg.workflows.segmenters import find_segmenter, list_segmenters, model_folder

__all__ = [
    "VERBS",
    "AddedModel",
    "LabelAgreement",
    "add_model",
    "card_to_fill",
    "check_model",
    "remove_model",
]

#: Words after `medseg models`; no model has one as its name.
VERBS = ("show", "add", "remove", "check")
Voxels: TypeAlias = NDArray[np.bool_]
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class AddedModel:
    """A model that was brought in: its card as written, where it lies, and what was understood of the source."""

    card: AnyCard
    folder: Path
    told: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class LabelAgreement:
    """How far labels agree with expected ones.

    Parameters
    ----------
    label, value
        Name and number; `all labels` and 0 for the foreground as a whole.
    expected, found, same
        Voxels in either mask, and in both with the same label.
    agreement
        Share of the voxels that have the label in either mask and agree; None where neither has any.
    dice
        2 × same / (expected + found); None where neither has any.
    """

    label: str
    value: int
    expected: int
    found: int
    same: int
    agreement: float | None
    dice: float | None


def add_model(source: Path, choice: Wanted, *, force: bool = False) -> AddedModel:
    """Turn a foreign model into a bundle of the user's own, whole or not at all.

    Raises
    ------
    ModelError
        If it is damaged, or something in it is not understood: then nothing is written.
    InputError
        If its name can be none, or is taken.
    """
    if choice.name is not None:
        _require_name(choice.name, force=force)
    with understood(source, choice) as found:
        name = found.card.name
        _require_name(name, force=force)
        folder = settings.own_models_folder() / name
        card = write_contents(folder, _contents(found), precision="float32", force=force)
    return AddedModel(card, folder, found.told)


def card_to_fill(source: Path) -> str | None:
    """The card that its user fills for a network that says too little of itself; None for sources that say enough."""
    return ONNX.blank(source) if ONNX.sniff(source) else None


def remove_model(name: str) -> Path:
    """Remove a model that lies in one of the user's folders; returns where it lay.

    Raises
    ------
    InputError
        If there is none of this name, or it is shipped with medseg.
    OutputError
        If the system does not allow it.
    """
    folder = model_folder(name)
    if folder is None:
        raise InputError(f"no model is called {name!r}; 'medseg models' lists them")
    if folder.resolve().is_relative_to(settings.shipped_folder().resolve()):
        raise InputError(f"the model {name!r} comes with medseg and stays")
    read_any_card(folder)
    aside = aside_name(folder)
    try:
        folder.rename(aside)
        shutil.rmtree(aside)
    except OSError as error:
        raise OutputError(f"{folder} can't be removed: {error.strerror or error}") from error
    return folder


def check_model(
    name: str,
    inputs: Mapping[str, ChannelPath],
    expect: Path,
    *,
    options: SegmentOptions | None = None,
    run: Run | None = None,
) -> tuple[LabelAgreement, ...]:
    """Segment an image and compare with a mask on its grid, voxel by voxel: each label, then all.

    Raises
    ------
    InputError
        If the model is none, or mask and image have different grids.
    """
    options = options or SegmentOptions()
    expected = read_segmentation(expect)
    task = read_task(
        find_segmenter(name), inputs, expect.with_name(f"{expect.name}-not-written.nii.gz"), options
    )
    found = task.run(run or Run())
    placed = onto_grid(expected, found.grid, resample=False, what="mask of --expect")
    return _agreements(found, placed)


def _agreements(found: Segmentation, expected: Segmentation) -> tuple[LabelAgreement, ...]:
    names = {label.value: label.name for table in (expected.table, found.table) for label in table.labels}
    one, other = found.labels, expected.labels
    rows = [
        _row(name, value, one == value, other == value, (one == value) & (other == value))
        for value, name in sorted(names.items())
    ]
    whole = _row("all labels", 0, one > 0, other > 0, (one > 0) & (one == other))
    return (*rows, whole)


def _row(name: str, value: int, found: Voxels, expected: Voxels, same: Voxels) -> LabelAgreement:
    either = int((found | expected).sum())
    sizes = int(found.sum()), int(expected.sum())
    both = int(same.sum())
    agreement = both / either if either else None
    return LabelAgreement(
        name, value, sizes[1], sizes[0], both, agreement, 2 * both / sum(sizes) if either else None
    )


def _contents(found: Understood) -> Contents:
    parts = {place: _contents(part) for place, part in found.parts.items()}
    extras = {"LICENSE": found.licence.encode()} if found.licence else {}
    return Contents(found.card, found.states, extras, parts)


def _require_name(name: str, *, force: bool) -> None:
    if name in VERBS:
        raise InputError(f"a model can't be called {name!r}, which is a word of 'medseg models'; give --name")
    if not _NAME.fullmatch(name):
        raise InputError(
            f"a model can't be called {name!r}: up to 100 small letters, digits, dots and hyphens; give --name"
        )
    own = settings.own_models_folder() / name
    taken = [item.origin for item in list_segmenters() if item.spec.name == name and Path(item.origin) != own]
    if taken:
        raise InputError(f"the name {name!r} is taken by {taken[0]}; give another with --name")
    if own.exists() and not force:
        raise InputError(f"a model {name!r} is there already; give --name, or replace it with --force")
