"""Which volume is steadier when a scan is disturbed: that of voxels, or that of probabilities; and what change comes back.

Run: python -m benchmarks.steadiness DATA       (writes docs/reference/steadiness.md; about 20 minutes on two cores)

DATA holds `hippocampus/` (Medical Segmentation Decathlon, Task04) and `sarcoma/` (IBSI validation set).
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import medseg
from medseg.domain import Image, Quantity
from medseg.domain.repeatability import RepeatabilityStudy
from medseg.workflows.declare import declare_values
from medseg.workflows.selftest import self_test

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "steadiness.md"
#: One case in so many, by name.
HIPPOCAMPI, SARCOMAS = 10, 7
HEAD = """# Steadiness: volumes from voxels, and from probabilities

Written by `python -m benchmarks.steadiness DATA`. Each scan was segmented ten times more, disturbed as
`medseg repeatability --self` does it (shifted by half a voxel six ways, mirrored, with its own noise added three times), and
objects in it were made larger and smaller by a known amount. The scans are among those that the models were trained on: this is
about how steady a number is, not about how right.
"""


@dataclass(frozen=True)
class Line:
    """One structure over all scans of a model."""

    name: str
    scans: int
    voxels: tuple[float, ...]
    probabilities: tuple[float, ...]
    shrunk: tuple[float, ...]
    grown: tuple[float, ...]


def hippocampi(data: Path) -> Iterator[Mapping[str, Image]]:
    for path in sorted((data / "hippocampus" / "imagesTr").glob("[!.]*.nii.gz"))[::HIPPOCAMPI]:
        yield {"image": medseg.read(path)}


def sarcomas(data: Path) -> Iterator[Mapping[str, Image]]:
    for folder in sorted((data / "sarcoma").glob("STS_*"))[::SARCOMAS]:
        read = {
            "mr": medseg.read(folder / "MR_T1_image.nii.gz"),
            "pet": medseg.read(folder / "PET_image.nii.gz"),
        }
        yield declare_values(read, {"pet": "SUVbw"})


def lines(studies: Sequence[RepeatabilityStudy]) -> Iterator[Line]:
    names = dict.fromkeys(item.target for study in studies for item in study.items)
    for name in names:
        pairs = [
            (study.of(name, Quantity.VOLUME), study.of(name, Quantity.PROBABILITY_VOLUME))
            for study in studies
        ]
        known = [
            (100 * one.wcv.value, 100 * other.wcv.value)
            for one, other in pairs
            if one is not None and other is not None and one.wcv is not None and other.wcv is not None
        ]
        shares = {
            kind: tuple(
                100 * item.share
                for study in studies
                for item in study.recovered
                if (item.target, item.kind) == (name, kind)
            )
            for kind in ("shrunk", "grown")
        }
        voxels, weighed = zip(*known, strict=True)
        yield Line(name, len(known), voxels, weighed, shares["shrunk"], shares["grown"])


def row(line: Line) -> str:
    steadier = sum(other < one for one, other in zip(line.voxels, line.probabilities, strict=True))
    cells = (
        line.name,
        str(line.scans),
        spread(line.voxels),
        spread(line.probabilities),
        f"{steadier} of {line.scans}",
        middle(line.shrunk),
        middle(line.grown),
    )
    return f"| {' | '.join(cells)} |"


def spread(values: Sequence[float]) -> str:
    low, median, high = np.percentile(values, [25, 50, 75])
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


def middle(values: Sequence[float]) -> str:
    if not values:
        return "no object"
    low, median, high = np.percentile(values, [25, 50, 75])
    return f"{median:.0f} ({low:.0f} to {high:.0f})"


def page(found: Sequence[Line]) -> str:
    head = "| structure | scans | SD by voxels, % | SD by probabilities, % | probabilities steadier | back of −20 %, % | back of +25 %, % |"
    steadier = sum(
        other < one for line in found for one, other in zip(line.voxels, line.probabilities, strict=True)
    )
    every = sum(line.scans for line in found)
    verdict = (
        f"Over all structures and scans the volume from probabilities was the steadier one in {steadier} of {every}. It is "
        "another number (blurred edges weigh in), not a better estimate of the same: compare it with itself only."
    )
    table = "\n".join([head, "|---|---|---|---|---|---|---|", *map(row, found)])
    note = (
        "Medians over scans, quartiles in brackets. SD: of the eleven volumes of a scan, in per cent of their mean. Back: "
        "what of a known change of an object's volume the model found.\n\n"
        "Data: hippocampus of the Medical Segmentation Decathlon (Antonelli et al. 2022; Simpson et al. 2019), CC BY-SA 4.0;\n"
        "sarcomas of the TCIA collection Soft-tissue-Sarcoma (Vallières et al. 2015) as prepared for the IBSI validation\n"
        "study, CC BY 3.0."
    )
    return f"{HEAD}\n{table}\n\n{verdict}\n\n{note}\n"


def main(data: Path) -> None:
    found: list[Line] = []
    for model, cases in (("hippocampus", hippocampi(data)), ("sarcoma", sarcomas(data))):
        studies = []
        for images in cases:
            studies.append(self_test(model, images, same_space=True))
            print(model, len(studies), flush=True)
        found += lines(studies)
    text = page(found)
    print(text)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
