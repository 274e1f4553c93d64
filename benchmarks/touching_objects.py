"""How well real shapes that touch are told apart: by the shipped network, at necks, and by connected components.

Run: python -m benchmarks.touching_objects DATA       (writes docs/reference/touching-objects.md and its picture)

DATA holds `hippocampus/` (Medical Segmentation Decathlon, Task04) and `sarcoma/` (IBSI validation set).
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import medseg
from medseg import settings
from medseg.masks.components import components
from medseg.masks.split import split_touching
from medseg.training.phantom_quality import WAYS, ObjectCount, count_objects, f1_of
from medseg.training.phantoms import InstanceTraining, draw_phantom

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "touching-objects.md"
MODEL = "touching-objects"
#: Depth of the method split-objects, where nobody chooses another.
DEPTH_MM = 1.0
#: Diameters by volume that the tumours' shapes are brought to, and the grid and field that they are put in.
ACROSS_MM, STEP_MM, FIELD = (14.0, 34.0), 2.0, (56, 32, 32)
NOISE = 0.15
HEAD = """# Touching objects: what was reached

Written by `python -m benchmarks.touching_objects DATA`. {what}

**Fit**: an object given and one that is there whose IoU is above 0.5. F1 is 2 · fit / (there + given) over all cases together;
all cases of a set were run once, with the defaults of the model and of `split` ({depth:g} mm). The network sees an image;
necks and connected components are given the true foreground, which the network has to find.
"""


@dataclass(frozen=True, eq=False)
class Case:
    """Objects that touch, and the image that the network sees."""

    name: str
    ids: NDArray[np.uint32]
    image: medseg.Image


def hippocampi(data: Path) -> Iterator[Case]:
    """Anterior and posterior hippocampus merged into one mask; the mask is the image."""
    for path in sorted((data / "hippocampus" / "labelsTr").glob("*.nii.gz")):
        mask = medseg.read_segmentation(path)
        ids = mask.labels.astype(np.uint32)
        yield Case(path.name.split(".")[0], ids, medseg.Image((ids > 0).astype(np.float32), mask.grid))


def tumours(data: Path) -> Iterator[Case]:
    """Outlines of two patients' tumours, made 14 to 34 mm across, pushed together until they touch, in noise."""
    paths = sorted((data / "sarcoma").glob("*/MR_T1_mask.nii.gz"))
    rng = np.random.default_rng(0)
    grid = medseg.Grid(FIELD, np.diag([*(STEP_MM,) * 3, 1.0]))
    sizes = np.exp(rng.uniform(*np.log(ACROSS_MM), size=len(paths)))
    shapes = [shape(path, across) for path, across in zip(paths, sizes, strict=True)]
    for n, path in enumerate(paths):
        other = (n + 1) % len(paths)
        ids = pushed_together(shapes[n], shapes[other])
        values = (ids > 0) + rng.normal(0, NOISE, FIELD)
        name = f"{path.parent.name} and {paths[other].parent.name}"
        yield Case(name, ids, medseg.Image(values.astype(np.float32), grid))


def phantoms() -> Iterator[Case]:
    """One phantom for the picture; the model's figures on phantoms are those of its card."""
    plan = InstanceTraining(
        patch=(24, 24, 24), objects=(4, 5), radius_mm=(6.0, 14.0), stretch=1.5, lumps=0.2, seed=1
    )
    drawn = draw_phantom(10_000_004, plan)
    grid = medseg.Grid(plan.patch, np.diag([*(plan.spacing_mm,) * 3, 1.0]))
    yield Case("phantom", drawn.ids, medseg.Image(drawn.image, grid))


def shape(path: Path, across: float) -> NDArray[np.bool_]:
    """A tumour's outline brought to a diameter (by volume), on its own box."""
    from scipy.ndimage import zoom

    mask = medseg.read_segmentation(path)
    inside = mask.labels > 0
    size = (inside.sum() * mask.grid.voxel_volume * 6 / np.pi) ** (1 / 3)
    small = (
        zoom(inside.astype(np.float32), np.array(mask.grid.spacing) / STEP_MM * across / size, order=1) > 0.5
    )
    places = np.argwhere(small)
    return small[tuple(slice(low, high + 1) for low, high in zip(places.min(0), places.max(0), strict=True))]


