"""Reading RTSTRUCT: contours in the patient to labels on the grid of the images they were drawn on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Provenance, Segmentation, Source
from medseg.domain.labels import distinct_color
from medseg.domain.values import as_details
from medseg.errors import GridMismatchError, InputError
from medseg.geometry import flip_positions
from medseg.io.dicom.rtstruct.fill import fill_slice
from medseg.io.dicom.rtstruct.points import count_points, points_of
from medseg.io.dicom.structures.overlaps import Atoms
from medseg.io.dicom.structures.segments import Segment

__all__ = ["named_images", "referenced_series", "rtstruct_of"]

#: More points than this in one object, and it is refused unread: no person draws as many.
MOST_POINTS = 5_000_000
#: A contour this far (steps) from a slice's plane lies on none.
_OFF_PLANE = 0.2
_OTHER_FRAME = (
    "The contours name another frame of reference than their images; the images that they name were used."
)
_OTHER_IMAGES = "The contours name their series and none of the images in it; slices were found by position."
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")


@dataclass(frozen=True, slots=True)
class _Roi:
    number: int
    name: str
    color: tuple[int, int, int]


def rtstruct_of(ds: Any, name: str, source: Source) -> Segmentation:
    """A structure set (pydicom dataset) as labels on the grid of its image series.

    Each ROI is a label of its own number; overlapping ROIs become parts and regions. Pixels belong to a contour
    by their centres. `CLOSEDPLANAR_XOR` contours of a slice are combined by exclusive or, and keyholes are
    holes; strictly nested `CLOSED_PLANAR` contours are taken as holes, and partly overlapping ones as their
    union, each with a Finding. Points and open lines hold no area and are left out with a Finding.

    Parameters
    ----------
    ds, name
        The dataset, and what messages call it.
    source
        The image series: its grid, and the SOP Instance UIDs of its slices in k order.

    Raises
    ------
    InputError
        If an ROI mixes contour types, a contour's numbers are no points, or it claims too many.
    GridMismatchError
        If contours lie on no slice of the series, or belong to another frame of reference.
    """
    if source.grid is None or source.grid.unit == "px":
        raise InputError(f"{source.uri} is no regular stack of slices, so contours have no grid")
    findings: dict[Finding, None] = dict.fromkeys(_references(ds, name, source))
    rois = {roi.number: roi for roi in _rois(ds)}
    structures = tuple(Segment(roi.number, roi.name, (roi.number,), color=roi.color) for roi in rois.values())
    if not structures:
        raise InputError(f"{name} holds no structures")
    atoms = Atoms(structures)
    labels = np.zeros(source.grid.shape, dtype=np.uint16, order="F")
    for number, item in _drawn(ds, name, rois):
        kind = _kind(item, rois[number].name)
        if kind is None:
            findings[_no_area(rois[number].name)] = None
            continue
        for k, polygons in _by_slice(item, rois[number].name, source).items():
            mask, how = fill_slice(polygons, source.grid.shape[:2], xor=kind == "CLOSEDPLANAR_XOR")
            atoms.add(labels[:, :, k].T, np.ascontiguousarray(mask.T), number)
            for finding in how:
                findings[_about(finding, rois[number].name)] = None
    labels, table, more = atoms.finished(labels)
    made_by = Provenance(parameters=as_details(format="DICOM RTSTRUCT"))
    return Segmentation(labels, source.grid, table, made_by, (*findings, *more))


def referenced_series(ds: Any) -> tuple[str, ...]:
    """Series Instance UIDs of the images that a structure set was drawn on."""
    found = [str(series.get("SeriesInstanceUID", "")) for series in _referenced_series(ds)]
    return tuple(dict.fromkeys(uid for uid in found if uid))


def _referenced_series(ds: Any) -> list[Any]:
    return [
        series
        for frame in ds.get("ReferencedFrameOfReferenceSequence") or ()
        for study in frame.get("RTReferencedStudySequence") or ()
        for series in study.get("RTReferencedSeriesSequence") or ()
    ]


def _references(ds: Any, name: str, source: Source) -> tuple[Finding, ...]:
    """What the references say: another frame of reference is refused, unless the very images are named."""
    frames = {
        str(item.get("FrameOfReferenceUID", ""))
        for item in ds.get("ReferencedFrameOfReferenceSequence") or ()
    }
    frames |= {
        str(roi.get("ReferencedFrameOfReferenceUID", "")) for roi in ds.get("StructureSetROISequence") or ()
    }
    frames.discard("")
    own = None if source.grid is None else source.grid.frame_of_reference
    images = named_images(ds)
    known = bool(images & {instance.uid for instance in source.instances})
    if own and frames and own not in frames:
        if not known:
            raise GridMismatchError(f"{name} was drawn in another frame of reference than this series")
        return (Finding("rtstruct.frame_of_reference", "warning", _OTHER_FRAME),)
    if images and not known:
        return (Finding("rtstruct.references", "warning", _OTHER_IMAGES),)
    return ()


def named_images(ds: Any) -> set[str]:
    """SOP Instance UIDs of the images that a structure set names, for a contour or for the whole."""
    contours = (
        contour
        for item in ds.get("ROIContourSequence") or ()
        for contour in item.get("ContourSequence") or ()
    )
    holders = (*_referenced_series(ds), *contours)
    found = {
        str(image.get("ReferencedSOPInstanceUID", ""))
        for holder in holders
        for image in holder.get("ContourImageSequence") or ()
    }
    return found - {""}


def _rois(ds: Any) -> Iterator[_Roi]:
    colors = {
        int(item.ReferencedROINumber): item.get("ROIDisplayColor")
        for item in ds.get("ROIContourSequence") or ()
    }
    names: set[str] = set()
    for item in ds.get("StructureSetROISequence") or ():
        number = int(item.ROINumber)
        if not 1 <= number <= 65535:
            raise InputError(f"a structure has number {number}, and labels are 1 to 65535")
        name = str(item.get("ROIName", "") or "").strip() or f"structure {number}"
        if name in names:
            name = f"{name} ({number})"
        names.add(name)
        color = colors.get(number)
        known = color is not None and len(color) == 3 and all(0 <= int(part) <= 255 for part in color)
        yield _Roi(number, name, tuple(int(part) for part in color) if known else distinct_color(number))  # type: ignore[union-attr,arg-type]


def _drawn(ds: Any, name: str, rois: dict[int, _Roi]) -> Iterator[tuple[int, Any]]:
    points = 0
    for item in ds.get("ROIContourSequence") or ():
        number = int(item.ReferencedROINumber)
        if number not in rois:
            raise InputError(f"{name} draws structure {number} and does not name it: it is damaged")
        points += sum(count_points(contour) for contour in item.get("ContourSequence") or ())
        if points > MOST_POINTS:
            raise InputError(f"{name} holds more than {MOST_POINTS} points; it is not read")
        if item.get("ContourSequence"):
            yield number, item


def _kind(item: Any, name: str) -> str | None:
    """The contour type of a structure; None for points and open lines."""
    kinds = {str(contour.get("ContourGeometricType", "")) for contour in item.ContourSequence}
    closed = kinds & set(_CLOSED)
    if not closed:
        return None
    if len(kinds) > 1:
        raise InputError(
            f"structure {name!r} mixes contour types ({', '.join(sorted(kinds))}), which has no meaning"
        )
    return kinds.pop()


def _by_slice(item: Any, name: str, source: Source) -> dict[int, list[NDArray[np.float64]]]:
    """Polygons in fractional pixel indices (i, j), by slice: by the image they name, else by position."""
    assert source.grid is not None  # noqa: S101 - the caller checked
    places = {instance.uid: k for k, instance in enumerate(source.instances)}
    found: dict[int, list[NDArray[np.float64]]] = {}
    for contour in item.ContourSequence:
        index = source.grid.to_index(flip_positions(points_of(contour, name)))
        k = _slice(contour, places, index, source.grid)
        if k is None:
            raise GridMismatchError(
                f"a contour of {name!r} lies on no slice of the series (k = {index[:, 2].mean():.2f} of "
                f"{source.grid.shape[2]}); give the images that it was drawn on"
            )
        found.setdefault(k, []).append(index[:, :2])
    return found


def _slice(contour: Any, places: dict[str, int], index: NDArray[np.float64], grid: Grid) -> int | None:
    near = float(np.median(index[:, 2]))
    flat = float(np.abs(index[:, 2] - near).max()) <= 2 * _OFF_PLANE
    for image in contour.get("ContourImageSequence") or ():
        k = places.get(str(image.get("ReferencedSOPInstanceUID", "")))
        if k is not None and abs(near - k) <= 0.5 and flat and len(places) == grid.shape[2]:
            return k
    k = round(near)
    return k if flat and 0 <= k < grid.shape[2] and abs(near - k) <= _OFF_PLANE else None


def _no_area(name: str) -> Finding:
    return Finding(
        "rtstruct.no_area", "info", f"Structure {name} holds points or open lines, which have no area."
    )


def _about(how: str, name: str) -> Finding:
    if how == "nested":
        text = f"Contours of {name} lie within others on one slice and were taken as holes."
        return Finding("rtstruct.nested", "info", text)
    text = f"Contours of {name} overlap in part on one slice; their union was taken."
    return Finding("rtstruct.overlap", "warning", text)
