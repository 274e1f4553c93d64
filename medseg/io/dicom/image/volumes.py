"""From the headers of one series to Sources: which volumes there are, and what their slices amount to."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Source
from medseg.domain.source import Instance, Verdict
from medseg.domain.values import as_details
from medseg.geometry import flip_affine
from medseg.geometry.slices import StackVerdict, judge_slices
from medseg.io.dicom.image.headers import Frame, Header
from medseg.io.dicom.image.pet import PetReading, read_pet
from medseg.io.dicom.image.split import SeriesPart, split_stacks, split_volumes
from medseg.io.dicom.image.units import value_unit

__all__ = ["SIDEWAYS", "judge_volume", "lps_affine", "series_sources", "stack_grid"]

#: Code of the Finding on slices off a straight line, which no resampling repairs.
SIDEWAYS = "dicom.sideways"
_REGULAR = (Verdict.UNIFORM, Verdict.SHEARED)


def series_sources(path: Path, headers: Sequence[Header]) -> list[Source]:
    """Sources of one series: its volumes; before them the whole, when that is refused for mixed stacks."""
    unfit = [header for header in headers if header.fault]
    fit = [header for header in headers if not header.fault]
    sources = [_refused(path, unfit)] if unfit else []
    frames = [frame for header in fit for frame in header.frames]
    if not frames:
        return sources
    by_file = {header.file: header for header in fit}
    stacks = split_stacks(frames, {file: (header.rows, header.columns) for file, header in by_file.items()})
    if len(stacks) > 1:
        sources.append(_mixed(path, fit[0], stacks))
    volumes = [volume for stack in stacks for volume in split_volumes(stack)]
    return sources + [_source(path, by_file, volume) for volume in volumes]


def judge_volume(frames: Sequence[Frame], shape: tuple[int, int]) -> StackVerdict:
    """Verdict on the frames of one volume, all of which have a place."""
    positions = np.array([frame.position for frame in frames], dtype=np.float64)
    orientations = np.array([frame.orientation for frame in frames], dtype=np.float64)
    return judge_slices(positions, orientations, [shape] * len(frames))


def lps_affine(first: Frame, step: NDArray[np.float64]) -> NDArray[np.float64]:
    """4×4 index [column, row, slice] → LPS mm, from the first slice's place and the step between slices.

    PixelSpacing's first number runs between rows, its second between columns (DICOM PS3.3 C.7.6.2).
    """
    orientation = np.array(first.orientation, dtype=np.float64)
    between_rows, between_columns = first.spacing or (1.0, 1.0)
    affine = np.eye(4)
    affine[:3, 0] = orientation[:3] * between_columns
    affine[:3, 1] = orientation[3:] * between_rows
    affine[:3, 2] = step
    affine[:3, 3] = first.position
    return affine


def _source(path: Path, by_file: dict[str, Header], part: SeriesPart) -> Source:
    header = by_file[part.frames[0].file]
    values = _values(by_file, header)
    plain = Source(
        uri=str(path),
        format="dicom",
        modality=header.modality or None,
        value_unit=values.unit,
        series_uid=header.series,
        volume=part.name,
        description=_description(header, part),
        details=(*header.details, *values.details),
        findings=values.findings,
        instances=tuple(Instance(frame.sop_uid, frame.file, frame.number) for frame in part.frames),
    )
    if header.px or any(None in (frame.position, frame.orientation, frame.spacing) for frame in part.frames):
        return _without_place(plain, header, part)
    found = judge_volume(part.frames, (header.rows, header.columns))
    ordered = [part.frames[index] for index in found.order]
    return replace(
        plain,
        grid=stack_grid(header, ordered[0], found) if found.verdict in _REGULAR else None,
        verdict=found.verdict,
        findings=(*_findings(found), *values.findings),
        instances=tuple(Instance(frame.sop_uid, frame.file, frame.number) for frame in ordered),
    )


def _values(by_file: dict[str, Header], header: Header) -> PetReading:
    """Unit of a volume's values and, of a PET, its inputs and what to say of them."""
    series = [other.pet for other in by_file.values() if other.pet is not None]
    return read_pet(series) if header.pet else PetReading(value_unit(header), (), ())


def stack_grid(header: Header, first: Frame, found: StackVerdict) -> Grid:
    """Grid with the slices' own first position and step: right as it stands for regular stacks alone."""
    step = found.step
    if len(found.order) == 1:
        orientation = np.array(first.orientation)
        normal = np.cross(orientation[:3], orientation[3:])
        step = normal / np.linalg.norm(normal) * (header.thickness or 1.0)
    return Grid(
        (header.columns, header.rows, len(found.order)),
        flip_affine(lps_affine(first, step)),
        frame_of_reference=header.frame_of_reference,
        slice_thickness=header.thickness,
    )


