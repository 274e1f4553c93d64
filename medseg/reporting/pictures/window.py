"""Which grey values a picture shows: a stated window, never a hidden one."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from medseg.domain import Image
from medseg.reporting.numbers import unit_text

__all__ = ["Window", "Windows", "choose_window"]

#: Soft tissue on CT, in HU.
_CT_LEVEL, _CT_WIDTH = 40.0, 400.0
#: Upper end of the grey scale on PET, in SUV: the habit of reading rooms, and the same for every patient.
_SUV_TOP = 10.0
#: Percentiles of the whole image elsewhere.
_LOW, _HIGH = 1.0, 99.0
#: Values looked at for percentiles.
_SAMPLE = 1_000_000


@dataclass(frozen=True, slots=True)
class Window:
    """Limits of the grey scale, in the image's unit."""

    low: float
    high: float
    unit: str
    rule: str

    @property
    def text(self) -> str:
        """Level, width, unit and the rule that gave them."""
        return f"window {self.short}{self.rule}"

    @property
    def short(self) -> str:
        """Level, width and unit."""
        level, width = (self.low + self.high) / 2, self.high - self.low
        return f"L {_short(level)} W {_short(width)} {unit_text(self.unit)}".rstrip()


#: (channel, low, high): windows that a reader has set; an empty name is that of any channel.
Windows: TypeAlias = Iterable[tuple[str, float, float]]


def choose_window(image: Image, asked: Windows = ()) -> Window:
    """The window asked for, else a rule's.

    Soft tissue for HU; 0 to 10 for SUV; else the 1st to 99th percentile of the image's measured voxels.
    """
    for name, low, high in asked:
        if name in ("", image.channel):
            return Window(low, high, image.value_unit, " (set by the reader)")
    if image.value_unit == "[hnsf'U]":
        return Window(
            _CT_LEVEL - _CT_WIDTH / 2, _CT_LEVEL + _CT_WIDTH / 2, image.value_unit, " (soft tissue)"
        )
    if image.value_unit == "g/ml{SUVbw}":
        return Window(0.0, _SUV_TOP, image.value_unit, "")
    values = image.array if image.outside is None else image.array[~image.outside]
    values = values.ravel(order="K")[:: max(1, values.size // _SAMPLE)]
    low, high = np.percentile(values, [_LOW, _HIGH]) if values.size else (0.0, 1.0)
    if high <= low:
        low, high = float(values.min(initial=low)), float(values.max(initial=low + 1))
    return Window(
        float(low), float(high if high > low else low + 1), image.value_unit, " (1st–99th percentile)"
    )


def _short(value: float) -> str:
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return text.replace("-", "−")
