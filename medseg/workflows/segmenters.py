"""Find a segmenter by name, and turn what a user typed into its parameters."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from medseg import plugins, settings
from medseg.domain import Params, Segmenter, SegmenterSpec
from medseg.errors import ConfigError, InputError, MedsegError
from medseg.inference import ModelSegmenter
from medseg.models import read_card

__all__ = ["Found", "find_segmenter", "list_segmenters", "make_params", "model_folder"]

CARD = "card.yaml"


@dataclass(frozen=True, slots=True)
class Found:
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


def list_segmenters() -> Iterator[Found]:
    """Everything that `find_segmenter` would find: methods first, then models; broken ones are left out."""
    for _, segmenter in plugins.load_all(plugins.SEGMENTERS):
        yield Found(segmenter.spec, "method")
    for folder in _bundles():
        try:
            yield Found(_model(folder).spec, str(folder))
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
    fields = segmenter.Params.model_fields
    for name in given:
        if name not in fields:
            near = get_close_matches(name, fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(fields) or 'none'}"
            raise ConfigError(f"{segmenter.spec.name} has no parameter {name!r}; {hint}")
    try:
        return segmenter.Params(
            **{name: _parse(value, fields[name].annotation) for name, value in given.items()}
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{segmenter.spec.name}: parameter {where} = {first['input']!r}: {first['msg']}; "
            f"see 'medseg methods {segmenter.spec.name}'"
        ) from error


def _parse(value: Any, annotation: Any = None) -> Any:
    """Text as the value it means: one of a field's choices by its text, JSON for lists; else left to pydantic."""
    if isinstance(value, str):
        chosen = [item for item in get_args(annotation) if str(item) == value and not isinstance(item, type)]
        if chosen:
            return chosen[0]
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ConfigError(f"{value!r} is no JSON: {error}") from error
    return value


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

    return ModelSegmenter(read_card(folder), folder)


def _unknown(name: str) -> str:
    names = [*plugins.names(plugins.SEGMENTERS), *(folder.name for folder in _bundles())]
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
    if (Path(name) / CARD).is_file():
        hint = f"the folder of this name is meant by its path, {os.curdir}{os.sep}{name}"
    return f"no method or model is called {name!r}, and it is no path of a folder with a {CARD}; {hint}"
