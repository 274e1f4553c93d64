"""The Record: everything a report says, as one value. Pages, tables and DICOM objects are views of it."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict

from medseg.domain.finding import Finding
from medseg.domain.grid import Grid
from medseg.domain.labels import LabelTable
from medseg.domain.measurement import Measurement
from medseg.domain.plan import MeasurePlan
from medseg.domain.provenance import Provenance
from medseg.domain.source import ReadOptions
from medseg.domain.values import STRICT, Details
from medseg.domain.views import shown_in_notebook

__all__ = ["RECORD_SCHEMA", "InputRef", "Panel", "Record", "Review"]

#: Name and version of the JSON; readers accept every version with the same major number.
RECORD_SCHEMA = "medseg.record/1.5"


@dataclass(frozen=True, slots=True, eq=False)
class InputRef:
    """One file that went in.

    Parameters
    ----------
    role
        `mask`, or `image`.
    channel
        Name of an image's channel; empty for the mask.
    path
        Relative to the JSON where possible, with forward slashes.
    digest
        SHA-256 of the voxel values; see `domain.digest_of`.
    grid
        In full, so that `same_grid` can compare it.
    details
        Header facts that explain numbers (kVp, kernel, contrast, slice thickness), free of identifiers.
    """

    role: Literal["image", "mask"]
    path: str
    digest: str
    grid: Grid
    channel: str = ""
    modality: str | None = None
    value_unit: str = ""
    series_uid: str | None = None
    volume: str | None = None
    details: Details = ()
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture that belongs to the Record: file, SHA-256 of its bytes, caption."""

    path: str
    digest: str
    caption: str
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Review:
    """Who signed what, when; `not reviewed` until then.

    Parameters
    ----------
    state, reviewer, organization, signed_at
        `signed_at` is ISO 8601 with the offset from UTC.
    digest
        SHA-256 of the content that was signed; see `reporting.content_digest`. A Record whose content has
        another digest is not reviewed, whatever it says.
    amends
        Digest of an earlier content that was signed, when this one replaces it.
    seal
        SHA-256 over `digest`, who signed, for whom, when, what it amends and `key`; None in what was signed before
        version 1.3, where only the content was covered.
    key, signature
        Ed25519: the public key and its signature over the same, in hex; None where it was signed without a key.
    """

    state: Literal["not reviewed", "reviewed"] = "not reviewed"
    reviewer: str | None = None
    organization: str | None = None
    signed_at: str | None = None
    digest: str | None = None
    amends: str | None = None
    seal: str | None = None
    key: str | None = None
    signature: str | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One subject's measurements with all that made them.

    Parameters
    ----------
    subject
        Pseudonym: `--subject`, else `case-` and eight hex digits of the image digest. Never an identity.
    inputs
        Every image and the mask.
    table, measurements, findings, panels
        The content; all numbers of every view come from `measurements`.
    made_by
        How the mask came about: the model that made it and every change since are in it.
    review
        Not reviewed until signed.
    plan, read
        What was measured beside labels and regions, and how the inputs were read; `series` and `volume` stand with
        each input instead, as they differ from channel to channel.
    versions
        Of medseg and its libraries.
    analysed_on
        Day of the measurement, ISO 8601; None before version 1.4.
    request_digest
        SHA-256 over all that was asked: mask, images, names, plan, ways of reading, versions. Equal requests give
        equal numbers; None where it is not known.
    result_digest
        SHA-256 over the measurements as they were measured, by which a later change is told; None before version 1.2.
    settings, model
        Only of records before version 1.2, which kept plan and ways of reading as text, and the model's facts by
        its name: see `reporting.record.older`.
    """

    subject: str
    inputs: tuple[InputRef, ...]
    table: LabelTable
    measurements: tuple[Measurement, ...]
    made_by: Provenance
    findings: tuple[Finding, ...] = ()
    panels: tuple[Panel, ...] = ()
    review: Review = Review()
    settings: Details = ()
    versions: Details = ()
    analysed_on: str | None = None
    model: Details = ()
    plan: MeasurePlan = MeasurePlan()
    read: ReadOptions = ReadOptions()
    request_digest: str | None = None
    result_digest: str | None = None
    schema: str = RECORD_SCHEMA
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    @property
    def mask(self) -> InputRef:
        """The mask that was measured."""
        return next(item for item in self.inputs if item.role == "mask")

    @property
    def images(self) -> tuple[InputRef, ...]:
        """The images that were measured, in channel order."""
        return tuple(item for item in self.inputs if item.role == "image")

    def _repr_html_(self) -> str:
        return shown_in_notebook(self)
