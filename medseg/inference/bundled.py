"""The segmenter of a bundle, by what its card asks for; models that it names are found inside it."""

from pathlib import Path

from medseg.domain import Segmenter
from medseg.domain.recipe import Before
from medseg.errors import ModelError
from medseg.inference.segmenter import ModelSegmenter
from medseg.inference.stored_segmenter import StoredSegmenter
from medseg.models import card_digest, read_card

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
    card = read_card(folder)
    model = ModelSegmenter(card, folder)
    first = None if card.before is None else _part(folder, card.before, depth)
    if card.grid is not None:
        return StoredSegmenter(model, first)
    return model


def _part(folder: Path, before: Before, depth: int) -> Segmenter:
    place = folder / before.folder
    if depth >= MOST_DEPTH:
        raise ModelError(f"{folder}: models within models go deeper than {MOST_DEPTH}")
    found = card_digest(read_card(place))
    if found != before.digest:
        raise ModelError(f"{place} is not the model that the card of {folder.name} names; add it again")
    return segmenter_of(place, depth=depth + 1)
