"""nnU-Net v2 raw folders: `imagesTr/CASE_0000.ext` per channel, `labelsTr/CASE.ext`, `dataset.json`."""

from pathlib import Path
from typing import Any

from medseg.domain import Case, ChannelFile, Dataset, Label, LabelTable, Region
from medseg.errors import InputError
from medseg.io.datasets.msd import label_table
from medseg.io.datasets.pairs import COLOURS
from medseg.io.datasets.paths import image_files, path_inside, read_json, whole_number
from medseg.io.names import stem_of
from medseg.io.suffixes import image_suffixes, is_picture_name

__all__ = ["ignored_label", "is_nnunet", "is_nnunet_images", "open_nnunet", "open_nnunet_images"]

#: The name of the label of voxels that nobody judged.
_IGNORE = "ignore"


def is_nnunet(root: Path, content: dict[str, Any]) -> bool:
    """Whether a folder is of this layout: it names channels; or, as version 1, lists `CASE` for `CASE_0000`."""
    if "channel_names" in content or "modality" not in content:
        return "channel_names" in content
    training = content.get("training")
    first = training[0] if isinstance(training, list) and training else None
    image = first.get("image") if isinstance(first, dict) else first
    if not isinstance(image, str):
        return training is None
    name = stem_of(image)
    files = {stem_of(path) for path in image_files(root / "imagesTr")}
    return name not in files and f"{name}_0000" in files


def open_nnunet(root: Path) -> Dataset:
    """Cases of `imagesTr`; a missing channel is left to the check of the case. Each case is a subject.

    Raises
    ------
    InputError
        If there are no images, or names and numbers make no sense.
    """
    content = read_json(root / "dataset.json")
    names = content.get("channel_names", content.get("modality"))
    if not isinstance(names, dict) or not names:
        raise InputError(f"{root / 'dataset.json'} names no channels")
    channels = {whole_number(number, "a channel's number"): str(name) for number, name in names.items()}
    ending = str(content.get("file_ending", ".nii.gz"))
    if ending not in image_suffixes():
        raise InputError(
            f"{root / 'dataset.json'}: file ending {ending!r} is none of {', '.join(image_suffixes())}"
        )
    listed = isinstance(content.get("dataset"), dict)
    cases = _listed(root, content, channels) if listed else _cases(root, channels, ending, root / "imagesTr")
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


def is_nnunet_images(root: Path) -> bool:
    """Whether a folder is an `imagesTr` or `imagesTs` by itself: every file is called `CASE_0000.ext`."""
    files = image_files(root)
    numbers = [stem_of(path).rpartition("_") for path in files]
    named = all(name and len(number) == 4 and number.isdecimal() for name, _, number in numbers)
    ours = root.name.lower().startswith("images") or (root.parent / "dataset.json").is_file()
    return bool(files) and ours and named and "0000" in {number for _, _, number in numbers}


def open_nnunet_images(root: Path) -> Dataset:
    """Cases of a folder of images alone; channels are named by the `dataset.json` above it, else by their numbers.

    Raises
    ------
    InputError
        If that file makes no sense.
    """
    found = sorted({int(stem_of(path)[-4:]) for path in image_files(root)})
    above = root.parent / "dataset.json"
    names = read_json(above).get("channel_names") if above.is_file() else None
    channels = {number: "image" if found == [0] else f"{number:04d}" for number in found}
    if isinstance(names, dict):
        channels = {whole_number(number, "a channel's number"): str(name) for number, name in names.items()}
    cases = _cases(root.parent, channels, None, root)
    return Dataset(root.name, "nnunet", cases, tuple(channels[number] for number in sorted(channels)))


