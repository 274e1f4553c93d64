"""Training cases: images in canonical order with their reference labels."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Case, Dataset, Image, Segmentation
from medseg.domain.channels import pair_channels
from medseg.errors import ConfigError, InputError, LabelError
from medseg.geometry import order_to, require_same_grid
from medseg.inference import canonical
from medseg.io.datasets import ignored_values, read_channel, read_reference
from medseg.training.config import TrainConfig

__all__ = ["LoadedCase", "ignored_of", "load_case", "match_names"]

#: The label of a black-and-white picture.
_WHITE = 255
#: So many labels stand in a message.
_NAMED = 8


@dataclass(frozen=True, slots=True, eq=False)
class LoadedCase:
    """Images by the configuration's channel names, and label values on the reference channel's grid.

    `ignored` marks the voxels that nobody judged, where `labels` is 0; None where there are none.
    """

    images: dict[str, Image]
    labels: NDArray[np.uint16]
    ignored: NDArray[np.bool_] | None = None


def match_names(dataset: Dataset, config: TrainConfig) -> dict[str, str]:
    """Configuration's channel name → dataset's, by the rule of `medseg.domain.channels`, which segmenting has too.

    By position only where `data.channels_by` says so; one channel takes the only one there is.

    Raises
    ------
    ConfigError
        If neither fits.
    """
    wanted = {channel.name: channel.modality for channel in config.channels}
    alone = len(wanted) == len(dataset.channels) == 1
    given = dict.fromkeys(dataset.channels)
    try:
        return pair_channels(wanted, given, by_position=alone or config.data.channels_by == "position")
    except InputError as error:
        raise ConfigError(
            f"the configuration wants channels {', '.join(wanted)} and the dataset {dataset.name} "
            f"has {', '.join(dataset.channels)}: {error}; if their order is the same, say data.channels_by=position"
        ) from error


def load_case(case: Case, config: TrainConfig, names: dict[str, str]) -> LoadedCase:
    """Read a case; `names` comes from `match_names`.

    Raises
    ------
    InputError
        If a channel or the reference mask is missing or does not fit, or nobody judged any voxel; the case is named.
    """
    files = {file.channel: file for file in case.images}
    images: dict[str, Image] = {}
    for name, theirs in names.items():
        if theirs not in files:
            raise ConfigError(f"case {case.id} has no channel {theirs!r}; it has {', '.join(files)}")
        images[name] = replace(read_channel(files[theirs]), channel=name)
    if case.reference is None:
        raise ConfigError(f"case {case.id} has no reference mask to train on")
    reference = images[config.reference]
    given, ignored = read_reference(case, config.labels, on=reference, ignore=ignored_of(case, config))
    require_same_grid(reference.grid, given.grid, f"reference mask of case {case.id}")
    order = order_to(reference.grid)
    labels = order.apply(_values(given, config, case.id))
    if ignored is not None and ignored.all():
        which = ", ".join(str(value) for value in ignored_of(case, config))
        raise ConfigError(
            f"case {case.id}: all voxels of its mask are marked 'ignore'{f' (label {which})' if which else ''}, so "
            "there is nothing to learn from it; leave it out"
        )
    ignored = None if ignored is None else order.apply(ignored)
    return LoadedCase({name: canonical(image) for name, image in images.items()}, labels, ignored)


def ignored_of(case: Case, config: TrainConfig) -> tuple[int, ...]:
    """What `data.ignore` or the layout says (nnU-Net's `dataset.json`, a set); answers that differ are refused."""
    ours, theirs = config.data.ignore, ignored_values(case)
    if ours is not None and theirs and ours not in theirs:
        raise ConfigError(f"data.ignore is {ours}, and dataset.json of case {case.id} says {theirs[0]}")
    found = theirs or (() if ours is None else (ours,))
    known = config.labels.values if case.labels is None else [value for value, _ in case.labels.values]
    if clash := [value for value in found if value in known]:
        raise ConfigError(
            f"label {clash[0]} is 'ignore' in dataset.json of case {case.id}, and a structure in the configuration"
        )
    return found


def _values(segmentation: Segmentation, config: TrainConfig, case: str) -> NDArray[np.uint16]:
    labels = segmentation.labels.astype(np.uint16)
    known = config.labels.values
    present = segmentation.present
    if len(known) == 1 and present == (_WHITE,) and known != (_WHITE,):
        # A picture's mask is black and white: 0 and 255.
        return np.where(labels > 0, known[0], 0).astype(np.uint16)
    if unknown := sorted(set(present) - set(known)):
        names = {item.value: item.name for item in segmentation.table.labels}
        called = ", ".join(f"{value} ({names[value]})" for value in unknown[:_NAMED])
        raise LabelError(
            f"case {case}: its mask holds labels {called} that the configuration does not name; it names "
            f"{', '.join(f'{item.value} ({item.name})' for item in config.labels.labels[:_NAMED])}"
        )
    return labels
