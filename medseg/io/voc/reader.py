"""Pascal VOC segmentation: pictures of class numbers in `SegmentationClass`, whose 255 nobody decided on.

Source of the format: the development kit of the PASCAL VOC challenge 2012, and CVAT's `labelmap.txt` beside it.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Image, LabelTable, Provenance, ReadOptions, Segmentation, Source
from medseg.domain.values import as_details
from medseg.errors import InputError, LabelError
from medseg.io.answers import apply_answers
from medseg.io.protocols import unreadable
from medseg.io.raster.format import PX_AFFINE
from medseg.io.raster.pages import Page, read_page
from medseg.io.values import freeze
from medseg.io.voc.names import VOID, VOID_COLOR, VocClasses, voc_classes

__all__ = ["MASK_FOLDER", "READER", "VocReader", "voc_undecided"]

MASK_FOLDER = "SegmentationClass"
#: What stands beside the masks' folder in this layout.
_BESIDE = ("ImageSets", "JPEGImages", "labelmap.txt")


class VocReader:
    """Reads one mask of a VOC folder, with the folder's class names."""

    name = "pascalvoc"
    suffixes: tuple[str, ...] = ()  # its file describes a set

    def sniff(self, path: Path, head: bytes) -> bool:  # noqa: ARG002 - a PNG like any other; its place tells
        """By the folder that it stands in."""
        folder = path.parent
        return (
            path.suffix.lower() == ".png"
            and folder.name == MASK_FOLDER
            and any((folder.parent / name).exists() for name in _BESIDE)
        )

    def inspect(self, path: Path) -> tuple[Source, ...]:
        """One Source; the picture is read for it."""
        try:
            rows, _ = _rows(path)
        except InputError as error:
            return (unreadable(path, self.name, str(error)),)
        return (Source(str(path), self.name, _grid(rows), value_unit="[arb'U]"),)

    def load(self, source: Source, options: ReadOptions) -> Image:  # noqa: ARG002 - nothing to choose here
        """The class numbers, undecided pixels as background."""
        rows, findings = _rows(Path(source.uri))
        return Image(freeze(rows).T[..., None], _grid(rows), findings=findings, source=source)

    def load_segmentation(
        self,
        source: Source,
        options: ReadOptions,
        on: Image | Grid | None = None,  # noqa: ARG002 - a picture's grid is its own
    ) -> Segmentation:
        """The mask with the names and colours of its folder's classes."""
        image = apply_answers(self.load(source, options), options)
        classes = voc_classes(Path(source.uri).parent.parent)
        table = _table(classes, image.array)
        made_by = Provenance(parameters=as_details(format="Pascal VOC"))
        return Segmentation(image.array, image.grid, table, made_by, image.findings)


READER = VocReader()


def _grid(rows: NDArray[Any]) -> Grid:
    return Grid((rows.shape[1], rows.shape[0], 1), PX_AFFINE, unit="px", orientation_known=False)


def _rows(path: Path) -> tuple[NDArray[np.uint8], tuple[Finding, ...]]:
    """(rows, columns) of label values, 0 where nobody decided, and what there is to say."""
    numbers = _numbers(path)
    void = numbers == VOID
    count = int(np.count_nonzero(void))
    if not count:
        return numbers, ()
    text = f"{count} pixels are marked as undecided (255) and were taken as background."
    return np.where(void, 0, numbers).astype(np.uint8), (
        Finding("voc.void", "info", text, as_details(pixels=count)),
    )


def voc_undecided(path: Path) -> NDArray[np.bool_]:
    """(columns, rows, 1): pixels that nobody decided on, such as the borders of objects."""
    return np.ascontiguousarray(_numbers(path).T[..., None] == VOID)


def _numbers(path: Path) -> NDArray[np.uint8]:
    """(rows, columns) of class numbers, VOID among them."""
    classes = voc_classes(path.parent.parent)
    page = read_page(path, 0)
    by_color = classes.by_color and (page.indices is None or classes.stated) and page.values.ndim == 3
    return _by_color(page.values, classes, path) if by_color else _by_number(page, classes, path)


def _by_color(values: NDArray[Any], classes: VocClasses, path: Path) -> NDArray[np.uint8]:
    known = {label.rgb: label.value for label in classes.table.labels} | {(0, 0, 0): 0, VOID_COLOR: VOID}
    packed = values.astype(np.uint32) @ np.array([65536, 256, 1], dtype=np.uint32)
    found, place = np.unique(packed, return_inverse=True)
    colors = [(int(value) >> 16, int(value) >> 8 & 255, int(value) & 255) for value in found]
    if odd := [color for color in colors if color not in known]:
        raise LabelError(f"{path} holds colour {odd[0]}, which is no class of its folder")
    lookup = np.array([known[color] for color in colors], dtype=np.uint8)
    return lookup[place.reshape(packed.shape)]


def _by_number(page: Page, classes: VocClasses, path: Path) -> NDArray[np.uint8]:
    numbers = page.indices if page.indices is not None else page.values
    if numbers.ndim != 2:
        raise LabelError(f"{path} holds colours that do not tell the classes apart")
    top = len(classes.table.labels)
    if classes.stated and (odd := np.unique(numbers[(numbers > top) & (numbers != VOID)])).size:
        raise LabelError(f"{path} holds class {odd[0]}, and its folder names {top}")
    if int(numbers.max()) > VOID:
        raise LabelError(f"{path} is no mask of VOC: it holds {numbers.max()}, and classes are 0 to 255")
    return numbers.astype(np.uint8)


def _table(classes: VocClasses, labels: NDArray[Any]) -> LabelTable:
    present = set(np.unique(labels).tolist()) - {0} - set(classes.table.values)
    return LabelTable((*classes.table.labels, *LabelTable.from_values(tuple(present)).labels))