def ignored_label(mask: str | Path, labels: Path | None = None) -> int | None:
    """The value that nnU-Net's `dataset.json` calls `ignore`: that file as `labels`, or above the mask's folder.

    Raises
    ------
    InputError
        If it is not the highest of the labels.
    """
    folder = Path(mask).parent
    above = folder.parent / "dataset.json" if folder.name.lower().startswith("labels") else None
    file = labels if labels is not None and labels.suffix.lower() == ".json" else above
    if file is None or not file.is_file():
        return None
    return _ignored(read_json(file).get("labels"))


def _ignored(labels: Any) -> int | None:
    if not isinstance(labels, dict) or _IGNORE not in labels:
        return None
    value = whole_number(labels[_IGNORE], "the label 'ignore'")
    others = [number for name, numbers in labels.items() if name != _IGNORE for number in _numbers(numbers)]
    if value <= max(others, default=0):
        raise InputError(f"the label 'ignore' in dataset.json is the highest of all, not {value}")
    return value


def _numbers(values: Any) -> list[int]:
    return [whole_number(value, "a label") for value in (values if isinstance(values, list) else [values])]


def _listed(root: Path, content: dict[str, Any], channels: dict[int, str]) -> tuple[Case, ...]:
    """Cases that the key `dataset` lists: images in the order of the channels, and a label."""
    cases = []
    for name, entry in sorted(content["dataset"].items()):
        images = entry.get("images") if isinstance(entry, dict) else None
        if not isinstance(images, list) or len(images) > len(channels):
            raise InputError(
                f"{root / 'dataset.json'}: case {str(name)[:80]!r} lists no images for its channels"
            )
        paths = [path_inside(root, str(image)) for image in images]
        files = tuple(
            ChannelFile(channels[number], path) for number, path in zip(sorted(channels), paths, strict=False)
        )
        label = entry.get("label")
        cases.append(Case(str(name), str(name), files, path_inside(root, str(label)) if label else None))
    return tuple(cases)


def _cases(root: Path, channels: dict[int, str], ending: str | None, folder: Path) -> tuple[Case, ...]:
    endings = None if ending is None else (ending,)
    found: dict[str, list[ChannelFile]] = {}
    for path in image_files(folder, endings):
        name, _, number = stem_of(path).rpartition("_")
        if name and len(number) == 4 and number.isdecimal() and int(number) in channels:
            found.setdefault(name, []).append(ChannelFile(channels[int(number)], str(path)))
    labels = {stem_of(path): str(path) for path in image_files(root / "labelsTr", endings)}
    found = {name: _planes(files, channels) for name, files in found.items()}
    return tuple(Case(name, name, tuple(files), labels.get(name)) for name, files in sorted(found.items()))


def _planes(files: list[ChannelFile], channels: dict[int, str]) -> list[ChannelFile]:
    """The one colour picture of a case as its three channels, which nnU-Net keeps in one file."""
    if len(files) != 1 or len(channels) != len(COLOURS) or not is_picture_name(files[0].path):
        return files
    names = [channels[number] for number in sorted(channels)]
    return [ChannelFile(name, files[0].path, plane) for name, plane in zip(names, COLOURS, strict=True)]


def _table(labels: Any) -> LabelTable | None:
    """Names to a number each, or to a list of numbers, which is a region over them."""
    if not isinstance(labels, dict):
        raise InputError(f"labels in dataset.json are an object, not {labels!r}")
    if _ignored(labels) is not None:
        labels = {name: values for name, values in labels.items() if name != _IGNORE}
    unions = {
        str(name): tuple(whole_number(value, f"a label of region {name!r}") for value in values)
        for name, values in labels.items()
        if isinstance(values, list)
    }
    single = label_table({name: value for name, value in labels.items() if not isinstance(value, list)})
    if not unions:
        return single
    found = single.labels if single else ()
    named = {label.value for label in found}
    unnamed = sorted({value for values in unions.values() for value in values} - named)
    regions = tuple(Region(name, values) for name, values in unions.items())
    return LabelTable((*found, *(Label(value, f"label {value}") for value in unnamed)), regions)
