"""Model bundles: a card, weights whose digests are checked, and nothing that can execute."""

from medseg.models.bundle import as_arrays, load_weights, read_weights, weights_digest, write_bundle
from medseg.models.card import CARD_FILE, card_digest, dump_card, model_facts, read_card
from medseg.models.domain import dump_features, load_features, parse_features
from medseg.models.intervals import dump_volumes, load_calibration

__all__ = [
    "CARD_FILE",
    "as_arrays",
    "card_digest",
    "dump_card",
    "dump_features",
    "dump_volumes",
    "load_calibration",
    "load_features",
    "load_weights",
    "model_facts",
    "parse_features",
    "read_card",
    "read_weights",
    "weights_digest",
    "write_bundle",
]
