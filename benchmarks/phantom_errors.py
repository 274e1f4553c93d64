"""Error of every size by size of the structure: balls at random places between voxels, perfectly drawn.

Run: python -m benchmarks.phantom_errors            prints the tables
     python -m benchmarks.phantom_errors --write    puts them into docs/concepts/accuracy.md
"""

import argparse
import platform
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from medseg.domain import Quantity
from medseg.measuring import measure
from medseg.testing import ball, grid_around, phantom

PAGE = Path(__file__).resolve().parents[1] / "docs" / "concepts" / "accuracy.md"
BEGIN = "<!-- tables by: python -m benchmarks.phantom_errors --write -->"
END = "<!-- end of tables -->"
RADII_MM = (2, 3, 5, 8, 12, 20, 30)
SPACINGS = ((1.0, 1.0, 1.0), (1.0, 1.0, 3.0), (1.0, 1.0, 5.0))
CASES = 40
#: Share of the cases that lie between the two ends shown.
MIDDLE = 0.9

#: Quantity → heading, and whether its error is in % of the truth (else mm).
SHOWN = {
    Quantity.VOLUME: ("volume, %", True),
    Quantity.MESH_VOLUME: ("mesh volume, %", True),
    Quantity.SURFACE_AREA: ("surface area, %", True),
    Quantity.SPHERICITY: ("sphericity, %", True),
    Quantity.MAXIMUM_3D_DIAMETER: ("maximum 3D diameter, mm", False),
    Quantity.LONGEST_DIAMETER: ("longest in plane, mm", False),
}


def errors(radius: float, spacing: tuple[float, float, float], cases: int) -> dict[Quantity, list[float]]:
    """Errors of each quantity over balls at random places; places where nothing was drawn are missing."""
    rng = np.random.default_rng([int(10 * radius), *(int(10 * step) for step in spacing)])
    solid = ball(radius)
    truth = {
        Quantity.VOLUME: solid.volume_mm3 / 1000,
        Quantity.MESH_VOLUME: solid.volume_mm3 / 1000,
        Quantity.SURFACE_AREA: solid.area_mm2,
        Quantity.SPHERICITY: 1.0,
        Quantity.MAXIMUM_3D_DIAMETER: solid.diameter_mm,
        Quantity.LONGEST_DIAMETER: solid.diameter_mm,
    }
    found: dict[Quantity, list[float]] = {quantity: [] for quantity in truth}
    for _ in range(cases):
        first, second, third = rng.uniform(-0.5, 0.5, 3)
        grid = grid_around(solid.bounds_mm, spacing, phase=(first, second, third))
        segmentation = phantom(solid, grid)
        if not segmentation.labels.any():
            continue
        for row in measure(segmentation):
            if row.quantity in truth and row.value is not None:
                exact = truth[row.quantity]
                scale = 100 / exact if SHOWN[row.quantity][1] else 1.0
                found[row.quantity].append((float(row.value) - exact) * scale)
    return found


def table_row(radius: float, spacing: tuple[float, float, float], cases: int = CASES) -> str:
    """One line of a table: median and, in brackets, the middle 90 % of the errors."""
    found = errors(radius, spacing, cases)
    cells = [f"{radius:g}"]
    for quantity in SHOWN:
        values = np.array(found[quantity])
        low, median, high = np.quantile(values, [(1 - MIDDLE) / 2, 0.5, (1 + MIDDLE) / 2])
        cells.append(f"{_signed(median)} ({_signed(low)} … {_signed(high)})")
    seen = len(found[Quantity.VOLUME])
    cells.append("all" if seen == cases else f"{seen} of {cases}")
    return "| " + " | ".join(cells) + " |"


def _signed(value: float) -> str:
    text = f"{value:+.1f}".replace("-", "−")
    return "0.0" if text in ("+0.0", "−0.0") else text


def tables() -> Iterator[str]:
    """All lines of the block."""
    yield f"{CASES} balls per line, each with its centre at a random place between voxel centres. Radius in mm;"
    yield "median error and, in brackets, where the middle 90 % lie."
    for spacing in SPACINGS:
        size = " × ".join(f"{step:g}" for step in spacing)
        yield ""
        yield f"**Voxels of {size} mm**"
        yield ""
        heads = ["radius", *(head for head, _ in SHOWN.values()), "seen"]
        yield "| " + " | ".join(heads) + " |"
        yield "|" + "---|" * len(heads)
        for radius in RADII_MM:
            yield table_row(radius, spacing)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    write = parser.parse_args().write
    block = "\n".join(tables())
    print(f"{platform.platform()}, Python {platform.python_version()}, numpy {np.__version__}")
    print(block)
    if write:
        text = PAGE.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(f"{before}{BEGIN}\n\n{block}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
