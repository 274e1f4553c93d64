"""Looking: windows by what an image is, values in words, another series on its grid; nothing of it is measured."""

import re
from dataclasses import dataclass, replace

import numpy as np

from medseg.domain import Finding, Grid, Image
from medseg.errors import InputError
from medseg.geometry import same_grid
from medseg.geometry.resample import covered_by, resample
from medseg.reporting.numbers import unit_text
from medseg.reporting.pictures.window import Window, choose_window

__all__ = [
    "DISPLAY_ONLY",
    "NamedWindow",
    "checkered",
    "full_range",
    "grey_text",
    "on_grid_for_display",
    "window_text",
    "windows_of",
]

#: Code of the Finding that marks an image that was resampled to be looked at.
DISPLAY_ONLY = "image.display_only"
_HU, _SUV = "[hnsf'U]", "g/ml{SUVbw}"
#: Level and width in HU as reading rooms have them; soft tissue is that of the report.
_CT = (("lung", -600.0, 1500.0), ("bone", 300.0, 1500.0), ("brain", 40.0, 80.0))
_PERCENTILES = ((1.0, 99.0), (5.0, 95.0), (0.1, 99.9))
#: Ends of sentences and of clauses, and what belongs to the command line.
_SENTENCE, _CLAUSE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])"), re.compile(r";\s+|:\s+(?=-)")
_COMMANDS = re.compile(r"--[a-z]|\bmedseg [a-z]")
#: Values looked at for percentiles.
_SAMPLE = 1_000_000


@dataclass(frozen=True, slots=True)
class NamedWindow:
    """A window of the grey scale that has a name."""

    name: str
    low: float
    high: float


def windows_of(image: Image) -> tuple[NamedWindow, ...]:
    """Windows to choose from, the first for a start: that of the report, those of its modality, the full range.

    Examples
    --------
    >>> import numpy as np
    >>> ct = Image(np.zeros((2, 2, 2), np.int16), Grid((2, 2, 2), np.eye(4)), modality="CT", value_unit="[hnsf'U]")
    >>> [(item.name, item.low, item.high) for item in windows_of(ct)][:2]
    [('soft tissue', -160.0, 240.0), ('lung', -1350.0, 150.0)]
    """
    first = choose_window(image)
    everything = NamedWindow("full range", *full_range(image))
    if image.value_unit == _HU:
        others = [NamedWindow(name, level - width / 2, level + width / 2) for name, level, width in _CT]
        return NamedWindow("soft tissue", first.low, first.high), *others, everything
    if image.value_unit == _SUV:
        return NamedWindow("SUV 0–7", 0.0, 7.0), NamedWindow("SUV 0–10", first.low, first.high), everything
    values = image.array if image.outside is None else image.array[~image.outside]
    values = values.ravel(order="K")[:: max(1, values.size // _SAMPLE)]
    values = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if not values.size:
        return (everything,)
    found = [
        NamedWindow(f"{low:g}–{high:g} %", *map(float, np.percentile(values, [low, high])))
        for low, high in _PERCENTILES
    ]
    return *(item for item in found if item.high > item.low), everything


def full_range(image: Image) -> tuple[float, float]:
    """Least and largest value that is a number; the ends of a slider, so never equal."""
    array = image.array
    if array.dtype.kind == "f" and not (np.isfinite(array.min()) and np.isfinite(array.max())):
        array = array[np.isfinite(array)]
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 1.0)
    return low, high if high > low else low + 1.0


def grey_text(image: Image, value: float) -> str:
    """A value with its unit, as under the pointer.

    Examples
    --------
    >>> import numpy as np
    >>> ct = Image(np.zeros((2, 2, 2), np.int16), Grid((2, 2, 2), np.eye(4)), modality="CT", value_unit="[hnsf'U]")
    >>> grey_text(ct, -42)
    '−42 HU'
    """
    text = "no value" if not np.isfinite(value) else f"{value:.5g}".replace("-", "−")
    unit = unit_text(image.value_unit)
    return f"{text} {unit}".strip() if np.isfinite(value) else text


def checkered(image: Image, size_mm: float, *, odd: bool) -> Image:
    """Every second cube of an image, the others at its least value: two of them, even and odd, show how series fit.

    Examples
    --------
    >>> import numpy as np
    >>> ramp = Image(np.arange(1, 5, dtype=np.int16).reshape(4, 1, 1), Grid((4, 1, 1), np.eye(4)))
    >>> checkered(ramp, 2.0, odd=False).array.ravel().tolist()
    [1, 2, 1, 1]
    """
    steps = [max(1, round(size_mm / step)) for step in image.grid.spacing]
    i, j, k = (np.arange(n) // step for n, step in zip(image.grid.shape, steps, strict=True))
    shown = (i[:, None, None] + j[:, None] + k) % 2 == int(odd)
    low = image.array.min() if image.array.dtype.kind in "iu" else full_range(image)[0]
    note = Finding(
        DISPLAY_ONLY, "info", "Every second square is left out to be looked at; measure the original."
    )
    array = np.where(shown, image.array, low).astype(image.array.dtype)
    return replace(image, array=array, findings=(*image.findings, note))


def without_options(text: str) -> str:
    """A message as a window says it: what names an option or a command of the command line is left out.

    Examples
    --------
    >>> without_options("The series mixes 2 stacks; pick one with --volume: a; b. It is oblique.")
    'The series mixes 2 stacks. It is oblique.'
    """
    kept = []
    for sentence in _SENTENCE.split(text.strip()):
        clauses = _CLAUSE.split(sentence)
        before = next((n for n, clause in enumerate(clauses) if _COMMANDS.search(clause)), len(clauses))
        if said := "; ".join(clauses[:before]).rstrip(" .,;:"):
            kept.append(said)
    return f"{'. '.join(kept)}." if kept else ""


def window_text(image: Image, low: float, high: float) -> str:
    """Level and width in words, as the report has them."""
    return Window(low, high, image.value_unit, "").short


def on_grid_for_display(image: Image, grid: Grid, *, same_space: bool = False) -> Image:
    """The image on another grid of the same frame of reference, to be looked at; a Finding says that it is that.

    Linear; what lies outside is the least value. Never measured: the values are not those that were acquired.

    Raises
    ------
    InputError
        If one of them has no place in a patient, or they name no common frame of reference and nobody declared
        one space (`same_space`), or they name different ones.
    """
    for one in (image.grid, grid):
        if one.unit != "mm" or not one.orientation_known:
            raise InputError(
                f"{image.channel}: without a place in the patient it can't be laid over another series"
            )
    names = (image.grid.frame_of_reference, grid.frame_of_reference)
    if None in names and not same_space:
        raise InputError(
            f"{image.channel}: the files don't say that both series share one space; say so if you know that they do"
        )
    if None not in names and names[0] != names[1]:
        raise InputError(
            f"{image.channel} was acquired in another frame of reference, so its places are not those of the other "
            "series; register them first"
        )
    if same_grid(image.grid, grid):
        return image
    moved = resample(image.array.astype(np.float32, copy=False), image.grid, grid, fill=full_range(image)[0])
    outside = ~covered_by(image.grid, grid)
    note = Finding(
        DISPLAY_ONLY, "info", "Resampled to be looked at over another series; measure the original."
    )
    return replace(
        image,
        array=moved,
        grid=grid,
        outside=outside if outside.any() else None,
        findings=(*image.findings, note),
    )
