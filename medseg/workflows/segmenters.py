"""Find a segmenter by name, and turn what a user typed into its parameters."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from medseg import plugins, settings
from medseg.domain import Params, Segmenter, SegmenterSpec
from medseg.domain.params import params_from
from medseg.errors import InputError, MedsegError
from medseg.inference import segmenter_of

__all__ = ["ListedSegmenter", "find_segmenter", "list_segmenters", "make_params", "model_folder"]

CARD = "card.yaml"


@dataclass(frozen=True, slots=True)
class ListedSegmenter:
    """One line of `medseg methods` or `medseg models`: what, and where it comes from."""

    spec: SegmenterSpec
    origin: str


def find_segmenter(name: str) -> Segmenter:
    """Segmenter called `name`: a model in the model folders, or an entry point; a path names a folder with a card.

    A path has a separator in it (`./otsu`): what lies in the working folder never stands in for what is installed.

    Raises
    ------
    InputError
        If nothing or more than one thing has this name.
    """
    if _is_path(name):
        return _model(Path(name))
    models = _models_named(name)
    is_method = name in plugins.names(plugins.SEGMENTERS)
    if len(models) + is_method > 1:
        places = [str(folder) for folder in models] + ["an installed method"] * is_method
        raise InputError(f"{name!r} is the name of {' and '.join(places)}; give a model by its path")
    if models:
        return _model(models[0])
    if is_method:
        segmenter: Segmenter = plugins.load(plugins.SEGMENTERS, name)
        return segmenter
    raise InputError(_unknown(name))


def list_segmenters() -> Iterator[ListedSegmenter]:
    """Everything that `find_segmenter` would find: methods first, then models; broken ones are left out."""
    for _, segmenter in plugins.load_all(plugins.SEGMENTERS):
        yield ListedSegmenter(segmenter.spec, "method")
    for folder in _bundles():
        try:
            yield ListedSegmenter(_model(folder).spec, str(folder))
        except MedsegError:
            continue


def model_folder(name: str) -> Path | None:
    """Folder of the model called `name` (or at that path, which has a separator); None if it is no model."""
    if _is_path(name):
        return Path(name)
    found = _models_named(name)
    return found[0] if found else None


def make_params(segmenter: Segmenter, given: Mapping[str, Any]) -> Params:
    """Parameters from names and values; text is parsed (`0.5`, `true`, and lists as JSON).

    Raises
    ------
    ConfigError
        If a name is unknown (the nearest is named) or a value out of range.
    """
    name = segmenter.spec.name
    return params_from(segmenter.Params, given, of=name, listed_by=f"medseg methods {name}")


def _bundles() -> Iterator[Path]:
    for folder in settings.model_folders():
        if folder.is_dir():
            yield from sorted(path.parent for path in folder.glob(f"*/{CARD}"))


def _is_path(name: str) -> bool:
    """Whether it is a path of a folder with a card, and no bare name."""
    separated = any(mark in name for mark in (os.sep, os.altsep) if mark) or name in (".", "..")
    return separated and (Path(name) / CARD).is_file()


def _models_named(name: str) -> list[Path]:
    return [folder for folder in _bundles() if folder.name == name]


def _model(folder: Path) -> Segmenter:
    # Reading a card loads no torch; running the segmenter does.
    return segmenter_of(folder)


def _unknown(name: str) -> str:
    names = [*plugins.names(plugins.SEGMENTERS), *(folder.name for folder in _bundles())]
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
    if (Path(name) / CARD).is_file():
        hint = f"the folder of this name is meant by its path, {os.curdir}{os.sep}{name}"
    return f"no method or model is called {name!r}, and it is no path of a folder with a {CARD}; {hint}"
