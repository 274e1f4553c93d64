"""The card's file: YAML to ModelCard and back; loads no torch."""

import hashlib
import stat
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from medseg.domain.card import CARD_SCHEMA, ModelCard
from medseg.domain.network import LATER_FIELDS
from medseg.domain.parts_card import PartsCard
from medseg.domain.provenance import ModelFacts
from medseg.domain.texts import parse_yaml
from medseg.domain.values import AS_PAIRS
from medseg.errors import ModelError

__all__ = ["CARD_FILE", "AnyCard", "card_digest", "dump_card", "model_facts", "read_any_card", "read_card"]

CARD_FILE = "card.yaml"
#: A card is text for people; anything larger is something else.
MAX_CARD_BYTES = 1 << 20

AnyCard: TypeAlias = ModelCard | PartsCard
_ADAPTER: TypeAdapter[ModelCard] = TypeAdapter(ModelCard)
_PARTS: TypeAdapter[PartsCard] = TypeAdapter(PartsCard)
#: Fields that cards of before them lack, by where they stand: left out at their defaults, so that digests stay.
_LATER = {
    "": ("grid", "windows", "decision", "before", "origin", "calibration", "clicks"),
    "network": LATER_FIELDS,
}


def read_card(folder: str | Path) -> ModelCard:
    """Card of the bundle in `folder`, which has a network of its own.

    Raises
    ------
    ModelError
        If there is none, or it is damaged, foreign or of another version; nothing in it is executed.
    """
    card = read_any_card(folder)
    if isinstance(card, PartsCard):
        raise ModelError(f"{folder} is made of {len(card.parts)} models and has no network of its own")
    return card


def read_any_card(folder: str | Path) -> AnyCard:
    """Card of the bundle in `folder`, with a network or made of other models; raises as `read_card`."""
    path = Path(folder) / CARD_FILE
    values = _read_yaml(path)
    if not isinstance(values, dict):
        raise ModelError(f"{path} is no model card: it holds no mapping")
    schema = values.get("schema", CARD_SCHEMA)
    if schema != CARD_SCHEMA:
        raise ModelError(f"{path} is a card of version {schema!r}; this medseg reads {CARD_SCHEMA}")
    try:
        adapter: TypeAdapter[Any] = _PARTS if "parts" in values else _ADAPTER
        card: AnyCard = adapter.validate_python(values)
    except ValidationError as error:
        first = next((item for item in error.errors() if "error" in item.get("ctx", {})), error.errors()[0])
        where = ".".join(str(part) for part in first["loc"]) or "card"
        what = first.get("ctx", {}).get("error") or first["msg"]
        raise ModelError(f"{path} is damaged at {where}: {what}") from error
    return card


def dump_card(card: AnyCard) -> bytes:
    """The card as YAML, UTF-8, keys in the order of the type; `read_card` gives an equal card back."""
    plain = _plain(card)
    text: str = yaml.dump(plain, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=110)
    return text.encode()


def card_digest(card: AnyCard) -> str:
    """SHA-256 of all that the card says, the digests of its weights among it."""
    return hashlib.sha256(to_json(_plain(card, context=AS_PAIRS))).hexdigest()


def _plain(card: AnyCard, context: dict[str, str] | None = None) -> dict[str, Any]:
    """The card as JSON has it."""
    if isinstance(card, PartsCard):
        plain: dict[str, Any] = _PARTS.dump_python(card, mode="json", context=context)
        return plain
    return _terse(_ADAPTER.dump_python(card, mode="json", context=context), card)


def _terse(plain: dict[str, Any], card: ModelCard) -> dict[str, Any]:
    """The card without later fields that hold their defaults."""
    for where, names in _LATER.items():
        value = getattr(card, where) if where else card
        inner = plain[where] if where else plain
        defaults = {item.name: item.default for item in fields(value)}
        for name in names:
            if getattr(value, name) == defaults[name]:
                del inner[name]
    return plain


def model_facts(card: AnyCard) -> ModelFacts:
    """What the masks of this model say about it, wherever they go."""
    trained = "; ".join(
        f"{key}: {value}" for key, value in card.trained if key in ("data", "cases", "subjects")
    )
    return ModelFacts(
        card.name, card.version, card.licence, trained, card.intended_use, card.limits, card_digest(card)
    )


class _PlainDumper(yaml.SafeDumper):
    """Writes short lists on one line and no anchors, which `read_card` refuses."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True

    def represent_list(self, data: Any) -> Any:
        flat = all(not isinstance(item, dict | list) or _is_flat(item) for item in data)
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flat)


_PlainDumper.add_representer(list, _PlainDumper.represent_list)


def _is_flat(item: Any) -> bool:
    return isinstance(item, list) and all(not isinstance(part, dict | list) for part in item)


def _read_yaml(path: Path) -> Any:
    try:
        state = path.stat()
        fits = stat.S_ISREG(state.st_mode) and state.st_size <= MAX_CARD_BYTES
        data = path.read_bytes() if fits else None
    except OSError as error:
        raise ModelError(
            f"no model in {path.parent}: can't read {path.name}: {error.strerror or error}"
        ) from error
    if data is None:
        raise ModelError(f"{path} is no file, or larger than a card may be ({MAX_CARD_BYTES} bytes)")
    try:
        return parse_yaml(data.decode())
    except ValueError as error:
        raise ModelError(f"{path} is no YAML of a card: {error}") from error
