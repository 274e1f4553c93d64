"""Model bundles: a card, weights whose digests are checked, and nothing that can execute."""

from medseg.models.bundle import as_arrays, load_weights, read_weights, weights_digest, write_bundle
from medseg.models.card import CARD_FILE, card_digest, dump_card, model_facts, read_any_card, read_card

__all__ = [
    "CARD_FILE",
    "as_arrays",
    "card_digest",
    "dump_card",
    "load_weights",
    "model_facts",
    "read_any_card",
    "read_card",
    "read_weights",
    "weights_digest",
    "write_bundle",
]
