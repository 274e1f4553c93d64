"""What an export makes of a Record: one function per kind of object, each read again and compared."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import medseg.reporting as room
from medseg.domain import Finding, Image, Label, LabelTable, Quantity, Record, Region, Segmentation, Target
from medseg.domain.plan import LesionPlan
from medseg.domain.study import PatientFacts
from medseg.errors import InputError
from medseg.io.dicom.checked import (
    checked_capture,
    checked_key_images,
    checked_pdf,
    checked_rtstruct,
    checked_seg,
    checked_sr,
)
from medseg.io.dicom.derived.attributes import Uids, shows_identity
from medseg.io.dicom.derived.origin import Origin
from medseg.io.dicom.ko.write import KeyImageOptions, make_key_images
from medseg.io.dicom.page.capture import make_captures, pages_of
from medseg.io.dicom.page.encapsulated import PageOptions, make_pdf
from medseg.io.dicom.rtstruct.write import RtOptions, make_rtstruct
from medseg.io.dicom.seg.kind import Packing, SegChoice
from medseg.io.dicom.seg.write import SegOptions, make_seg
from medseg.io.dicom.sr.write import SrInput, make_sr
from medseg.measuring import find_lesions
from medseg.reporting.record.older import plan_of
from medseg.workflows.key_images import key_slices
from medseg.workflows.measure import lesion_mask
from medseg.workflows.reopen import as_recorded, reopen_image

__all__ = ["MAKERS", "Made", "Material", "lesion_labels"]


#: Kinds of SEG that not every viewer loads, and what to do.
_VIEWERS = {
    "FRACTIONAL": "is FRACTIONAL, which OHIF refuses; --seg-type BINARY is for all viewers.",
    "LABELMAP": "is a label map, which OHIF 3.13 loads and older viewers may not; --seg-type BINARY is for all.",
}


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A file to be written: its name, its bytes, of a SEG how many frames it holds, and who can't show it."""

    name: str
    data: bytes
    frames: int | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What objects are made from, and those that others refer to.

    `images` are those of the Record where they are at hand; else they are read again from `folder`. `patient` is
    whom the pages name.
    """

    record: Record
    folder: Path
    segmentation: Segmentation
    origin: Origin
    uids: Uids
    seg_kind: SegChoice = "AUTO"
    packing: Packing = "AUTO"
    kinds: tuple[str, ...] = ()
    sr_all: bool = False
    patient: PatientFacts | None = None
    objects: dict[str, Any] = field(default_factory=dict)
    images: Mapping[str, Image] | None = None
    windows: tuple[tuple[str, float, float], ...] = ()

    def shown(self) -> dict[str, Image]:
        """Images of the Record by channel, with the modality and unit that it states."""
        given = self.images or {}
        return {
            item.channel: as_recorded(
                item,
                given[item.channel]
                if item.channel in given
                else reopen_image(self.record, item, self.folder / item.path),
            )
            for item in self.record.images
        }

    def page(self, record: Record) -> bytes:
        """The report of `record`, whole or without identity, as PDF with pictures."""
        pictures = room.draw(record, self.segmentation, self.shown(), windows=self.windows)
        return room.to_pdf(record, pictures, room.PageExtras(patient=self.patient))


def _seg(material: Material) -> Iterator[Made]:
    seg = _seg_object(material)
    yield _made_seg("segmentation.dcm", seg, checked_seg(seg, material.segmentation, material.origin))
    lesions = _lesions_object(material)
    if lesions is not None:
        mask = material.objects["lesion mask"]
        yield _made_seg("lesions.dcm", lesions, checked_seg(lesions, mask, material.origin))


def _made_seg(name: str, seg: Any, data: bytes) -> Made:
    kind = str(seg.SegmentationType)
    words = _VIEWERS.get(kind)
    findings = () if words is None else (Finding(f"seg.{kind.lower()}", "info", f"{name} {words}"),)
    return Made(name, data, int(seg.NumberOfFrames), findings)


def _seg_object(material: Material) -> Any:
    """The SEG, made once: an SR beside it refers to the same object."""
    if "seg" not in material.objects:
        options = SegOptions(
            material.seg_kind, material.record.review, material.uids, packing=material.packing
        )
        material.objects["seg"] = make_seg(material.segmentation, material.origin, options)
    return material.objects["seg"]


def _lesions_object(material: Material) -> Any:
    """The SEG of single lesions, where the Record has any; each a segment by the name that the SR tracks it by."""
    if "lesions" not in material.objects:
        mask = _lesion_mask(material)
        options = SegOptions("AUTO", material.record.review, material.uids, content="lesions")
        material.objects["lesions"] = None if mask is None else make_seg(mask, material.origin, options)
    return material.objects["lesions"]


def _lesion_mask(material: Material) -> Segmentation | None:
    if "lesion mask" not in material.objects:
        material.objects["lesion mask"] = lesion_labels(material.record, material.segmentation)
    mask: Segmentation | None = material.objects["lesion mask"]
    return mask


def lesion_labels(record: Record, segmentation: Segmentation) -> Segmentation | None:
    """The lesions of a Record as labels, found again as its settings say; None if it has none.

    Codes and side are those of the structure that a lesion lies in.
    """
    if not any(item.target.kind == "lesion" for item in record.measurements):
        return None
    plan = plan_of(record).lesions
    mask = lesion_mask(segmentation, plan)
    parts: tuple[Label | Region, ...] = (*segmentation.table.labels, *segmentation.table.regions)
    structures = {item.name: item for item in parts}
    targets = find_lesions(segmentation, plan or LesionPlan()).targets
    labels = tuple(
        _as_part(label, structures[target.name])
        for label, target in zip(mask.table.labels, targets, strict=True)
    )
    _require_recorded(record, {target: int((mask.labels == n).sum()) for n, target in enumerate(targets, 1)})
    return replace(mask, table=LabelTable(labels), made_by=segmentation.made_by)


def _as_part(label: Label, structure: Label | Region) -> Label:
    return replace(
        label,
        category=structure.category,
        type=structure.type,
        anatomic_region=structure.anatomic_region,
        side=structure.side,
    )


def _require_recorded(record: Record, counts: dict[Target, int]) -> None:
    """The lesions found again must be those that were measured."""
    for item in record.measurements:
        if item.target.kind != "lesion" or item.quantity is not Quantity.VOXEL_COUNT:
            continue
        if counts.get(item.target) != item.value:
            raise InputError(
                f"{item.target.name} lesion {item.target.lesion} can't be found again as it was measured; "
                "measure the mask again with this version"
            )


def _sr(material: Material) -> Iterator[Made]:
    with_seg = "seg" in material.kinds
    seg = _seg_object(material) if with_seg else None
    lesions = _lesions_object(material) if with_seg else None
    refers = SrInput(material.origin, seg, lesions, material.uids, everything=material.sr_all)
    sr = make_sr(material.record, refers)
    yield Made("measurements.dcm", checked_sr(sr, material.record, everything=material.sr_all))


def _rtstruct(material: Material) -> Iterator[Made]:
    options = RtOptions(material.record.review, material.uids)
    ds = make_rtstruct(material.segmentation, material.origin, options)
    yield Made("structures.dcm", checked_rtstruct(ds, material.segmentation, material.origin))


def _pdf(material: Material) -> Iterator[Made]:
    pdf = _pages(material)
    ds = make_pdf(pdf, material.origin, _page_options(material))
    yield Made("report.dcm", checked_pdf(ds, pdf))


def _captures(material: Material) -> Iterator[Made]:
    pages = pages_of(_pages(material))
    made = make_captures(pages, material.origin, _page_options(material))
    for number, (ds, page) in enumerate(zip(made, pages, strict=True), start=1):
        yield Made(f"page-{number}.dcm", checked_capture(ds, page))


def _key_images(material: Material) -> Iterator[Made]:
    lesions = _lesion_mask(material)
    masks = [material.segmentation] if lesions is None else [material.segmentation, lesions]
    reasons = key_slices(material.record, masks, material.origin)
    options = KeyImageOptions(material.record.review, material.uids)
    ko = make_key_images(reasons, material.origin, options)
    yield Made("key-images.dcm", checked_key_images(ko, material.origin))


def _page_options(material: Material) -> PageOptions:
    record = material.record
    identified = material.patient is not None or shows_identity(record.subject, material.origin)
    return PageOptions(record.review, material.uids, identified=identified)


def _pages(material: Material) -> bytes:
    """The report as PDF with its pictures, drawn once for both kinds of object."""
    if "pdf" not in material.objects:
        material.objects["pdf"] = material.page(material.record)
    pdf: bytes = material.objects["pdf"]
    return pdf


MAKERS: dict[str, Callable[[Material], Iterator[Made]]] = {
    "seg": _seg,
    "sr": _sr,
    "rtstruct": _rtstruct,
    "dicom-pdf": _pdf,
    "secondary-capture": _captures,
    "key-images": _key_images,
}
