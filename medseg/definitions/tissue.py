"""The versioned table of tissues: ranges of Hounsfield units, what each needs, and who said so."""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError

from medseg.domain.labels import Color
from medseg.domain.values import STRICT
from medseg.errors import ConfigError

__all__ = ["Citation", "Tissue", "TissueTable", "load_tissues"]

#: Words up to this length must stand alone: a satellite nodule is no SAT.
_ABBREVIATION = 4
_SHIPPED = Path(__file__).with_name("tissue.yaml")


@dataclass(frozen=True, slots=True)
class Citation:
    """Who set a range."""

    text: str
    year: int | None = None
    doi: str | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __str__(self) -> str:
        year = f", {self.year}" if self.year else ""
        return f"{self.text}{year}" + (f", doi {self.doi}" if self.doi else "")


@dataclass(frozen=True, slots=True)
class Tissue:
    """One row of the table.

    Parameters
    ----------
    name, value, title
        Name to ask for it by, its value in a tissue map, its name in a report.
    range_hu
        Lowest and highest whole HU, both included; None is no limit.
    compartment
        In words, what a mask must hold for the title to be true; None where any mask will do.
    fits
        Beginnings of words in a label's name that say that it is such a compartment; up to four letters, words.
    bare
        Title of the range alone, without such a compartment; None where it is not reported then.
    optional
        Measured only when asked for by name.
    color, sources, note
        For pictures; who set the range; what a reader must know.
    """

    name: str
    value: int
    title: str
    range_hu: tuple[int | None, int | None]
    color: Color
    sources: tuple[Citation, ...]
    compartment: str | None = None
    fits: tuple[str, ...] = ()
    bare: str | None = None
    optional: bool = False
    note: str = ""
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        low, high = self.range_hu
        if low is None and high is None:
            raise ConfigError(f"tissue {self.name!r} has a range without any limit")
        if low is not None and high is not None and low > high:
            raise ConfigError(f"tissue {self.name!r} runs from {low} up to {high} HU; the lower comes first")
        if not self.sources:
            raise ConfigError(f"tissue {self.name!r} names no source for its range")
        if not 1 <= self.value <= 255:
            raise ConfigError(f"tissue {self.name!r}: value must lie in 1 to 255, not {self.value}")

    @property
    def range_text(self) -> str:
        """`−29 to 150 HU`, `≥ 130 HU` or `≤ −951 HU`."""
        low, high = self.range_hu
        text = f"≥ {low}" if high is None else f"≤ {high}" if low is None else f"{low} to {high}"
        return f"{text} HU".replace("-", "−")

    def holds(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Which values (HU, any shape) lie in the range; they are rounded to whole HU first.

        So ranges that meet leave no gap. Values that are not finite lie in no closed range.
        """
        whole = np.rint(values) if values.dtype.kind == "f" else values
        low, high = self.range_hu
        found = np.ones(values.shape, np.bool_) if low is None else np.asarray(whole >= low)
        return found if high is None else found & (whole <= high)

    def fits_into(self, compartment: str) -> bool:
        """Whether a label's name says that it is this tissue's compartment."""
        words = re.split(r"[^a-z0-9]+", compartment.lower())
        return any(
            word == start or (len(start) > _ABBREVIATION and word.startswith(start))
            for word in words
            for start in self.fits
        )


@dataclass(frozen=True, slots=True)
class TissueTable:
    """Tissues with the version of their definitions; names and values are unique."""

    version: str
    tissues: tuple[Tissue, ...]
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        for what in ("name", "value"):
            found = [getattr(tissue, what) for tissue in self.tissues]
            if len(set(found)) != len(found):
                raise ConfigError(f"a table of tissues uses a {what} twice: {found}")

    def named(self, name: str) -> Tissue:
        """The tissue of that name.

        Raises
        ------
        ConfigError
            If there is none; the nearest is named.
        """
        for tissue in self.tissues:
            if tissue.name == name:
                return tissue
        known = [tissue.name for tissue in self.tissues]
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
        raise ConfigError(f"no tissue is called {name!r}; {hint}")


@cache
def load_tissues(path: Path | None = None) -> TissueTable:
    """The table that comes with medseg, or one's own in the same form.

    Raises
    ------
    ConfigError
        If the file is missing, or a key is unknown, missing or of the wrong kind; the place is named.
    """
    path = path or _SHIPPED
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"can't read the tissues in {path}: {str(error).splitlines()[0]}") from error
    try:
        return TypeAdapter(TissueTable).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        own = first.get("ctx", {}).get("error")
        where = ".".join(str(part) for part in first["loc"])
        what = str(own) if own else f"{where}: {first['msg']}, not {first['input']!r}"
        raise ConfigError(f"{path.name}: {what}") from error
