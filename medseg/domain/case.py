"""Cases and datasets: references to files as plain data, so that they travel between processes."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict

from medseg.domain.labels import LabelTable
from medseg.domain.values import STRICT
from medseg.errors import InputError

__all__ = ["Case", "ChannelFile", "Dataset", "MaskMeaning", "Split"]


@dataclass(frozen=True, slots=True)
class ChannelFile:
    """One image of a case: channel name, path (a file, or a DICOM folder), and which of its volumes and series."""

    channel: str
    path: str
    volume: str | None = None
    series: str | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class MaskMeaning:
    """What the values of a case's mask mean, where they are not those of the dataset's table throughout.

    Parameters
    ----------
    values
        (value in the mask, value in the table, 0 for background); empty where values are as they stand.
    ignore
        Values in the mask of the voxels that nobody judged, also 0.
    set_name
        Where several sets that label different things train one network: the set that it comes from.
    held
        Values of the table that the mask shows throughout; of the others it says nothing. None for all.
    """

    values: tuple[tuple[int, int], ...] = ()
    ignore: tuple[int, ...] = ()
    set_name: str = ""
    held: tuple[int, ...] | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    @property
    def renames(self) -> bool:
        """Whether it says more than which voxels are left out."""
        return bool(self.values or self.set_name)


@dataclass(frozen=True, slots=True)
class Case:
    """One item to segment, train on or measure.

    Parameters
    ----------
    id
        Unique within a dataset; safe as a file name.
    subject
        Whom it shows; splits keep a subject's cases together.
    images
        One file per channel, on its own grid.
    reference
        Path of the reference mask, `FILE#VOLUME` where a file holds several (COCO), or None.
    same_space
        Declared: the channels share one world space although their files carry no UIDs.
    labels
        What its mask means; None where its values are those of the table.
    """

    id: str
    subject: str
    images: tuple[ChannelFile, ...]
    reference: str | None = None
    same_space: bool = False
    labels: MaskMeaning | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class Dataset:
    """Named cases with channels and labels in common.

    Parameters
    ----------
    name, kind
        `kind` is the layout: `msd`, `nnunet`, `pairs`, `caselist`, `bids`, `coco`, `voc`, `labelset`, `patients`,
        `cityscapes`, `kitti`, `ade20k`, `youtubevos`; `sets` of several that train one network together.
    cases
        Sorted by id.
    channels
        Names in order.
    table
        What the reference's labels mean, where the layout says.
    licence
        As the layout states it.
    """

    name: str
    kind: Literal[
        "msd",
        "nnunet",
        "pairs",
        "caselist",
        "bids",
        "coco",
        "voc",
        "labelset",
        "patients",
        "cityscapes",
        "kitti",
        "ade20k",
        "youtubevos",
        "sets",
    ]
    cases: tuple[Case, ...]
    channels: tuple[str, ...]
    table: LabelTable | None = None
    licence: str = ""
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        ids = [case.id for case in self.cases]
        if len(set(ids)) != len(ids):
            twice = sorted({name for name in ids if ids.count(name) > 1})
            raise InputError(f"case ids occur twice in {self.name}: {', '.join(twice[:5])}")
        if len(set(self.channels)) != len(self.channels):
            raise InputError(f"channels occur twice in {self.name}: {', '.join(self.channels[:12])}")

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subjects, sorted, each once."""
        return tuple(sorted({case.subject for case in self.cases}))

    @property
    def digest(self) -> str:
        """SHA-256 over case ids, subjects, channels and what masks mean: which cases, wherever the files lie."""
        plain: list[list[object]] = [
            [
                case.id,
                case.subject,
                [image.channel for image in case.images],
                *(() if case.labels is None or not case.labels.renames else (asdict(case.labels),)),
            ]
            for case in self.cases
        ]
        return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Split:
    """Which subjects validate in which fold; fixed in a file and bound to its dataset by digest.

    Parameters
    ----------
    dataset_digest
        `Dataset.digest` of the cases it divides.
    folds
        Validation subjects of each fold; together all subjects but the held-out ones, each once.
    held_out
        Subjects that neither train nor validate (a sample, a test set).
    seed
        Of the shuffle that made it.
    """

    dataset_digest: str
    folds: tuple[tuple[str, ...], ...]
    held_out: tuple[str, ...] = ()
    seed: int = 0
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        everyone = [subject for fold in self.folds for subject in fold] + list(self.held_out)
        if len(set(everyone)) != len(everyone):
            raise InputError("a subject stands in two folds of the split")

    @property
    def digest(self) -> str:
        """SHA-256 over folds and held-out subjects."""
        plain = [self.dataset_digest, [list(fold) for fold in self.folds], list(self.held_out)]
        return hashlib.sha256(json.dumps(plain).encode()).hexdigest()
