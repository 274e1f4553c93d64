"""Sets of PNG masks by a mapping: a YAML or JSON file that says which value, colour, file or folder is which class.

Own format, for what people have: masks painted in grey values or colours, or a file per class.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Image, Label, Provenance, ReadOptions, Segmentation, Source
from medseg.domain.values import as_details
from medseg.errors import InputError, LabelError
from medseg.io.answers import apply_answers
from medseg.io.labelset.file import LabelSet, is_labelset, parse_labelset
from medseg.io.overlaps import labels_of_masks
from medseg.io.raster.format import PX_AFFINE
from medseg.io.raster.pages import read_page
from medseg.io.values import freeze

__all__ = ["READER", "LabelSetReader", "labelset_segmentation", "open_labelset"]

_WHOLE = (slice(None),) * 3


class LabelSetReader:
    """Reads the masks that a mapping describes; each case is a volume, known by its name."""

    name = "labelset"
    suffixes: tuple[str, ...] = ()  # its file describes a set

    def sniff(self, path: Path, head: bytes) -> bool:
        """By the schema that its first lines name."""
        return is_labelset(path, head)

    def inspect(self, path: Path) -> tuple[Source, ...]:
        """One Source per case; sizes are known when a case is read."""
        found = open_labelset(path)
        several = len(found.cases) > 1
        return tuple(
            Source(str(path), self.name, volume=name if several else None, description=f"{len(files)} files")
            for name, files in found.cases.items()
        )

    def load(self, source: Source, options: ReadOptions) -> Image:
        """The label values of one case; where classes overlap, of the parts that they share."""
        found = self.load_segmentation(source, ReadOptions(volume=options.volume))
        return Image(found.labels, found.grid, findings=found.findings, source=source)

    def load_segmentation(
        self,
        source: Source,
        options: ReadOptions,
        on: Image | Grid | None = None,  # noqa: ARG002 - pictures know their sizes
    ) -> Segmentation:
        """The mask of one case, in pixels; classes that overlap (by files) are regions over parts."""
        file = open_labelset(Path(source.uri))
        found = labelset_segmentation(file, source.volume or next(iter(file.cases)))
        image = apply_answers(
            Image(found.labels, found.grid, findings=found.findings, source=source), options
        )
        return Segmentation(image.array, image.grid, found.table, found.made_by, image.findings)


READER = LabelSetReader()


def open_labelset(path: Path) -> LabelSet:
    """A parsed mapping with its cases; the last is kept, as every case asks for it.

    Raises
    ------
    InputError
        If it is damaged, names files outside its folder, or describes no file.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}") from error
    return _parsed(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=2)
def _parsed(path: Path, _changed: int, _size: int) -> LabelSet:
    return parse_labelset(path)


def labelset_segmentation(file: LabelSet, name: str) -> Segmentation:
    """The mask of one case.

    Raises
    ------
    InputError
        If its pictures have different sizes, or one can't be read.
    LabelError
        If a picture is JPEG, whose values are no labels.
    """
    findings: dict[Finding, None] = {}
    masks = list(_masks(file, name, findings))
    shapes = {mask.shape for _, mask in masks}
    if len(shapes) > 1:
        sizes = ", ".join(sorted(f"{columns} × {rows}" for columns, rows in shapes))
        raise InputError(f"{file.path}: the masks of {name} have different sizes: {sizes} pixels")
    shape = (*shapes.pop(), 1)
    drawn = ((value, _WHOLE, mask[..., None]) for value, mask in masks)
    structures = tuple(Label(rule.value, rule.name, rule.shown) for rule in file.classes)
    labels, table, more = labels_of_masks(structures, drawn, shape)
    grid = Grid(shape, PX_AFFINE, unit="px", orientation_known=False)
    made_by = Provenance(parameters=as_details(format="label set"))
    return Segmentation(freeze(labels), grid, table, made_by, (*findings, *more))


def _masks(
    file: LabelSet, name: str, findings: dict[Finding, None]
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """(label value, (columns, rows) bool) of every class that has a file."""
    files = file.cases[name]
    for rule in file.classes:
        if rule.files is not None and rule.name in files:
            values = _values(files[rule.name])
            on = values != 0 if values.ndim == 2 else (values != 0).any(axis=-1)
            yield rule.value, on.T
    if "" not in files:
        return
    values = _values(files[""])
    rest = np.ones(values.shape[:2], dtype=np.bool_)
    for rule in file.classes:
        if rule.files is None:
            on = _matching(values, rule.matches, files[""])
            rest &= ~on
            yield rule.value, on.T
    for background in file.background:
        rest &= ~_matching(values, background, files[""])
    if rest.any():
        text = f"{int(rest.sum())} pixels have values or colours of no class and were taken as background."
        findings[Finding("labelset.unnamed", "warning", text, as_details(pixels=int(rest.sum())))] = None


def _values(path: Path) -> NDArray[Any]:
    if path.suffix.lower() in (".jpg", ".jpeg"):
        raise LabelError(f"{path}: JPEG changes values, so it can't hold a mask; export it as PNG")
    page = read_page(path, 0)
    same = page.values.ndim == 3 and all(
        np.array_equal(page.values[..., 0], page.values[..., n]) for n in (1, 2)
    )
    return page.values[..., 0] if same else page.values


def _matching(values: NDArray[Any], wanted: int | tuple[int, ...], path: Path) -> NDArray[np.bool_]:
    """(rows, columns): pixels of a grey value, or of a colour; grey is the colour of three equal parts."""
    if isinstance(wanted, int):
        if values.ndim == 3:
            if wanted == 0:
                return np.asarray((values == 0).all(axis=-1))
            raise LabelError(f"{path} holds colours, and its mapping names grey value {wanted}")
        return np.asarray(values == wanted)
    if values.ndim == 2:
        return np.asarray((values == wanted[0]) & (len(set(wanted)) == 1))
    return np.asarray((values == np.array(wanted)).all(axis=-1))
