"""Round numbers along an axis."""

import math

__all__ = ["axis_ticks", "tick_text"]

_TICKS = 4


def axis_ticks(low: float, high: float) -> list[float]:
    """At most six round numbers from `low` to `high`, which is larger.

    >>> axis_ticks(0.2, 9.0)
    [5.0]
    >>> axis_ticks(-2.0, 2.0)
    [-2.0, -1.0, 0.0, 1.0, 2.0]
    """
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough)
    first = math.ceil(low / step - 1e-9)
    return [count * step for count in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_text(value: float) -> str:
    """A tick's number without digits that only rounding left.

    >>> tick_text(-0.30000000000000004)
    '−0.3'
    """
    return f"{value:.10g}".replace("-", "−")
