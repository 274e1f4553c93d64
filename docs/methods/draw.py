"""The pictures of the methods' pages, on the shipped samples, and the table of the index page.

Run: python docs/methods/draw.py NAME…        one picture per method named; all methods without a name
     python docs/methods/draw.py --index      the table between the markers of index.md
     python docs/methods/draw.py tissue-preset --ct CT.nii.gz CT_mask.nii.gz    no CT is shipped

White: the tumour or structure as an expert drew it. Colours: what the method found. + and −: seeds, placed from
the expert's mask (the deepest voxels of it, and voxels around its box).
"""

import argparse
import io
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import medseg
from medseg import plugins
from medseg.domain import Image, Prompts, Run, Segmentation, Segmenter
from medseg.domain.prompts import Box, Point, Stroke
from medseg.geometry.resample import resample
from medseg.masks.contours import slice_axis
from medseg.workflows.demo import sample_folder
from medseg.workflows.segment import segment

HERE = Path(__file__).resolve().parent
MARKS = "<!-- methods: written by draw.py -->", "<!-- end of methods -->"
MOST_BYTES = 60_000
COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#d55e00")
SEED = "#ffd400"


@dataclass(frozen=True)
class Scene:
    """What a picture shows: a sample and its channel, parameters, and how many seeds.

    `seeds` are the positive ones; up to four negative ones are placed around. `traced` gives anchors along the
    expert's outline on the slice shown instead, `boxed` a box around the expert's mask.
    """

    sample: str = "sarcoma"
    channel: str = "mr"
    params: Mapping[str, Any] = field(default_factory=dict)
    seeds: int = 0
    traced: bool = False
    boxed: bool = False


#: Where the choice made from a method's needs would show little.
SCENES = {
    "threshold": Scene(channel="pet", params={"low": 1.5}),
    "tissue-preset": Scene(sample="", channel="ct", params={"tissues": ["muscle-range", "fat-range"]}),
    "gaussian-mixture": Scene("hippocampus"),
    "k-means": Scene("hippocampus"),
    "livewire": Scene(traced=True),
    "multi-otsu": Scene("hippocampus"),
    "otsu": Scene(channel="pet"),
    "pet-threshold": Scene(channel="pet", params={"rule": "fixed-1.5"}, boxed=True),
    "watershed": Scene(seeds=3),
    "hysteresis": Scene(channel="pet", params={"low": 1.2, "high": 2.5}),
    # On T1 this tumour looks like muscle, so methods that trust values alone are shown on PET.
    "chan-vese": Scene(channel="pet", seeds=3),
    "geodesic-contour": Scene(channel="pet", seeds=3),
    "graph-cut": Scene(channel="pet", seeds=3),
    "level-set": Scene(channel="pet", seeds=3),
    "pick-supervoxels": Scene(channel="pet", seeds=3),
    "random-walker": Scene(channel="pet", seeds=3),
    "supervoxels": Scene(channel="pet"),
}


def scene_of(method: Segmenter) -> Scene:
    """The scene named for a method, else one that its needs call for."""
    name, need = method.spec.name, method.spec.channels[0]
    if name in SCENES:
        return SCENES[name]
    return Scene(channel="pet" if need.modality == "PT" else "mr", seeds=3 * method.spec.needs_prompts)


def load(scene: Scene, ct: tuple[Path, Path] | None) -> tuple[Image, Segmentation]:
    """Image and the expert's mask, on one grid."""
    if scene.channel == "ct":
        if ct is None:
            raise SystemExit("no CT is shipped; give one with --ct IMAGE MASK")
        image, expert = medseg.read(ct[0]), medseg.read_segmentation(ct[1])
        return replace(image, modality="CT", value_unit="[hnsf'U]"), expert
    folder = sample_folder(scene.sample)
    image = medseg.read(folder / f"{scene.channel}.nii.gz")
    expert = medseg.read_segmentation(folder / "reference.nii.gz")
    if scene.channel == "pet":
        image = replace(image, modality="PT", value_unit="g/ml{SUVbw}")
        labels = resample(expert.labels, expert.grid, image.grid, interpolation="nearest")
        expert = replace(expert, labels=labels, grid=image.grid)
    return image, expert


