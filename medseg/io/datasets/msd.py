"""Medical Segmentation Decathlon: `dataset.json` with `training` entries of image and label."""

from pathlib import Path
from typing import Any

from medseg.domain import Case, ChannelFile, Dataset, Label, LabelTable
from medseg.errors import InputError
from medseg.io.datasets.paths import path_inside, read_json, whole_number
from medseg.io.names import stem_of

__all__ = ["is_msd", "label_table", "open_msd"]


def is_msd(content: dict[str, Any]) -> bool:
    """Whether a `dataset.json` is of this layout: it lists its training cases."""
    return isinstance(content.get("training"), list) and "channel_names" not in content


def open_msd(root: Path) -> Dataset:
    """Cases of the training list; several modalities are the volumes of one 4D file.

    The Decathlon keeps no subjects: each case is one.

    Raises
    ------
    InputError
        If there are no cases, or an entry has no image or leads out of the folder.
    """
    content = read_json(root / "dataset.json")
    names = {
        whole_number(key, "a modality's key"): name for key, name in _mapping(content, "modality").items()
    }
    channels = tuple(str(names[number]) for number in sorted(names))
    if not channels:
        raise InputError(f"{root / 'dataset.json'} names no modality")
    cases = [_case(root, entry, channels) for entry in content["training"]]
    if not any(cases):
        raise InputError(f"{root / 'dataset.json'} lists no training cases")
    return Dataset(
        name=str(content.get("name", root.name)),
        kind="msd",
        cases=tuple(sorted((case for case in cases if case), key=lambda case: case.id)),
        channels=channels,
        table=label_table(_mapping(content, "labels")),
        licence=str(content.get("licence") or content.get("license") or ""),
    )


def label_table(labels: dict[str, Any]) -> LabelTable | None:
    """Table of `{"0": "background", "1": name}` (or the other way round); None when it names no label."""
    pairs = [(key, value) if str(key).isdecimal() else (value, key) for key, value in labels.items()]
    numbers = [(whole_number(value, f"label {str(name)[:80]!r}"), str(name)) for value, name in pairs]
    found = tuple(Label(number, name) for number, name in numbers if number != 0)
    return LabelTable(found) if found else None


def _mapping(content: dict[str, Any], key: str) -> dict[str, Any]:
    value = content.get(key, {})
    if not isinstance(value, dict):
        raise InputError(f"{key!r} in dataset.json is an object, not {value!r}")
    return value


def _case(root: Path, entry: Any, channels: tuple[str, ...]) -> Case | None:
    image = entry.get("image") if isinstance(entry, dict) else entry
    label = entry.get("label") if isinstance(entry, dict) else None
    if not isinstance(image, str):
        raise InputError(f"an entry of 'training' in {root.name} has no image: {str(entry)[:80]}")
    if not isinstance(label, str | None):
        raise InputError(
            f"an entry of 'training' in {root.name} has a label that is no path: {str(label)[:80]}"
        )
    path = path_inside(root, image)
    if Path(path).name.startswith("._"):
        return None
    name = stem_of(Path(path))
    files = tuple(
        ChannelFile(channel, path, None if len(channels) == 1 else str(number))
        for number, channel in enumerate(channels)
    )
    return Case(name, name, files, None if label is None else path_inside(root, label))
