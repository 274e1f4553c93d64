"""Small grids of parameters; what is chosen among them is chosen by cross-validation over cases.

A value may be a word that is worked out per image without its reference: `seed*0.5` is half of the value at the
first seed, `q90` the image's 90th percentile. Which label of a method without seeds is taken for the object is
chosen with them.
"""

import importlib
import pkgutil
from functools import cache
from itertools import product
from typing import Any

import numpy as np

import medseg.methods
from medseg import plugins
from medseg.domain import Image, Prompts, Segmenter

__all__ = ["all_methods", "grid_of", "resolved"]

Chosen = dict[str, Any]
#: Method → parameter → values; methods that are not named run with their defaults.
GRIDS: dict[str, dict[str, list[Any]]] = {
    "threshold": {"low": ["q70", "q85", "q93", "q97"]},
    "hysteresis": {"low": ["q80", "q90"], "high": ["q95", "q99"]},
    "local-threshold": {"window_mm": [30.0, 60.0], "weight": [-0.5, 0.3]},
    "multi-otsu": {"classes": [3, 4, 5]},
    "k-means": {"classes": [3, 4, 5]},
    "gaussian-mixture": {"classes": [3, 4]},
    "pet-threshold": {"rule": ["30%", "41%", "fixed-2.5"]},
    "canny": {"sigma_mm": [1.5, 4.0]},
    "connected-threshold": {"low": [None, "seed*0.5"]},
    "confidence-connected": {"multiplier": [2.0, 3.5]},
    "graph-cut": {"smoothness_mm": [1.0, 2.0]},
    "grow-cut": {"sigma_mm": [0.5, 2.0]},
    "watershed": {"sigma_mm": [1.0, 3.0]},
    "level-set": {"multiplier": [1.5, 2.5]},
    "geodesic-contour": {"propagation": [0.5, 1.0]},
    "pick-supervoxels": {"size_mm": [5.0]},
}

#: How far beyond the seeds the box reaches (mm, or pixels), of methods that work in one; the same for all lists.
MARGINS = [15.0, 45.0, 80.0]


@cache
def all_methods() -> dict[str, Segmenter]:
    """Every method of medseg.methods and every plugin, by name; what can't be loaded is left out."""
    found: dict[str, Segmenter] = dict(plugins.load_all(plugins.SEGMENTERS))
    for module in pkgutil.iter_modules(medseg.methods.__path__):
        try:
            loaded = importlib.import_module(f"medseg.methods.{module.name}")
        except ImportError:
            continue
        for name in getattr(loaded, "__all__", ()):
            value = getattr(loaded, name)
            if name.isupper() and hasattr(value, "spec"):
                found[value.spec.name] = value
    return dict(sorted(found.items()))


def grid_of(method: str, *, small: bool = False) -> list[Chosen]:
    """Settings to try; with `small` the first of each only."""
    values = dict(GRIDS.get(method, {}))
    if "margin_mm" in all_methods()[method].Params.model_fields:
        values["margin_mm"] = MARGINS
    found = [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]
    return found[:1] if small else found


def resolved(chosen: Chosen, image: Image, prompts: Prompts) -> Chosen:
    """Parameters as numbers, without what is None."""
    return {
        name: _number(value, image, prompts) if isinstance(value, str) else value
        for name, value in chosen.items()
        if value is not None
    }


def _number(word: str, image: Image, prompts: Prompts) -> Any:
    if word.startswith("q") and word[1:].isdigit():
        return float(np.percentile(image.array, int(word[1:])))
    if "*" not in word:
        return word
    share = word.partition("*")[2]
    index = np.rint(image.grid.to_index(np.array(prompts.points[0].position))).astype(int)
    return float(image.array[tuple(index)]) * float(share)
