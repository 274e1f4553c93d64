"""Whether a scan is like those that a model was trained on: its grid and the values that the network sees."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medseg.domain import Finding, Grid
from medseg.domain.values import as_details

__all__ = ["DomainVerdict", "TrainingDomain", "domain_finding", "scan_features", "train_domain"]

_QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
#: Scaled values beyond are as strange as these.
_MOST = 10.0
#: Features that are logarithms of lengths in mm.
_LENGTHS = ("the spacing", "the field of view")
_AXES = ("right–left", "back–front", "foot–head")
#: Voxels looked at per channel; more tell no more.
_LOOKED_AT = 1 << 18
#: Spread that a feature has at least: a set with one spacing does not make 1.01 mm strange.
_LEAST_SPREAD = 0.05
#: Share of training subjects that may be called suspicious, and how many times the farthest of them is unlike.
_FALSE_ALARMS, _UNLIKE = 0.05, 2.0
#: With fewer subjects nothing is known of what is usual.
_FEWEST = 10


@dataclass(frozen=True, slots=True, eq=False)
class TrainingDomain:
    """Features of a model's training subjects, and how far from each other they are.

    Parameters
    ----------
    names
        Of the features, in words.
    centre, spread
        Mean and standard deviation of each.
    precision
        Inverse covariance of the standardised features.
    suspicious, unlike
        Distances from which on a scan is called so.
    false_alarms
        Share of the training's own scans that the others call suspicious.
    low, high
        Smallest and largest value of each feature.
    """

    names: tuple[str, ...]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    precision: NDArray[np.float64]
    suspicious: float
    unlike: float
    false_alarms: float
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def judge(self, features: NDArray[np.float64]) -> "DomainVerdict":
        """In range, suspicious or unlike, with the feature that is farthest off."""
        off = (features - self.centre) / self.spread
        distance = math.sqrt(max(0.0, float(off @ self.precision @ off)))
        worst = int(np.argmax(np.abs(off)))
        level: Literal["in range", "suspicious", "unlike"] = "in range"
        if distance > self.suspicious:
            level = "unlike" if distance > self.unlike else "suspicious"
        return DomainVerdict(level, distance, self._words(worst, float(features[worst])))

    def _words(self, at: int, value: float) -> str:
        """`the field of view foot–head is 180 mm; in the training it was 29 to 44 mm`."""
        ends = (value, float(self.low[at]), float(self.high[at]))
        if self.names[at].startswith(_LENGTHS):
            here, low, high = (f"{math.exp(end):.3g}" for end in ends)
            return f"{self.names[at]} is {here} mm; in the training it was {low} to {high} mm"
        here, low, high = (f"{end:.2f}".replace("-", "−") for end in ends)
        return f"{self.names[at]}, as the network sees it, is {here}; in the training it was {low} to {high}"


@dataclass(frozen=True, slots=True)
class DomainVerdict:
    """How a scan stands to the training's; `why` names what is farthest off."""

    level: Literal["in range", "suspicious", "unlike"]
    distance: float
    why: str


