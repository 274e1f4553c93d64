"""From the headers of one series to Sources: which volumes there are, and what their slices amount to."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid, Source
from medseg.domain.source import Instance, Verdict
from medseg.domain.values import as_details
from medseg.errors import InputError
from medseg.geometry import flip_affine
from medseg.geometry.slices import StackVerdict, judge_slices
from medseg.io.dicom.image.headers import Frame, Header
from medseg.io.dicom.image.kinds import IMAGE_KINDS
from medseg.io.dicom.image.pet import PetReading, read_pet
from medseg.io.dicom.image.split import SeriesPart, split_interleaved, split_stacks, split_volumes
from medseg.io.dicom.image.together import one_of_each, set_aside, strangers
from medseg.io.dicom.image.units import value_unit

__all__ = ["SIDEWAYS", "judge_volume", "lps_affine", "series_sources", "stack_grid"]

#: Code of the Finding on slices off a straight line, which no resampling repairs.
SIDEWAYS = "dicom.sideways"
_REGULAR = (Verdict.UNIFORM, Verdict.SHEARED)
_UNEVEN = (Verdict.GAP, Verdict.VARIABLE)


def series_sources(path: Path, headers: Sequence[Header]) -> list[Source]:
    """Sources of one series: its volumes; before them the whole, when that is refused for mixed stacks.

    What is no slice is refused beside them, and exact copies of files count once.
    """
    headers = set_aside(headers)
    unfit = [header for header in headers if header.fault]
    fit, said = one_of_each([header for header in headers if not header.fault])
    sources = [_refused(path, group) for group in _by_fault(unfit)]
    frames = [frame for header in fit for frame in header.frames]
    if not frames:
        return sources
    if (fault := strangers(fit)) is not None:
        return [*sources, _no_volume(path, fit, fault)]
    by_file = {header.file: header for header in fit}
    stacks = split_stacks(frames, {file: (header.rows, header.columns) for file, header in by_file.items()})
    if len(stacks) > 1:
        sources.append(_mixed(path, fit[0], stacks))
    volumes = [volume for stack in stacks for volume in _volumes(stack, by_file)]
    found = [_source(path, by_file, volume) for volume in volumes]
    return sources + [replace(source, findings=(*source.findings, *said)) for source in found]


def _volumes(stack: SeriesPart, by_file: dict[str, Header]) -> list[SeriesPart]:
    parts = []
    for part in split_volumes(stack):
        uneven = _is_placed(part.frames) and _verdict(part.frames, by_file) in _UNEVEN
        parts += (
            split_interleaved(part, lambda frames: _verdict(frames, by_file) in _REGULAR)
            if uneven
            else [part]
        )
    return parts


def _is_placed(frames: Sequence[Frame]) -> bool:
    return not any(None in (frame.position, frame.orientation, frame.spacing) for frame in frames)


def _verdict(frames: Sequence[Frame], by_file: dict[str, Header]) -> Verdict:
    header = by_file[frames[0].file]
    return judge_volume(frames, (header.rows, header.columns)).verdict


def _by_fault(unfit: Sequence[Header]) -> list[list[Header]]:
    groups: dict[tuple[str, str] | None, list[Header]] = {}
    for header in unfit:
        groups.setdefault(header.fault, []).append(header)
    return list(groups.values())


def _no_volume(path: Path, headers: Sequence[Header], fault: Finding) -> Source:
    return Source(
        str(path),
        "dicom",
        verdict=Verdict.NOT_A_VOLUME,
        findings=(fault,),
        modality=headers[0].modality or None,
        series_uid=headers[0].series,
        description=f"{len(headers)} files",
    )


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
        details=(*header.details, *values.details, *as_details(kind=part.frames[0].kind)),
        acquired=header.acquired,
        findings=(*values.findings, *_said(header, part)),
        instances=tuple(Instance(frame.sop_uid, frame.file, frame.number) for frame in part.frames),
    )
    if header.px or not _is_placed(part.frames):
        return _without_place(plain, header, part)
    if len(part.frames) == 1 and header.thickness is None:
        return _without_thickness(plain, header, part.frames[0])
    found = judge_volume(part.frames, (header.rows, header.columns))
    ordered = [part.frames[index] for index in found.order]
    return replace(
        plain,
        grid=stack_grid(header, ordered[0], found) if found.verdict in _REGULAR else None,
        verdict=found.verdict,
        findings=(*_findings(found, ordered), *plain.findings),
        instances=tuple(Instance(frame.sop_uid, frame.file, frame.number) for frame in ordered),
    )


def _said(header: Header, part: SeriesPart) -> tuple[Finding, ...]:
    """What the headers say that a reader of the image must know."""
    found = []
    kind = part.frames[0].kind
    if kind not in IMAGE_KINDS:
        text = f"This is a {kind} image, no magnitude image: its values are not those of the tissue's signal."
        if kind is not None and kind.endswith("map"):
            text = f"This is a {kind}, no magnitude image: its values are not those of the tissue's signal."
        found.append(Finding("dicom.kind", "warning", text, as_details(kind=kind)))
    if header.stacked:
        text = "The file places its first frame only; the others were placed by the stated spacing between slices."
        found.append(Finding("dicom.stacked", "info", text))
    return tuple(found)


def _without_thickness(plain: Source, header: Header, frame: Frame) -> Source:
    """A single slice whose third size nothing states: in pixels, as volumes would be made up."""
    between_rows, between_columns = frame.spacing or (0.0, 0.0)
    finding = Finding(
        "dicom.no_thickness",
        "warning",
        f"The single slice states pixels of {between_columns:g} × {between_rows:g} mm and no thickness, so it is "
        f"measured in pixels; --spacing {between_columns:g},{between_rows:g},MM states it.",
    )
    grid = Grid((header.columns, header.rows, 1), np.diag([-1.0, -1.0, 1.0, 1.0]), unit="px")
    return replace(plain, grid=grid, findings=(finding, *plain.findings))


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
        step = normal / np.linalg.norm(normal) * _thickness(header)
    return Grid(
        (header.columns, header.rows, len(found.order)),
        flip_affine(lps_affine(first, step)),
        frame_of_reference=header.frame_of_reference,
        slice_thickness=header.thickness,
    )


def _thickness(header: Header) -> float:
    if header.thickness is None:
        raise InputError(f"{Path(header.file).name}: the single slice states no thickness")
    return header.thickness


def _findings(found: StackVerdict, ordered: Sequence[Frame]) -> tuple[Finding, ...]:
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
        text = "Several slices lie at one position and nothing in their headers tells them apart"
        steps = np.diff(found.offsets)
        near = int(steps.argmin())
        names = " and ".join(dict.fromkeys(Path(frame.file).name for frame in ordered[near : near + 2]))
        text = f"{text}: {names}, for one."
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
    if part.frames[0].kind:
        slices = f"{part.frames[0].kind}, {slices}"
    return f"{header.description}, {slices}" if header.description else slices
