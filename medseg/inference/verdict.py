"""A scan against what its model's bundle says of the training's."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from medseg.domain import Grid, ModelCard
from medseg.inference.domain import DomainVerdict, TrainingDomain, scan_features, train_domain
from medseg.inference.prepare import Prepared
from medseg.models import load_features

__all__ = ["domain_verdict"]


def domain_verdict(prepared: Prepared, grid: Grid, card: ModelCard, folder: Path) -> DomainVerdict | None:
    """Verdict on a scan; None for a model that keeps nothing of its training's scans.

    Parameters
    ----------
    prepared
        As the network sees it.
    grid
        Native grid of the reference channel, axes in canonical order.

    Raises
    ------
    ModelError
        If the bundle is damaged.
    """
    known = _known(card, folder)
    if known is None:
        return None
    names, values = scan_features(prepared.array, grid, [channel.name for channel in card.channels])
    told = dict(zip(names, values, strict=True))
    if any(name not in told for name in known.names):
        return None
    return known.judge(np.array([told[name] for name in known.names]))  # an older bundle knows fewer


@lru_cache(maxsize=4)
def _known(card: ModelCard, folder: Path) -> TrainingDomain | None:
    table = load_features(card, folder)
    return None if table is None else train_domain(*table)