def place(expert: Segmentation, scene: Scene, axis: int, index: int) -> Prompts | None:
    """Seeds as a user who knows the expert's mask might place them."""
    inside = expert.labels > 0
    if scene.traced:
        return _traced(inside, expert, axis, index)
    if scene.boxed:
        ends = np.argwhere(inside)
        return Prompts(boxes=(Box(_at(expert, ends.min(axis=0) - 2), _at(expert, ends.max(axis=0) + 2)),))
    if not scene.seeds:
        return None
    from scipy.ndimage import distance_transform_edt

    spacing = np.array(expert.grid.spacing)
    deep = distance_transform_edt(np.pad(inside, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    places = np.argwhere(inside)
    chosen: list[np.ndarray] = []
    for _ in range(scene.seeds):
        score = deep[inside].copy()
        for other in chosen:
            score = np.minimum(score, np.linalg.norm((places - other) * spacing, axis=1) / 2)
        chosen.append(places[np.argmax(score)])
    low, high = places.min(axis=0), places.max(axis=0)
    around = []
    for way in [other for other in range(3) if other != axis]:
        for end, step in ((low, -1), (high, 1)):
            spot = chosen[0].copy()
            spot[way] = np.clip(end[way] + step * np.ceil(8 / spacing[way]), 0, inside.shape[way] - 1)
            around.append(spot)
    points = [Point(_at(expert, spot)) for spot in chosen]
    points += [Point(_at(expert, spot), positive=False) for spot in around if not inside[tuple(spot)]]
    return Prompts(points=tuple(points))


def _at(expert: Segmentation, index: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(number) for number in expert.grid.to_position(index))
    return x, y, z


def _traced(inside: np.ndarray, expert: Segmentation, axis: int, index: int) -> Prompts:
    """Ten anchors along the expert's outline on one slice."""
    from skimage.measure import find_contours

    line = max(find_contours(np.pad(np.take(inside, index, axis=axis), 1).astype(float), 0.5), key=len) - 1
    anchors = line[np.linspace(0, len(line) - 1, 11).astype(int)[:-1]]
    return Prompts(
        strokes=(
            Stroke(
                tuple(_at(expert, np.insert(spot, axis, index)) for spot in anchors),
                radius_mm=0.5,
                closed=True,
            ),
        )
    )


def draw(method: Segmenter, ct: tuple[Path, Path] | None = None) -> bytes:
    """PNG of one slice with the expert's outline, the answer's, and the seeds."""
    scene = scene_of(method)
    image, expert = load(scene, ct)
    axis = slice_axis(image.grid)
    areas = (expert.labels > 0).sum(axis=tuple(other for other in range(3) if other != axis))
    index = int(np.argmax(areas))
    prompts = place(expert, scene, axis, index)
    if prompts is not None and prompts.points:
        index = int(np.rint(image.grid.to_index(np.array(prompts.points[0].position))[axis]))
    answer = segment(method, image, params=scene.params, prompts=prompts, run=Run(device="cpu"))
    objects = answer.labels if answer.instances is None else answer.instances
    return _picture(image, expert, objects, prompts, (axis, index))


def _picture(
    image: Image, expert: Segmentation, objects: np.ndarray, prompts: Prompts | None, where: tuple[int, int]
) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    axis, index = where
    across, up = (other for other in range(3) if other != axis)
    spacing = image.grid.spacing
    plane = np.take(image.array, index, axis=axis).astype(float)
    low, high = np.percentile(plane, [1, 99.5])
    figure = Figure(figsize=(4.2, 3.6), dpi=100, facecolor="black")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.imshow(
        plane.T,
        cmap="gray",
        vmin=low,
        vmax=high,
        interpolation="bicubic",
        aspect=spacing[up] / spacing[across],
    )
    drawn = np.take(expert.labels, index, axis=axis) > 0
    found = np.take(objects, index, axis=axis)
    if drawn.any():
        axes.contour(drawn.T, [0.5], colors="white", linewidths=0.8, linestyles="dashed")
    for value in np.unique(found[found > 0]):
        axes.contour(
            (found == value).T, [0.5], colors=COLOURS[(int(value) - 1) % len(COLOURS)], linewidths=1.3
        )
    for spot, sign in _seeds(prompts):
        at = image.grid.to_index(np.array(spot))
        if abs(at[axis] - index) < 1:
            axes.plot(
                at[across],
                at[up],
                "_" if sign == "-" else sign,
                color=SEED,
                markersize=9,
                markeredgewidth=2,
            )
    _turn(axes, image, axis)
    return _small(figure)


def _seeds(prompts: Prompts | None) -> list[tuple[tuple[float, float, float], str]]:
    if prompts is None:
        return []
    points = [(point.position, "+" if point.positive else "-") for point in prompts.points]
    return points + [(spot, "+") for stroke in prompts.strokes for spot in stroke.positions]


def _turn(axes: Any, image: Image, axis: int) -> None:
    """Turn the view as radiologists hold it: the patient's right on the left, front and head up."""
    letters = [letter for other, letter in enumerate(image.grid.orientation) if other != axis]
    extent = [n for other, n in enumerate(image.grid.shape) if other != axis]
    left, right = (-0.5, extent[0] - 0.5)
    bottom, top = (-0.5, extent[1] - 0.5)
    axes.set_xlim((left, right) if letters[0] in "LP" else (right, left))
    axes.set_ylim((bottom, top) if letters[1] in "AS" else (top, bottom))


def _small(figure: Any) -> bytes:
    """PNG of at most `MOST_BYTES`, with as many greys as that allows beside the colours of lines."""
    from PIL import Image as Picture

    figure.canvas.draw()
    full = Picture.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    memory = io.BytesIO()
    for greys in (160, 80, 40, 20):
        memory = io.BytesIO()
        full.quantize(palette=_palette(greys), dither=Picture.Dither.NONE).save(memory, "png", optimize=True)
        if memory.tell() <= MOST_BYTES:
            break
    return memory.getvalue()


def _palette(greys: int) -> Any:
    """Greys from black to white, and every colour of a line as it fades into them."""
    from matplotlib.colors import to_rgb
    from PIL import Image as Picture

    entries = [np.full(3, grey) for grey in np.linspace(0, 255, greys)]
    for colour in (*COLOURS, SEED):
        full = 255 * np.array(to_rgb(colour))
        entries += [
            share * full + (1 - share) * grey for share in (1, 0.75, 0.5) for grey in (0, 90, 180, 255)
        ]
    palette = Picture.new("P", (1, 1))
    palette.putpalette(np.rint(entries).astype(np.uint8).ravel().tolist())
    return palette


def table() -> str:
    """The methods as a table: name, title, where it works, whether it needs seeds."""
    rows = ["| name | what | seeds | works on |", "|---|---|---|---|"]
    for name, method in plugins.load_all(plugins.SEGMENTERS):
        spec = method.spec
        if spec.kind == "model" or not (HERE / f"{name}.md").exists():
            continue
        need = spec.channels[0]
        values = {"CT": "CT in HU", "PT": "PET"}.get(need.modality or "", "any values")
        places = " and ".join(f"{n}D" for n in spec.dimensions) + ("" if spec.needs_mm else ", px too")
        seeds = "needed" if spec.needs_prompts else "–"
        rows.append(
            f"| [`{name}`]({name}.md) | {spec.title}: {spec.summary} | {seeds} | {values}; {places} |"
        )
    return "\n".join(rows)


def write_index() -> None:
    page = HERE / "index.md"
    before, rest = page.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    page.write_text(f"{before}{MARKS[0]}\n\n{table()}\n\n{MARKS[1]}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--ct", nargs=2, type=Path)
    parser.add_argument("--index", action="store_true")
    given = parser.parse_args()
    if given.index:
        write_index()
        return
    for name in given.names or plugins.names(plugins.SEGMENTERS):
        png = draw(plugins.load(plugins.SEGMENTERS, name), given.ct)
        (HERE / f"{name}.png").write_bytes(png)
        sys.stdout.write(f"{name}.png  {len(png) / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
