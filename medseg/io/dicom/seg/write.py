"""Writing DICOM SEG by highdicom: BINARY, FRACTIONAL for probabilities, LABELMAP of many structures or on request."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from medseg._version import __version__
from medseg.domain import Provenance, Segmentation
from medseg.domain.record import Review
from medseg.domain.segmentation import voxels_with
from medseg.errors import InputError
from medseg.io.dicom.derived.attributes import (
    MANUFACTURER,
    MODEL_NAME,
    SERIES_NUMBER,
    Uids,
    person_name,
    research_title,
    state_series_time,
)
from medseg.io.dicom.derived.fit import fit_sources
from medseg.io.dicom.derived.maker import Maker, maker_of
from medseg.io.dicom.derived.origin import Origin, on_origin
from medseg.io.dicom.seg.kind import Packing, SegChoice, SegKind, choose_kind, is_packed
from medseg.io.dicom.structures.segments import SIDES, Segment, dicom_name, segments_of

__all__ = ["SegOptions", "make_seg"]

_NUMBERS: dict[str, int] = {"BINARY": 1, "FRACTIONAL": 2, "LABELMAP": 3}
#: Series of lesions come after the others.
_LESIONS = 4
#: A probability is stored in this many steps; below half a step it is 0.
_STEPS = 255


@dataclass(frozen=True, slots=True)
class SegOptions:
    """How a SEG is written.

    Parameters
    ----------
    kind
        AUTO is what `choose_kind` says.
    review, uids
        Whose review it states, and its UIDs.
    content
        `lesions`, or all structures.
    packing
        AUTO packs label maps alone.
    """

    kind: SegChoice = "BINARY"
    review: Review = field(default_factory=Review)
    uids: Uids = field(default_factory=Uids)
    content: Literal["structures", "lesions"] = "structures"
    packing: Packing = "AUTO"

    def series(self, kind: SegKind) -> tuple[str, int]:
        """(role of its UIDs, series number) of a SEG of this kind."""
        lesions = self.content == "lesions"
        role = f"SEG {kind} of lesions" if lesions else f"SEG {kind}"
        return role, SERIES_NUMBER + _NUMBERS[kind] + _LESIONS * lesions


def make_seg(segmentation: Segmentation, origin: Origin, options: SegOptions | None = None) -> Any:
    """A SEG (pydicom dataset) of a segmentation over the slices of its source series.

    Empty frames are left out. A mask in another axis order than the series' is brought to it by flips and
    permutation. Tracking ids are stable for the same seed of UIDs, so that an SR can name the same segments.

    Raises
    ------
    InputError
        If nothing is segmented, or probabilities are wanted and not there.
    GridMismatchError
        If the mask's voxels are not the series'.
    """
    from highdicom.seg import Segmentation as HighdicomSeg
    from pydicom.uid import RLELossless

    options = options or SegOptions()
    segments = segments_of(segmentation.table)
    kind, pixels = _pixels(segmentation, origin, segments, options.kind)
    if not pixels.any():
        raise InputError("the mask is empty, and a SEG needs at least one voxel")
    packed = is_packed(kind, options.packing)
    role, number = options.series(kind)
    with warnings.catch_warnings():
        # It warns of person names and times that real headers hold; they are the source's, not ours.
        warnings.simplefilter("ignore")
        seg = HighdicomSeg(
            source_images=fit_sources(origin),
            pixel_array=pixels,
            segmentation_type=kind,
            segment_descriptions=[
                _description(item, segmentation.made_by, options.uids) for item in segments
            ],
            series_instance_uid=options.uids.make(f"series {role}"),
            series_number=number,
            sop_instance_uid=options.uids.make(f"object {role}"),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MODEL_NAME,
            software_versions=__version__,
            device_serial_number="0",
            max_fractional_value=_STEPS,
            content_label="SEGMENTATION",
            content_description=research_title(options.review, "Segmentation"),
            content_creator_name=_creator(options.review),
            series_description=research_title(options.review, "Segmentation"),
        )
    if packed:
        # pydicom takes gdcm first, which ends the process on frames with an odd number of pixels.
        seg.compress(RLELossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    state_series_time(seg)
    _put_background_last(seg)
    _add_modifiers(seg, segments)
    if not maker_of(segmentation.made_by).own:
        # Its name is all that is known of a foreign maker; family and source would be invented.
        for item in seg.SegmentSequence:
            item.pop("SegmentationAlgorithmIdentificationSequence", None)
    return seg


def tracking(segment: Segment, uids: Uids) -> tuple[str, str]:
    """(tracking UID, tracking id) of a segment; an SR names it by the same."""
    return uids.tracking(segment.name), segment.name


def _pixels(
    segmentation: Segmentation, origin: Origin, segments: Sequence[Segment], choice: SegChoice
) -> tuple[SegKind, NDArray[Any]]:
    """The kind, and (K, rows, columns[, segments]) as highdicom wants it, slices in k order."""
    if choice == "FRACTIONAL":
        return choice, _probabilities(segmentation, origin, segments)
    labels = _stacked(on_origin(segmentation.labels, segmentation.grid, origin))
    kind = choose_kind(labels, segments) if choice == "AUTO" else choice
    if all(len(item.values) == 1 for item in segments):
        lookup = np.zeros(int(labels.max()) + 1, dtype=np.uint8 if len(segments) < 256 else np.uint16)
        for item in segments:
            if item.values[0] < lookup.size:
                lookup[item.values[0]] = item.number
        numbered: NDArray[Any] = lookup[labels]
        return kind, numbered
    if kind == "LABELMAP":
        raise InputError("these structures overlap, and a label map can't hold that; write a BINARY SEG")
    return kind, np.stack([voxels_with(labels, item.values) for item in segments], axis=-1).astype(np.uint8)


def _probabilities(segmentation: Segmentation, origin: Origin, segments: Sequence[Segment]) -> NDArray[Any]:
    shares = segmentation.probabilities
    if shares is None:
        raise InputError("a FRACTIONAL SEG needs probabilities; segment with --probabilities")
    values = segmentation.table.values
    parts = (np.sum([shares[1 + values.index(value)] for value in item.values], axis=0) for item in segments)
    moved = [_stacked(on_origin(part, segmentation.grid, origin)) for part in parts]
    stacked = np.stack(moved, axis=-1).astype(np.float32)
    stacked[stacked < 0.5 / _STEPS] = 0
    clipped: NDArray[Any] = np.clip(stacked, 0, 1)
    return clipped


def _stacked(array: NDArray[Any]) -> NDArray[Any]:
    """(K, rows, columns) of (columns, rows, K)."""
    return np.ascontiguousarray(array.transpose(2, 1, 0))


def _description(segment: Segment, made_by: Provenance, uids: Uids) -> Any:
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription

    uid, name = tracking(segment, uids)
    maker = maker_of(made_by)
    return SegmentDescription(
        segment_number=segment.number,
        segment_label=dicom_name(segment.name),
        segmented_property_category=_code(segment.category),
        segmented_property_type=_code(segment.type),
        algorithm_type=maker.segment_kind,
        algorithm_identification=None if maker.segment_kind == "MANUAL" else _algorithm(made_by, maker),
        tracking_uid=uid,
        tracking_id=name,
        anatomic_regions=None if segment.anatomic_region is None else [_code(segment.anatomic_region)],
        display_color=CIELabColor.from_rgb(*segment.color),
    )


def _algorithm(made_by: Provenance, maker: Maker) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from pydicom.sr.codedict import codes

    family = (
        codes.cid7162.ArtificialIntelligence if made_by.weights_digest else codes.cid7162.NeighborhoodAnalysis
    )
    return AlgorithmIdentificationSequence(
        name=maker.name or "not named",
        family=family,
        version=maker.version or "not stated",
        source=MANUFACTURER,
        parameters={name: str(value) for name, value in made_by.parameters} or None,
    )


def _put_background_last(seg: Any) -> None:
    """A label map's background behind its structures.

    Viewers take the segments in their order for the values 1, 2, …; so a background that comes first gives
    every structure the colour of the one before.
    """
    first = seg.SegmentSequence[0]
    if not int(first.SegmentNumber):
        seg.SegmentSequence = [*seg.SegmentSequence[1:], first]


def _add_modifiers(seg: Any, segments: Sequence[Segment]) -> None:
    """Left, right or both, inside the property type, where highdicom has no parameter for it."""
    from pydicom.dataset import Dataset

    places = {int(item.SegmentNumber): item for item in seg.SegmentSequence if "SegmentNumber" in item}
    for segment in segments:
        code = SIDES.get(segment.side)
        if code is not None and segment.number in places:
            modifier = Dataset()
            modifier.CodeValue, modifier.CodingSchemeDesignator = code.value, code.scheme
            modifier.CodeMeaning = code.meaning
            kind = places[segment.number].SegmentedPropertyTypeCodeSequence[0]
            kind.SegmentedPropertyTypeModifierCodeSequence = [modifier]


def _creator(review: Review) -> str:
    return person_name(str(review.reviewer)) if review.state == "reviewed" else person_name(MANUFACTURER)


def _code(code: Any) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(value=code.value, meaning=code.meaning, scheme_designator=code.scheme)
