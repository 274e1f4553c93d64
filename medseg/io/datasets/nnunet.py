"""nnU-Net v2 raw folders: `imagesTr/CASE_0000.ext` per channel, `labelsTr/CASE.ext`, `dataset.json`."""

from pathlib import Path
from typing import Any

from medseg.domain import Case, ChannelFile, Dataset, Label, LabelTable, Region
from medseg.errors import InputError
from medseg.io.datasets.msd import label_table
from medseg.io.datasets.paths import IMAGE_SUFFIXES, read_json

__all__ = ["is_nnunet", "open_nnunet"]


def is_nnunet(content: dict[str, Any]) -> bool:
    """Whether a `dataset.json` is of this layout: it names its channels and its file ending."""
    return "channel_names" in content or ("modality" in content and "training" not in content)


def open_nnunet(root: Path) -> Dataset:
    """Cases of `imagesTr`; a missing channel is left to the check of the case. Each case is a subject.

    Raises
    ------
    InputError
        If there are no images.
    """
    content = read_json(root / "dataset.json")
    names = content.get("channel_names", content.get("modality"))
    if not isinstance(names, dict) or not names:
        raise InputError(f"{root / 'dataset.json'} names no channels")
    channels = {int(number): str(name) for number, name in names.items()}
    ending = str(content.get("file_ending", ".nii.gz"))
    if ending not in IMAGE_SUFFIXES:
        raise InputError(
            f"{root / 'dataset.json'}: file ending {ending!r} is none of {', '.join(IMAGE_SUFFIXES)}"
        )
    cases = _cases(root, channels, ending)
    if not cases:
        raise InputError(f"{root / 'imagesTr'} holds no files named CASE_0000{ending}")
    return Dataset(
        str(content.get("name", root.name)),
        "nnunet",
        cases,
        tuple(channels[number] for number in sorted(channels)),
        _table(content.get("labels", {})),
        str(content.get("licence") or content.get("license") or ""),
    )


def _cases(root: Path, channels: dict[int, str], ending: str) -> tuple[Case, ...]:
    found: dict[str, list[ChannelFile]] = {}
    for path in sorted((root / "imagesTr").glob(f"*_[0-9][0-9][0-9][0-9]{ending}")):
        if path.name.startswith("."):
            continue
        name, _, number = path.name.removesuffix(ending).rpartition("_")
        if int(number) in channels:
            found.setdefault(name, []).append(ChannelFile(channels[int(number)], str(path)))
    labels = root / "labelsTr"
    return tuple(
        # nnU-Net asks that the channels of a case are registered on one grid.
        Case(name, name, tuple(files), str(path) if (path := labels / f"{name}{ending}").is_file() else None)
        for name, files in sorted(found.items())
    )


def _table(labels: Any) -> LabelTable | None:
    """Names to a number each, or to a list of numbers, which is a region over them."""
    if not isinstance(labels, dict):
        raise InputError(f"labels in dataset.json are an object, not {labels!r}")
    unions = {str(name): value for name, value in labels.items() if isinstance(value, list)}
    if not unions:
        return label_table(labels)
    single = {name: value for name, value in labels.items() if isinstance(value, int) and value > 0}
    known = {int(value): str(name) for name, value in single.items()}
    for values in unions.values():
        known |= {int(value): f"label {value}" for value in values if int(value) not in known}
    regions = tuple(Region(name, tuple(int(value) for value in values)) for name, values in unions.items())
    return LabelTable(tuple(Label(value, name) for value, name in known.items()), regions)
