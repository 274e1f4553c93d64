"""Reading RTSTRUCT: contours in the patient to labels on the grid of the images they were drawn on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Provenance, Segmentation, Source
from medseg.domain.finding import Severity
from medseg.domain.segmentation import NOT_READ
from medseg.domain.values import as_details
from medseg.errors import GridMismatchError, InputError, MedsegError
from medseg.geometry import flip_positions
from medseg.io.dicom.derived.maker import stated_maker
from medseg.io.dicom.rtstruct.fill import fill_slice
from medseg.io.dicom.rtstruct.points import points_of
from medseg.io.dicom.rtstruct.references import References, reference_findings
from medseg.io.dicom.rtstruct.rois import XOR, NoArea, Roi, areas_of, chosen, read_rois
from medseg.io.dicom.slices import Slices, even_finding, series_slices
from medseg.io.dicom.structures.overlaps import Atoms
from medseg.io.dicom.structures.segments import Segment

__all__ = ["rtstruct_of"]

#: A contour this far (steps) from a slice's plane lies on none.
_OFF_PLANE = 0.2


def rtstruct_of(
    ds: Any, name: str, source: Source, *, label: str | None = None, resample: bool = False
) -> Segmentation:
    """A structure set (pydicom dataset) as labels on the grid of its image series.

    Each ROI is a label of its own number; overlapping ROIs become parts and regions. Pixels belong to a contour
    by their centres. `CLOSEDPLANAR_XOR` contours of a slice are combined by exclusive or, and keyholes are
    holes; strictly nested `CLOSED_PLANAR` contours are taken as holes, partly overlapping and nearly coinciding ones
    as their union, each with a Finding.

    A structure that can't be read as an area (contours beyond the images, points, mixed types) leaves the others
    alone: it is a label without voxels, and a Finding says why, so that nothing is measured of it.

    Parameters
    ----------
    ds, name
        The dataset, and what messages call it.
    source
        The image series: its grid, and the SOP Instance UIDs of its slices in k order.
    label
        Name of the only structure that is read; None reads all.
    resample
        Whether the series is put on a regular grid where its slices form none: contours are drawn on the slices
        as they were taken and brought there with them.

    Raises
    ------
    InputError
        If the set holds too many points, there is no such structure, or none of them can be read.
    GridMismatchError
        If it belongs to another frame of reference.
    """
    if source.grid is not None and source.grid.unit == "px":
        raise InputError(f"{source.uri} is no regular stack of slices, so contours have no grid")
    slices = series_slices(source, resample=resample)
    findings: dict[Finding, None] = dict.fromkeys(reference_findings(ds, name, source, slices.grid))
    rois = chosen(read_rois(ds, name), label, name)
    atoms = Atoms(tuple(Segment(roi.number, roi.name, (roi.number,), color=roi.color) for roi in rois))
    labels = np.zeros(slices.even_grid.shape, dtype=np.uint16, order="F")
    references = References.of(ds, source)
    odd: list[MedsegError] = []
    for roi in rois:
        try:
            about = references.about(roi, slices.grid)
            planes, decided = _planes(roi, slices, source)
        except MedsegError as error:
            odd.append(error)
            findings[_not_read(roi.name, str(error))] = None
            continue
        findings.update(dict.fromkeys(_about(how, roi.name) for how in (*about, *decided)))
        for k, plane in slices.even_planes(planes):
            atoms.add(labels[:, :, k].T, np.ascontiguousarray(plane.T), roi.number)
    if len(odd) == len(rois) and not all(isinstance(error, NoArea) for error in odd):
        raise odd[0]
    labels, table, more = atoms.finished(labels)
    stated = ds.get("StructureSetROISequence") or ()
    said = stated_maker(stated, "ROIGenerationAlgorithm", "ROIGenerationDescription")
    made_by = Provenance(parameters=as_details(format="DICOM RTSTRUCT", **said))
    everything = (*findings, *even_finding(slices), *more)
    return Segmentation(labels, slices.even_grid, table, made_by, everything)


def _planes(roi: Roi, slices: Slices, source: Source) -> tuple[dict[int, NDArray[np.bool_]], tuple[str, ...]]:
    """(I, J) of one structure on each stored slice that it is drawn on, and what had to be decided.

    Raises
    ------
    MedsegError
        Saying why it holds no area, or none that can be known.
    """
    kind, contours = areas_of(roi)
    found: dict[int, NDArray[np.bool_]] = {}
    decided: dict[str, None] = {}
    for k, polygons in _by_slice(contours, roi.name, slices, source).items():
        found[k], how = fill_slice(polygons, slices.grid.shape[:2], xor=kind == XOR)
        decided.update(dict.fromkeys(how))
    if not any(plane.any() for plane in found.values()):
        raise NoArea(f"the contours of {roi.name!r} enclose no voxel")
    if len(contours) < sum(len(item.get("ContourSequence") or ()) for item in roi.items):
        decided["left_out"] = None
    return found, tuple(decided)


def _by_slice(
    contours: tuple[Any, ...], name: str, slices: Slices, source: Source
) -> dict[int, list[NDArray[np.float64]]]:
    """Polygons in fractional pixel indices (i, j), by slice: by the image they name, else by position."""
    places = {instance.uid: k for k, instance in enumerate(source.instances)}
    found: dict[int, list[NDArray[np.float64]]] = {}
    size = np.array(slices.grid.shape[:2])
    for contour in contours:
        index = slices.index(flip_positions(points_of(contour, name)))
        k = _slice(contour, places, index, slices.grid)
        if k is None:
            raise GridMismatchError(
                f"a contour of {name!r} lies on no slice of the series (k = {index[:, 2].mean():.2f} of "
                f"{slices.grid.shape[2]}); give the images that it was drawn on"
            )
        if (index[:, :2].max(axis=0) < -0.5).any() or (index[:, :2].min(axis=0) > size - 0.5).any():
            raise GridMismatchError(f"a contour of {name!r} lies beside the images that it names")
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


def _not_read(name: str, reason: str) -> Finding:
    text = f"Structure {name} was not read: {reason}."
    return Finding(NOT_READ, "warning", text, as_details(label=name, reason=reason))


_DECIDED: dict[str, tuple[Severity, str]] = {
    "nested": ("info", "Contours of {} lie within others on one slice and were taken as holes."),
    "overlap": ("warning", "Contours of {} overlap in part on one slice; their union was taken."),
    "twice": ("warning", "Contours of {} nearly coincide on one slice; their union was taken, and no hole."),
    "other_frame": (
        "warning",
        "Structure {} names another frame of reference than its images; the images that it names were used.",
    ),
    "other_images": (
        "warning",
        "Contours of {} name images that are not in this series; their slices were found by position.",
    ),
    "left_out": ("info", "Structure {} holds points or lines beside its areas; they were left out."),
}


def _about(how: str, name: str) -> Finding:
    severity, text = _DECIDED[how]
    return Finding(f"rtstruct.{how}", severity, text.format(name))
