"""COCO instance segmentation: one JSON with pictures, categories and outlines; every picture is a mask.

Source of the format: "COCO Data Format" (cocodataset.org). Positions count from the outer corner of the first
pixel, so that its centre is at (0.5, 0.5); a pixel belongs to an outline when its centre does.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medseg.domain import (
    Finding,
    Grid,
    Image,
    Provenance,
    ReadOptions,
    Segmentation,
    Source,
)
from medseg.domain.values import as_details
from medseg.errors import InputError
from medseg.io.answers import apply_answers
from medseg.io.coco.file import Annotation, CocoFile, CocoPicture, parse_coco
from medseg.io.coco.panoptic import panoptic_labels
from medseg.io.coco.rle import mask_of
from medseg.io.overlaps import labels_of_masks
from medseg.io.raster.format import PX_AFFINE
from medseg.io.values import freeze
from medseg.masks.rasterise import rasterise

__all__ = ["READER", "CocoReader", "coco_classes", "coco_segmentation", "open_coco_file"]

_HEAD = re.compile(rb'^(\xef\xbb\xbf)?\s*\{\s*"(info|licenses|images|annotations|categories|type)"\s*:')
#: A corner further than this from the picture, in pixels, is damage.
_FAR = 1e6
#: More pixels than this, summed over the outlines of a picture, and it is not drawn.
_MOST_FILLED = 1 << 35
_Box: TypeAlias = tuple[slice, ...]
_CROWD = Finding(
    "coco.crowd",
    "info",
    "Some outlines mark a crowd of objects; its pixels were taken as those of its category.",
)
_NO_AREA = Finding(
    "coco.no_area", "warning", "Some outlines have fewer than three corners and no area; they were left out."
)


class CocoReader:
    """Reads the masks of a JSON; each picture is a volume, known by its file name."""

    name = "coco"
    suffixes: tuple[str, ...] = ()  # its file describes a set

    def sniff(self, path: Path, head: bytes) -> bool:
        """By the first key of the JSON."""
        return path.suffix.lower() == ".json" and _HEAD.match(head) is not None

    def inspect(self, path: Path) -> tuple[Source, ...]:
        """One Source per picture."""
        return _sources(path, open_coco_file(path))

    def load(self, source: Source, options: ReadOptions) -> Image:
        """The label values of one picture; where categories overlap, of the parts that they share."""
        found = self.load_segmentation(source, ReadOptions(volume=options.volume))
        return Image(found.labels, found.grid, findings=found.findings, source=source)

    def load_segmentation(
        self,
        source: Source,
        options: ReadOptions,
        on: Image | Grid | None = None,  # noqa: ARG002 - the file knows its sizes
    ) -> Segmentation:
        """The mask of one picture, in pixels; categories that overlap are regions over parts."""
        file = open_coco_file(Path(source.uri))
        found = coco_segmentation(file, source.volume or next(iter(file.pictures)))
        if options == ReadOptions(volume=options.volume):
            return found
        image = apply_answers(
            Image(found.labels, found.grid, findings=found.findings, source=source), options
        )
        return replace(found, grid=image.grid, findings=image.findings)


READER = CocoReader()


def open_coco_file(path: Path) -> CocoFile:
    """A parsed file; the last two are kept, as every picture of a dataset asks for it.

    Raises
    ------
    InputError
        If it is no COCO file, or its parts contradict each other.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}") from error
    return _parsed(str(path), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=2)
def _parsed(path: str, _changed: int, _size: int) -> CocoFile:
    return parse_coco(Path(path))


@lru_cache(maxsize=2)
def _sources(path: Path, file: CocoFile) -> tuple[Source, ...]:
    several = len(file.pictures) > 1
    return tuple(
        Source(
            str(path),
            CocoReader.name,
            _grid(picture),
            volume=name if several else None,
            description=_described(file, picture),
        )
        for name, picture in file.pictures.items()
    )


def _described(file: CocoFile, picture: CocoPicture) -> str:
    if file.panoptic:
        found = file.panoptic.get(picture.id)
        return f"{len(found.segments) if found else 0} segments"
    return f"{len(file.annotations.get(picture.id, ()))} outlines"


def _grid(picture: CocoPicture) -> Grid:
    return Grid((picture.width, picture.height, 1), PX_AFFINE, unit="px", orientation_known=False)


def coco_segmentation(file: CocoFile, name: str) -> Segmentation:
    """The mask of one picture of a file.

    `instances` holds the numbers of the outlines, in the order of the file, if no two of them share a pixel.

    Raises
    ------
    InputError
        If an outline is a box only, or damaged; the message names the annotation.
    """
    picture = file.pictures[name]
    if file.panoptic:
        return _panoptic(file, picture)
    findings: dict[Finding, None] = dict.fromkeys(file.findings)
    numbered = _Numbered(picture)
    outlines = numbered.followed(_drawn(file, picture, findings))
    labels, table, more = labels_of_masks(file.table.labels, outlines, (picture.width, picture.height, 1))
    return Segmentation(
        freeze(labels),
        _grid(picture),
        table,
        Provenance(parameters=as_details(format="COCO")),
        (*findings, *more),
        instances=numbered.ids,
    )