def _findings(found: StackVerdict) -> tuple[Finding, ...]:
    if found.verdict is Verdict.GAP:
        return (_gap(found),)
    if found.sideways_mm:
        text = (
            f"Slices lie up to {found.sideways_mm:.4g} mm beside the straight line of their stack, so they form "
            "no volume, and resampling can't repair it."
        )
        return (Finding(SIDEWAYS, "error", text, as_details(sideways_mm=found.sideways_mm)),)
    if found.verdict is Verdict.SHEARED:
        text = (
            f"The slices are tilted by {found.tilt_degrees:.1f}° against their stack (gantry tilt), known from "
            "their positions: volumes are right, shapes and diameters need resampling."
        )
        return (Finding("dicom.sheared", "warning", text, as_details(tilt_degrees=found.tilt_degrees)),)
    if found.verdict is Verdict.VARIABLE:
        steps = np.diff(found.offsets)
        text = f"The slices are {steps.min():.4g} to {steps.max():.4g} mm apart."
        details = as_details(smallest_mm=float(steps.min()), largest_mm=float(steps.max()))
        return (Finding("dicom.variable_spacing", "warning", text, details),)
    if found.verdict is Verdict.DUPLICATES:
        text = "Several slices lie at one position and nothing in their headers tells them apart."
        return (Finding("dicom.duplicates", "error", text),)
    return ()


def _gap(found: StackVerdict) -> Finding:
    step = float(np.linalg.norm(found.step)) * float(np.cos(np.radians(found.tilt_degrees)))
    missing = "1 slice is" if found.missing == 1 else f"{found.missing} slices are"
    wanted = len(found.order) + found.missing
    text = (
        f"{missing} missing: {len(found.order)} slices were found where steps of {step:.4g} mm want {wanted}"
    )
    tilted = f"; they are tilted by {found.tilt_degrees:.1f}°" if found.tilt_degrees else ""
    details = as_details(missing=found.missing, step_mm=step, tilt_degrees=found.tilt_degrees)
    return Finding("dicom.gap", "warning", f"{text}{tilted}.", details)


def _without_place(plain: Source, header: Header, part: SeriesPart) -> Source:
    """An image without a physical size, or frames that can't be stacked."""
    if len(part.frames) > 1:
        finding = Finding(
            "dicom.no_positions",
            "error",
            f"{len(part.frames)} frames of this series state no position or size in the patient, "
            "so they form no volume.",
        )
        return replace(plain, verdict=Verdict.NOT_A_VOLUME, findings=(finding, *plain.findings))
    finding = Finding(
        "dicom.no_size",
        "warning",
        "The image states no size in the patient (at most that of the detector), so it is measured in pixels.",
    )
    grid = Grid((header.columns, header.rows, 1), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px")
    return replace(plain, grid=grid, findings=(finding, *plain.findings))


def _mixed(path: Path, header: Header, stacks: Sequence[SeriesPart]) -> Source:
    parts = ", ".join(f"{stack.name} ({len(stack.frames)} slices)" for stack in stacks)
    finding = Finding(
        "dicom.mixed_orientations",
        "error",
        f"The series mixes {len(stacks)} stacks of different orientation, shape or stack id; "
        f"pick one with --volume: {parts}.",
    )
    return Source(
        str(path),
        "dicom",
        verdict=Verdict.MIXED,
        findings=(finding,),
        modality=header.modality or None,
        series_uid=header.series,
        description=header.description,
    )


def _refused(path: Path, unfit: Sequence[Header]) -> Source:
    header = unfit[0]
    code, words = header.fault or ("dicom.not_an_image", "it holds no image")
    finding = Finding(code, "error", f"This can't be read as an intensity image: {words}.")
    return Source(
        str(path),
        "dicom",
        verdict=Verdict.NOT_A_VOLUME,
        findings=(finding,),
        modality=header.modality or None,
        series_uid=header.series,
        description=f"{len(unfit)} files; {header.description}" if len(unfit) > 1 else header.description,
    )


def _description(header: Header, part: SeriesPart) -> str:
    slices = f"{len(part.frames)} slice{'s' * (len(part.frames) > 1)}"
    return f"{header.description}, {slices}" if header.description else slices
