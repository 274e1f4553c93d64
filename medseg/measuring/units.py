"""Units of derived intensities."""

import re

__all__ = ["squared"]

_PART = re.compile(r"^(?P<before>\{[^}]*\})?(?P<atom>.*?)(?P<power>-?\d+)?(?P<after>\{[^}]*\})?$")


def squared(unit: str) -> str:
    """Square of a UCUM unit: every factor's power is doubled, annotations stay.

    Parameters
    ----------
    unit
        UCUM, of factors joined by `.` and `/`; brackets keep their content.

    Examples
    --------
    >>> [squared(unit) for unit in ("[hnsf'U]", "g/ml{SUVbw}", "mm2", "1", "{px}")]
    ["[hnsf'U]2", 'g2/ml2{SUVbw}', 'mm4', '1', '{px}2']
    """
    if unit in ("", "1"):
        return "1"
    return "".join(
        part if part in "./" else _squared_factor(part) for part in re.split(r"([./])", unit) if part
    )


def _squared_factor(factor: str) -> str:
    found = _PART.match(factor)
    if found is None or factor == "1":
        return factor
    before, atom, power, after = (found[name] or "" for name in ("before", "atom", "power", "after"))
    if not atom:  # an annotation alone, such as {px}, is itself the unit
        return f"{before or after}{int(power or 1) * 2}"
    return f"{before}{atom}{int(power or 1) * 2}{after}"
