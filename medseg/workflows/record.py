"""Where names, files, measurements and provenance meet: the Record."""

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from medseg.domain import Finding, Image, InputRef, Measurement, ReadOptions, Record, Segmentation
from medseg.domain.plan import MeasurePlan
from medseg.domain.values import Details, as_details, digest_of_plain
from medseg.errors import InputError
from medseg.io.atomic import write_bytes
from medseg.io.plain import read_plain
from medseg.reporting import record_from_json, record_to_json

__all__ = [
    "add_file_names",
    "build_record",
    "days_between",
    "is_record",
    "read_record",
    "result_digest",
    "write_record",
]

#: Libraries whose version can change a digit.
_LIBRARIES = ("numpy", "scipy", "simpleitk", "connected-components-3d", "edt")

#: Fields of a Measurement that later versions added.
_LATER = ("placement", "earlier")

_ROWS = TypeAdapter(tuple[Measurement, ...])


def build_record(
    segmentation: Segmentation,
    images: Mapping[str, Image],
    measurements: tuple[Measurement, ...],
    *,
    subject: str | None = None,
    mask_path: Path | None = None,
    findings: tuple[Finding, ...] = (),
    plan: MeasurePlan | None = None,
    read: ReadOptions | None = None,
) -> Record:
    """Everything a report says, from what was measured.

    `subject` defaults to `case-` and eight hex digits of the first image's (else the mask's) digest, so a
    record never carries an identity by accident.
    """
    refs = tuple(_image_ref(name, image) for name, image in images.items())
    mask = InputRef(
        "mask", "" if mask_path is None else str(mask_path), segmentation.digest, segmentation.grid
    )
    seed = refs[0].digest if refs else mask.digest
    carried = [finding for image in images.values() for finding in image.findings]
    everything = tuple(dict.fromkeys([*segmentation.findings, *carried, *findings]))
    return Record(
        subject=subject or f"case-{seed[:8]}",
        inputs=(*refs, mask),
        table=segmentation.table,
        measurements=measurements,
        made_by=segmentation.made_by,
        findings=everything,
        versions=_versions(),
        plan=plan or MeasurePlan(),
        read=read or ReadOptions(),
    )


def write_record(record: Record, path: Path, *, force: bool = False) -> Path:
    """Write the JSON; paths of inputs are stored relative to it, with forward slashes."""
    return write_bytes(path, record_to_json(add_file_names(record, path.parent)), force=force)


def result_digest(record: Record) -> str:
    """SHA-256 over the measurements of a Record, as they are held."""
    rows = _ROWS.dump_python(record.measurements, mode="json")
    # What has none of these reads as it did before there were any: the digest is the same.
    return digest_of_plain([{key: row[key] for key in row if key not in _LATER or row[key]} for row in rows])


def read_record(path: str | Path) -> Record:
    """Read a Record from its JSON.

    Raises
    ------
    InputError
        If the file is no Record, or of a version this medseg can't read.
    """
    data = read_plain(path)
    try:
        return record_from_json(data)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def is_record(path: Path) -> bool:
    """Whether a file is a Record that this medseg reads."""
    try:
        read_record(path)
    except InputError:
        return False
    return True


def add_file_names(record: Record, folder: Path) -> Record:
    """The record with input paths relative to `folder`."""
    return replace(
        record, inputs=tuple(replace(item, path=_relative(item.path, folder)) for item in record.inputs)
    )


def _relative(path: str, folder: Path) -> str:
    if not path:
        return ""
    try:
        return Path(os.path.relpath(Path(path).resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive on Windows
        return Path(path).resolve().as_posix()


def _image_ref(name: str, image: Image) -> InputRef:
    source = image.source
    return InputRef(
        role="image",
        path="" if source is None else source.uri,
        digest=image.digest,
        grid=image.grid,
        channel=name,
        modality=image.modality,
        value_unit=image.value_unit,
        series_uid=None if source is None else source.series_uid,
        volume=None if source is None else source.volume,
        details=() if source is None else source.details,
    )


def days_between(images: Mapping[str, Image]) -> dict[str, int]:
    """Days from the first series to each, by channel; empty where fewer than two say their day."""
    said = {
        name: date.fromisoformat(image.source.acquired)
        for name, image in images.items()
        if image.source is not None and image.source.acquired
    }
    if len(said) < 2:
        return {}
    first = min(said.values())
    return {name: (day - first).days for name, day in said.items()}


def _versions() -> Details:
    found: dict[str, Any] = {"medseg": version("medseg")}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return as_details(**found)