def coco_classes(file: CocoFile, name: str) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """(width, height, 1) one category per pixel, and which pixels are of none that is known: nobody can judge them.

    These are void, those of a crowd without a single object, and those of objects of several categories.
    """
    picture = file.pictures[name]
    if file.panoptic:
        return _segments(file, picture)
    shape = (picture.width, picture.height, 1)
    labels, (crowd, several) = np.zeros(shape, np.uint16), np.zeros((2, *shape), np.bool_)
    for item, box, mask in _drawn(file, picture, {}):
        if item.is_crowd:
            crowd[box] |= mask
            continue
        part = labels[box]
        several[box] |= mask & (part > 0) & (part != item.category)
        part[mask] = item.category
    return labels, (crowd & (labels == 0)) | several


def _panoptic(file: CocoFile, picture: CocoPicture) -> Segmentation:
    labels, unknown = _segments(file, picture)
    findings = file.findings
    if (unknown & (labels > 0)).any():
        findings = (*findings, _CROWD)
    made_by = Provenance(parameters=as_details(format="COCO panoptic"))
    return Segmentation(freeze(labels), _grid(picture), file.table, made_by, findings)


def _segments(file: CocoFile, picture: CocoPicture) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Labels, and which pixels are void or of a crowd."""
    shape = (picture.width, picture.height)
    found = file.panoptic.get(picture.id)
    if found is None:
        raise InputError(f"{file.path} has no segments for {picture.file_name}")
    try:
        return panoptic_labels(file.panoptic_folder, found, shape)
    except InputError as error:
        raise InputError(f"{file.path}: {error}") from error


class _Numbered:
    """Numbers the outlines that pass by; `ids` is None once two share a pixel, or one is a crowd."""

    def __init__(self, picture: CocoPicture) -> None:
        self.ids: NDArray[np.uint32] | None = None
        self._shape = (picture.width, picture.height, 1)
        self._count = 0

    def followed(
        self, outlines: Iterator[tuple[Annotation, _Box, NDArray[np.bool_]]]
    ) -> Iterator[tuple[int, _Box, NDArray[np.bool_]]]:
        for item, box, mask in outlines:
            self._count += 1
            if self._count == 1:
                self.ids = np.zeros(self._shape, dtype=np.uint32)
            if self.ids is not None and (item.is_crowd or self.ids[box][mask].any()):
                self.ids = None
            if self.ids is not None:
                self.ids[box][mask] = self._count
            yield item.category, box, mask


def _drawn(
    file: CocoFile, picture: CocoPicture, findings: dict[Finding, None]
) -> Iterator[tuple[Annotation, _Box, NDArray[np.bool_]]]:
    """Each outline with the box that it fills a part of."""
    filled = 0
    for item in file.annotations.get(picture.id, ()):
        try:
            box, mask = _filled(item.segmentation, (picture.width, picture.height))
        except InputError as error:
            raise InputError(f"{file.path}: annotation {item.id}: {error}") from error
        if item.is_crowd:
            findings[_CROWD] = None
        if mask is None:
            findings[_NO_AREA] = None
            continue
        filled += mask.size
        if filled > _MOST_FILLED:
            raise InputError(
                f"{file.path}: the outlines of {picture.file_name} fill too many pixels to be drawn"
            )
        yield item, box, mask[..., None]


def _filled(outline: Any, shape: tuple[int, int]) -> tuple[_Box, NDArray[np.bool_] | None]:
    """Box, and (width, height) of it, of polygons (united) or run lengths; None if no polygon has an area."""
    whole = (slice(0, shape[0]), slice(0, shape[1]), slice(0, 1))
    if isinstance(outline, Mapping):
        size = outline.get("size")
        if size != [shape[1], shape[0]]:
            raise InputError(f"its size is {str(size)[:40]}, and the picture's is {[shape[1], shape[0]]}")
        return whole, mask_of(outline.get("counts"), shape)
    if not isinstance(outline, list) or not outline:
        raise InputError("it has a box and no outline, and a box is no mask; outline it or leave it out")
    polygons = [corners - 0.5 for corners in map(_corners, outline) if len(corners) > 2]
    if not polygons:
        return whole, None
    low = np.clip(np.floor(np.min([item.min(axis=0) for item in polygons], axis=0)), 0, shape).astype(int)
    high = np.clip(np.ceil(np.max([item.max(axis=0) for item in polygons], axis=0)) + 1, low, shape).astype(
        int
    )
    mask = np.zeros(high - low, dtype=np.bool_)
    for corners in polygons:
        mask |= rasterise(corners - low, mask.shape)
    return (slice(low[0], high[0]), slice(low[1], high[1]), slice(0, 1)), mask


def _corners(numbers: Any) -> NDArray[np.float64]:
    plain = isinstance(numbers, list) and all(type(part) in (int, float) for part in numbers)
    if not plain or len(numbers) % 2:
        raise InputError("a polygon is a list of numbers, x and y in turn")
    if not all(-_FAR <= part <= _FAR for part in numbers):
        raise InputError("a corner of a polygon lies far outside the picture, or nowhere")
    return np.array(numbers, dtype=np.float64).reshape(-1, 2)
