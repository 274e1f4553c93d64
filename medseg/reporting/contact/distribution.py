"""How a quantity of a structure is distributed over many cases, and which cases lie far out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from medseg.domain import Measurement, Quantity, Record, Status
from medseg.reporting.groups import rank
from medseg.reporting.index import Index, index_of
from medseg.reporting.structures import structure_name
from medseg.reporting.tissue.table import LEVELS, is_slice
from medseg.reporting.wording import quantity_text

__all__ = ["FENCE", "FEWEST", "MANY", "QUARTILES", "Distribution", "distributions"]

#: Tukey's fences lie this many interquartile ranges beyond the quartiles; of fewer cases nobody is far out.
FENCE, FEWEST = 1.5, 8
#: Of fewer cases there are no quartiles to speak of.
QUARTILES = 5
#: Of more structures only the sizes are shown.
MANY = 6
_SIZES = (Quantity.VOLUME, Quantity.AREA)
_MAIN = (
    *_SIZES,
    Quantity.LESION_COUNT,
    Quantity.LONGEST_DIAMETER,
    Quantity.MEAN,
    Quantity.SUV_MAX,
    Quantity.MTV,
    Quantity.TLG,
    Quantity.TISSUE_AREA,
    Quantity.TISSUE_VOLUME,
    Quantity.TISSUE_MEAN,
)
#: Values in such a unit mean another thing in every scan.
_NOT_COMPARABLE = "[arb'U]"


@dataclass(frozen=True, slots=True)
class Distribution:
    """Values of one quantity of one structure, by case.

    Parameters
    ----------
    structure, title, unit
        What it is of; `unit` in UCUM.
    values
        Case → its value, where that may be taken at its word.
    cut, refused
        Cases left out: whose structure is cut by the border, and where nothing was computed.
    """

    structure: str
    title: str
    unit: str
    values: Mapping[str, float]
    cut: int = 0
    refused: int = 0

    @property
    def count(self) -> int:
        """Cases with a value."""
        return len(self.values)

    @property
    def zeros(self) -> int:
        """Cases in which it was looked for and is 0."""
        return sum(value == 0 for value in self.values.values())

    @property
    def quartiles(self) -> tuple[float, float, float]:
        """First quartile, median, third, by linear interpolation; at least one value is needed."""
        low, middle, high = np.percentile(list(self.values.values()), [25, 50, 75])
        return float(low), float(middle), float(high)

    @property
    def span(self) -> tuple[float, float]:
        """Least and largest value."""
        return min(self.values.values()), max(self.values.values())

    @property
    def outliers(self) -> tuple[str, ...]:
        """Cases beyond Tukey's fences (1977), the largest value first; none of fewer than eight cases."""
        if self.count < FEWEST:
            return ()
        low, _, high = self.quartiles
        reach = FENCE * (high - low)
        far = {case: value for case, value in self.values.items() if not low - reach <= value <= high + reach}
        return tuple(sorted(far, key=lambda case: (-far[case], case)))


def distributions(cases: Mapping[str, Record]) -> tuple[Distribution, ...]:
    """Structure by structure, the main quantities: size, lesions, longest diameter, means, uptake, tissue.

    Of more than `MANY` structures only sizes. Intensities in arbitrary units are left out, as they do not compare
    between scans. Values that are bounds or unreliable are counted, not shown. No cases give none.
    """
    found: dict[tuple[str, str, str], list[tuple[str, Measurement]]] = {}
    for case, record in cases.items():
        for item in _main(index_of(record.measurements)):
            key = (structure_name(record, item.target), quantity_text(item), item.unit)
            found.setdefault(key, []).append((case, item))
    structures = list(dict.fromkeys(name for name, _, _ in found))
    many = len(structures) > MANY
    kept = {
        key: items
        for key, items in found.items()
        if any(item.value is not None for _, item in items)
        and not (many and items[0][1].quantity not in _SIZES)
    }
    ordered = sorted(
        kept.items(), key=lambda entry: (structures.index(entry[0][0]), rank(entry[1][0][1].quantity))
    )
    return tuple(_distribution(key, items) for key, items in ordered)


def _distribution(key: tuple[str, str, str], items: list[tuple[str, Measurement]]) -> Distribution:
    bounds = (Status.TRUNCATED_LOWER_BOUND, Status.TRUNCATED_UNRELIABLE)
    values = {
        case: float(item.value) for case, item in items if item.value is not None and item.status is Status.OK
    }
    cut = sum(item.status in bounds for _, item in items)
    return Distribution(*key, values, cut, sum(item.value is None for _, item in items))


def _main(index: Index) -> Iterator[Measurement]:
    """The main quantities of labels, regions and tissues; none that would be a second number for one thing."""
    pets = {item.channel for (_, quantity), item in index.first.items() if quantity is Quantity.SUV_MAX}
    slices = {
        target.detail for target in index.by_target if target.kind == "tissue" and is_slice(target.detail)
    }
    for target, items in index.by_target.items():
        if target.kind not in ("label", "region", "tissue"):
            continue
        if target.detail in slices and len(slices) > LEVELS:
            continue
        for item in items:
            # The size and the uptake of a given mask are nearly its volume and its mean.
            twice = (item.quantity is Quantity.MEAN and item.channel in pets) or item.target.detail == "given"
            if item.quantity in _MAIN and item.unit != _NOT_COMPARABLE and not twice:
                yield item
