"""How a mask came about: what was asked, of what, by which model, and what was changed afterwards."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

from medseg.domain.intervals import VolumeInterval
from medseg.domain.values import STRICT, Details

__all__ = ["GIVEN", "Edit", "ImageDigest", "LabelChange", "ModelFacts", "Provenance"]

#: Segmenter of a mask that was read without a history.
GIVEN = "given mask"


@dataclass(frozen=True, slots=True)
class ImageDigest:
    """Which image a segmentation was made from, and what the segmenter took its values for.

    Parameters
    ----------
    channel, digest
        Name of the channel, and SHA-256 of its values; see `domain.digest_of`.
    modality, value_unit
        As the segmenter read them: the file's own words, or a declaration where the file has none. An empty
        unit means that it was not written down.
    """

    channel: str
    digest: str
    modality: str | None = None
    value_unit: str = ""
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class LabelChange:
    """What a change did to one label.

    Parameters
    ----------
    label, value
        Name and number.
    net_voxels, net_ml
        After less before; ml is None on `px` grids.
    added, removed
        Voxels gained and lost, where both masks were at hand; None where only the sums are known.
    """

    label: str
    value: int
    net_voxels: int
    net_ml: float | None = None
    added: int | None = None
    removed: int | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Edit:
    """One change made after segmenting.

    Parameters
    ----------
    operation
        Name of one of medseg's operations; `changed by hand` or `changed outside medseg` for what can't be replayed.
    parameters
        Of the operation.
    volume_change_ml
        Over all labels; None on `px` grids.
    changes
        Per label, of what can't be replayed.
    slices
        Indices k (from 0) of the mask's slices that differ, of what can't be replayed.
    changed_at
        When, as ISO 8601 with the offset from UTC, where that is known.
    """

    operation: str
    parameters: Details = ()
    volume_change_ml: float | None = None
    changes: tuple[LabelChange, ...] = ()
    slices: tuple[int, ...] = ()
    changed_at: str | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a reader must know of the model that made a mask, as its card said when it ran; `digest` is the card's."""

    name: str
    version: str = ""
    licence: str = ""
    trained_on: str = ""
    intended_use: str = ""
    limits: tuple[str, ...] = ()
    digest: str = ""
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a mask was made: enough to make it again.

    Parameters
    ----------
    segmenter
        Name; `GIVEN` for a mask read from a file without a history.
    parameters
        Every parameter that changed the answer, defaults included.
    weights_digest
        SHA-256 over a model's weight files; None for methods.
    images
        Digest of each channel used, with modality and unit as the segmenter read them.
    edits
        Changes by hand or by operations, in order.
    run
        How it ran (device, seed, versions); does not change the answer.
    model
        Facts of the model that ran; None for methods.
    request_digest
        SHA-256 over all that was asked of the segmenter: which one, weights, parameters, images, limits, seeds. Equal
        requests give equal masks, before edits; None where it is not known.
    intervals
        Of the volumes of labels and regions as the model left them; edits make them void.
    expected_dice
        Mean Dice over labels that the model expects of its own probabilities, by which its cases are ranked for review;
        None where it has none. Of the mask as the model left it.
    """

    segmenter: str = GIVEN
    parameters: Details = ()
    weights_digest: str | None = None
    images: tuple[ImageDigest, ...] = ()
    edits: tuple[Edit, ...] = ()
    run: Details = ()
    model: ModelFacts | None = None
    request_digest: str | None = None
    intervals: tuple[VolumeInterval, ...] = ()
    expected_dice: float | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT
