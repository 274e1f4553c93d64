"""The image library of an SR (TID 1600): which images were measured, and how they lie."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from medseg.domain import Code, Grid
from medseg.geometry import flip_positions
from medseg.io.dicom.derived.origin import Origin
from medseg.io.dicom.sr.codes import concept

__all__ = ["image_library"]

_PIXELS = Code("{pixels}", "Pixels", "UCUM")
_MM = Code("mm", "mm", "UCUM")
_COSINE = Code("{-1:1}", "{-1:1}", "UCUM")
_SOURCE = Code("260753009", "Source")


def image_library(origin: Origin, sources: Sequence[Any]) -> Any:
    """The "Image Library" container: what all images share once (TID 1602, 1604), then each with its position.

    `sources` are the images as the SR refers to them. Spacing and directions are those of the grid, which holds
    for one object per slice and for one object of many frames.
    """
    from highdicom.sr import ContainerContentItem, RelationshipTypeValues
    from pydicom.sr.codedict import codes

    kind = RelationshipTypeValues.CONTAINS
    library: Any = ContainerContentItem(codes.DCM.ImageLibrary, relationship_type=kind)
    group: Any = ContainerContentItem(codes.DCM.ImageLibraryGroup, relationship_type=kind)
    single = len(sources) == origin.grid.shape[2]
    images = [_image(ds, origin.grid, k if single else None) for k, ds in enumerate(sources)]
    group.ContentSequence = [*_shared(origin, sources[0]), *images]
    library.ContentSequence = [group]
    return library


def _shared(origin: Origin, first: Any) -> Iterator[Any]:
    from highdicom.sr import CodeContentItem, DateContentItem, RelationshipTypeValues, UIDRefContentItem
    from pydicom.sr.codedict import codes

    kind = RelationshipTypeValues.HAS_ACQ_CONTEXT
    modality = str(first.get("Modality") or "OT")
    yield CodeContentItem(codes.DCM.Modality, concept(_modality(modality)), kind)
    date = str(first.get("StudyDate") or "")
    if len(date) == 8 and date.isdecimal():
        yield DateContentItem(codes.DCM.StudyDate, date, kind)
    yield UIDRefContentItem(codes.DCM.FrameOfReferenceUID, str(first.FrameOfReferenceUID), kind)
    yield _number(codes.DCM.PixelDataRows, int(first.Rows), _PIXELS)
    yield _number(codes.DCM.PixelDataColumns, int(first.Columns), _PIXELS)
    yield from _geometry(origin.grid)


def _geometry(grid: Grid) -> Iterator[Any]:
    from pydicom.sr.codedict import codes

    across, down, step = grid.spacing
    yield _number(codes.DCM.HorizontalPixelSpacing, across, _MM)
    yield _number(codes.DCM.VerticalPixelSpacing, down, _MM)
    yield _number(codes.DCM.SpacingBetweenSlices, step, _MM)
    if grid.slice_thickness is not None:
        yield _number(codes.DCM.SliceThickness, grid.slice_thickness, _MM)
    row, column = flip_positions(grid.direction.T)[:2]
    for name, value in zip("XYZ", row, strict=True):
        yield _number(getattr(codes.DCM, f"ImageOrientationPatientRow{name}"), float(value), _COSINE)
    for name, value in zip("XYZ", column, strict=True):
        yield _number(getattr(codes.DCM, f"ImageOrientationPatientColumn{name}"), float(value), _COSINE)


def _image(ds: Any, grid: Grid, k: int | None) -> Any:
    """One image; its position stands with it where it is one slice."""
    from highdicom.sr import ImageContentItem, RelationshipTypeValues
    from pydicom.sr.codedict import codes

    item: Any = ImageContentItem(
        name=concept(_SOURCE),
        referenced_sop_class_uid=ds.SOPClassUID,
        referenced_sop_instance_uid=ds.SOPInstanceUID,
        relationship_type=RelationshipTypeValues.CONTAINS,
    )
    if k is not None:
        place = flip_positions(grid.to_position(np.array([0, 0, k])))
        item.ContentSequence = [
            _number(getattr(codes.DCM, f"ImagePositionPatient{name}"), float(value), _MM)
            for name, value in zip("XYZ", place, strict=True)
        ]
    return item


def _modality(value: str) -> Code:
    """The code of a modality (CID 29), whose value is the term itself."""
    from pydicom.sr.codedict import codes

    known = (getattr(codes.cid29, name) for name in dir(codes.cid29))
    meaning = next((str(code.meaning) for code in known if code.value == value), value)
    return Code(value, meaning, "DCM")


def _number(name: Any, value: float, unit: Code) -> Any:
    from highdicom.sr import NumContentItem, RelationshipTypeValues

    return NumContentItem(
        name, value, concept(unit), relationship_type=RelationshipTypeValues.HAS_ACQ_CONTEXT
    )