def pushed_together(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Ids of two shapes in the field: the second moves along the first axis until it touches the first."""
    ids = np.zeros(FIELD, np.uint32)
    ends = (FIELD[0] // 4, 3 * FIELD[0] // 4)
    for one, (part, middle) in enumerate(zip((first, second), ends, strict=True), start=1):
        low = [at - n // 2 for at, n in zip((middle, *(s // 2 for s in FIELD[1:])), part.shape, strict=True)]
        for place in np.argwhere(part) + low:
            if (place >= 0).all() and (place < FIELD).all() and ids[tuple(place)] == 0:
                ids[tuple(place)] = one
    while components(ids > 0).max() > 1 and (ids == 2)[1:].any():
        moved = np.roll(np.where(ids == 2, 2, 0), -1, axis=0)
        ids = np.where(ids == 1, 1, moved).astype(np.uint32)
    return ids


def answers(case: Case) -> dict[str, NDArray[Any]]:
    """Ids by each way."""
    inside = case.ids > 0
    network = medseg.segment(MODEL, case.image).instances
    assert network is not None
    return dict(
        zip(
            WAYS,
            (network, split_touching(inside, case.image.grid, DEPTH_MM), components(inside)),
            strict=True,
        )
    )


def table(rows: list[ObjectCount]) -> str:
    lines = [
        "| way | F1 of objects | both fit | one object given | two | more |",
        "|---|---|---|---|---|---|",
    ]
    for way in WAYS:
        own = [row for row in rows if row.way == way]
        both = sum(row.fitting == row.objects for row in own)
        given = [sum(row.given == n for row in own) for n in (1, 2)]
        more = sum(row.given > 2 for row in own)
        lines.append(
            f"| {way} | {f1_of(own):.2f} | {both} of {len(own)} | {given[0]} | {given[1]} | {more} |"
        )
    return "\n".join(lines)


def draw(cases: list[Case], axes: list[int], path: Path) -> None:
    """A row per case: the image, the truth, and each way's objects, on the slice that cuts most of them."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, places = plt.subplots(len(cases), 2 + len(WAYS), figsize=(9, 1.95 * len(cases)), squeeze=False)
    for n, (row, case, axis) in enumerate(zip(places, cases, axes, strict=True)):
        area = (case.ids > 0).sum(axis=tuple(other for other in range(3) if other != axis))
        cut = int(area.argmax())
        panels = {"image": case.image.array, "truth": case.ids, **answers(case)}
        for place, (title, values) in zip(row, panels.items(), strict=True):
            flat = np.take(values, cut, axis=axis).T
            if title == "image":
                place.imshow(flat, cmap="gray", origin="lower")
            else:
                place.imshow(np.where(flat, flat % 10, np.nan), cmap="tab10", vmin=0, vmax=9, origin="lower")
                place.set_facecolor("black")
            if n == 0:
                place.set_title(title, fontsize=9)
            place.set_xticks([])
            place.set_yticks([])
        row[0].set_ylabel(case.name, fontsize=6)
    figure.tight_layout()
    figure.savefig(path, dpi=75)


def main() -> None:
    from medseg.models import read_card

    data = Path(sys.argv[1])
    sets: dict[str, list[Case]] = {"hippocampus": list(hippocampi(data)), "tumours": list(tumours(data))}
    rows = {
        name: [
            count_objects(case.name, way, ids, case.ids)
            for case in cases
            for way, ids in answers(case).items()
        ]
        for name, cases in sets.items()
    }
    quality = read_card(settings.shipped_folder() / "models" / MODEL).quality[0]
    text = PAGE_TEXT.format(
        head=HEAD.format(what=WHAT, depth=DEPTH_MM),
        phantoms=f"F1 {quality.mean:.2f} ({quality.low:.2f} to {quality.high:.2f}, {quality.cases} phantoms; "
        f"`{quality.command}`): {quality.note}.",
        **{name: table(found) for name, found in rows.items()},
    )
    PAGE.write_text(text, encoding="utf-8")
    shown = [next(phantoms()), sets["tumours"][0], sets["hippocampus"][0]]
    draw(shown, [2, 2, 0], PAGE.with_suffix(".png"))
    print(text)


WHAT = "The model `touching-objects` was trained on phantoms only; here it meets shapes of patients whose true parts are known."
PAGE_TEXT = """{head}
![Phantom, two tumours, hippocampus: image, truth, and the objects of each way](touching-objects.png)

## Phantoms that it has not seen

{phantoms}

## Real tumours, pushed together

Outlines of two soft-tissue sarcomas, each made 14 to 34 mm across, moved until they touch, bright on dark in noise. The
shapes are real; that they touch is not.

{tumours}

## Hippocampus: anterior and posterior part

Both labels merged into one mask, which is the image. The true parts touch across the whole body of the hippocampus, where an
anatomical landmark and no neck divides them.

{hippocampus}

Data: hippocampus of the Medical Segmentation Decathlon (Antonelli et al. 2022; Simpson et al. 2019), CC BY-SA 4.0; sarcomas of
the TCIA collection Soft-tissue-Sarcoma (Vallières et al. 2015) as prepared for the IBSI validation study, CC BY 3.0.
"""

if __name__ == "__main__":
    main()
