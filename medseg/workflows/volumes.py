"""All volumes of an image of several (in time, by echo, by b-value), each as a case of its own."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from medseg.domain import Case, ChannelFile, ReadOptions
from medseg.errors import InputError
from medseg.io import inspect
from medseg.io.choose import choose_all
from medseg.io.names import stem_of

__all__ = ["ALL", "case_of_path", "each_volume"]

#: What `--volume` is called for every one of them.
ALL = "all"


def case_of_path(path: Path) -> Case:
    """A file or DICOM folder as a case."""
    name = path.resolve().name if path.is_dir() else stem_of(path)
    return Case(name, name, (ChannelFile("image", str(path)),))


def each_volume(cases: Iterable[Case], options: ReadOptions) -> tuple[Case, ...]:
    """A case per volume, called `CASE_volume-ID`; a case of one volume stays as it is.

    Raises
    ------
    InputError
        If a case has several channels, whose volumes nobody pairs, or several series.
    """
    return tuple(found for case in cases for found in _volumes(case, options))


def _volumes(case: Case, options: ReadOptions) -> Iterator[Case]:
    if len(case.images) != 1:
        raise InputError(f"--volume {ALL} takes one image, and {case.id} has {len(case.images)} channels")
    (file,) = case.images
    path = Path(file.path)
    series = replace(options, volume=None, series=file.series or options.series)
    volumes = [source.volume for source in choose_all(path, inspect(path), series)]
    if len(volumes) == 1:
        yield case
        return
    for volume in volumes:
        name = f"{case.id}_volume-{_plain(str(volume))}"
        yield replace(case, id=name, images=(replace(file, volume=volume),))


def _plain(volume: str) -> str:
    """An id as a part of a file's name."""
    return "".join(sign if sign.isalnum() or sign in "-=." else "_" for sign in volume)