def scan_features(
    array: NDArray[np.floating], grid: Grid, channels: Sequence[str]
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Names and values of what is compared.

    Parameters
    ----------
    array
        (C, I, J, K) as the network sees it.
    grid
        Native grid of the reference channel, axes in canonical order.
    channels
        Their names.

    Returns
    -------
    Logarithms of spacing and of the field of view along each axis; of each channel its quantiles, the share of its most
    frequent value (air, padding), how much neighbours differ beside all voxels (sharpness and noise), and how values
    rise along each axis: tilt and bend change their sign when a scan is mirrored.
    """
    sizes = np.array(grid.spacing), np.array(grid.shape) * np.array(grid.spacing)
    names = [f"{what} {axis}" for what in _LENGTHS for axis in _AXES]
    values = [float(value) for size in sizes for value in np.log(size)]
    for name, channel in zip(channels, array, strict=True):
        found = _channel_features(np.clip(channel.astype(np.float32), -_MOST, _MOST))
        names += [f"{what} of {name}" for what in found]
        values += list(found.values())
    return tuple(names), np.array(values)


def train_domain(names: Sequence[str], features: NDArray[np.float64]) -> TrainingDomain | None:
    """What is usual, from (subjects, features); None where there are too few subjects.

    The covariance is drawn towards its diagonal by as much as there are more features than subjects; a subject's own
    distance is taken without it.
    """
    count = len(features)
    if count < _FEWEST:
        return None
    distances = sorted(_distance(features[at], np.delete(features, at, axis=0)) for at in range(count))
    rank = min(count, math.ceil((1 - _FALSE_ALARMS) * (count + 1)))
    centre, spread, precision = _usual(features)
    suspicious = distances[rank - 1]
    return TrainingDomain(
        tuple(names),
        centre,
        spread,
        precision,
        suspicious,
        max(_UNLIKE * distances[-1], suspicious),
        float(np.mean(np.array(distances) > suspicious)),
        features.min(axis=0),
        features.max(axis=0),
    )


def domain_finding(verdict: DomainVerdict | None, model: str) -> tuple[Finding, ...]:
    """What a reader must know; nothing of a scan in range, or of which nothing is known."""
    if verdict is None or verdict.level == "in range":
        return ()
    words = "is unlike those" if verdict.level == "unlike" else "may be unlike those"
    text = (
        f"This scan {words} that the model {model} was trained on: {verdict.why}. Look twice at its mask; "
        "its volumes have no interval."
    )
    details = as_details(distance=verdict.distance, level=verdict.level, why=verdict.why)
    return (Finding(f"domain.{verdict.level}", "warning", text, details),)


def _channel_features(values: NDArray[np.float32]) -> dict[str, float]:
    flat = values.ravel()[:: max(1, values.size // _LOOKED_AT)]
    found = {
        f"the {round(100 * share)}th percentile": float(value)
        for share, value in zip(_QUANTILES, np.quantile(flat, _QUANTILES), strict=True)
    }
    _, counts = np.unique(flat, return_counts=True)
    found["the share of one value"] = float(counts.max() / flat.size)
    deviation = float(flat.std())
    steps = [
        np.abs(np.diff(values, axis=axis)).mean() for axis in range(values.ndim) if values.shape[axis] > 1
    ]
    found["the difference of neighbours"] = float(np.mean(steps)) / deviation if deviation and steps else 0.0
    return found | _rises(values)


def _rises(values: NDArray[np.float32]) -> dict[str, float]:
    """Mean of the values times the place from −1 to 1 along each axis, and times its cube less what is a line."""
    found = {}
    for axis, name in enumerate(_AXES):
        profile = values.mean(axis=tuple(other for other in range(3) if other != axis), dtype=np.float64)
        place = np.linspace(-1, 1, profile.size) if profile.size > 1 else np.zeros(1)
        cube = place**3
        straight = float(cube @ place) / max(float(place @ place), 1e-12)
        found[f"the tilt along {name}"] = float(np.mean(profile * place))
        found[f"the bend along {name}"] = float(np.mean(profile * (cube - straight * place)))
    return found


def _usual(
    features: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    centre = features.mean(axis=0)
    spread = np.maximum(features.std(axis=0), _LEAST_SPREAD)
    off = (features - centre) / spread
    count, size = off.shape
    covariance = off.T @ off / count
    towards = size / (count + size)
    diagonal = np.diag(np.maximum(np.diag(covariance), _LEAST_SPREAD))
    return centre, spread, np.linalg.inv((1 - towards) * covariance + towards * diagonal)


def _distance(one: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    centre, spread, precision = _usual(others)
    off = (one - centre) / spread
    return math.sqrt(max(0.0, float(off @ precision @ off)))
