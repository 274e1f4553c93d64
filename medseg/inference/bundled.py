"""The segmenter of a bundle, by what its card asks for; models that it names are found inside it."""

from pathlib import Path

from medseg.domain import Segmenter
from medseg.domain.parts_card import PartsCard
from medseg.domain.recipe import AnchoredGrid, StoredGrid
from medseg.errors import ModelError
from medseg.inference.boxed import BoxedSegmenter
from medseg.inference.parts_segmenter import PartsSegmenter
from medseg.inference.prompted import PromptedSegmenter
from medseg.inference.segmenter import ModelSegmenter
from medseg.inference.stored_segmenter import StoredSegmenter
from medseg.inference.turned import TurnedSegmenter
from medseg.models.card import card_digest, read_any_card

__all__ = ["segmenter_of"]

#: Bundles inside bundles; nobody needs more.
MOST_DEPTH = 3


def segmenter_of(folder: Path, *, depth: int = 0) -> Segmenter:
    """What segments with the bundle in `folder`; loads no weights.

    Raises
    ------
    ModelError
        If a card is damaged, or a model that it names is another one than it was.
    """
    card = read_any_card(folder)
    if isinstance(card, PartsCard):
        parts = tuple(_part(folder, part.folder, part.digest, depth) for part in card.parts)
        return PartsSegmenter(card, parts)
    if card.clicks is not None:
        return PromptedSegmenter(card, folder)
    model = ModelSegmenter(card, folder)
    first = None if card.before is None else _part(folder, card.before.folder, card.before.digest, depth)
    takes_labels = card.before is not None and card.before.gives == "labels"
    own = _by_its_grid(model, first if takes_labels else None)
    if card.before is None or first is None or takes_labels:
        return own
    return BoxedSegmenter(first, own, card.before)


def _by_its_grid(model: ModelSegmenter, first: Segmenter | None) -> Segmenter:
    """A model in the axes that its grid starts from; `first` gives it labels as channels."""
    rule = model.card.grid
    if isinstance(rule, StoredGrid):
        return StoredSegmenter(model, first)
    if isinstance(rule, AnchoredGrid) and rule.orientation != "RAS":
        return TurnedSegmenter(model, rule.orientation)
    return model


def _part(folder: Path, name: str, digest: str, depth: int) -> Segmenter:
    place = folder / name
    if depth >= MOST_DEPTH:
        raise ModelError(f"{folder}: models within models go deeper than {MOST_DEPTH}")
    if card_digest(read_any_card(place)) != digest:
        raise ModelError(f"{place} is not the model that the card of {folder.name} names; add it again")
    return segmenter_of(place, depth=depth + 1)
