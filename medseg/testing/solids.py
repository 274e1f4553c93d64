"""Solids in world mm whose volume, area and diameters are known.

All positions are RAS+ mm.
"""

import math
from dataclasses import dataclass, field
from itertools import product
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "Ellipsoid", "Shell", "Solid", "Torus", "Triple", "ball", "slab"]

Triple = tuple[float, float, float]
_Floats = NDArray[np.float64]


class Solid(Protocol):
    """What every phantom knows of itself, exactly."""

    @property
    def centre(self) -> Triple:
        """Centre of mass, mm."""

    @property
    def volume_mm3(self) -> float:
        """Volume."""

    @property
    def area_mm2(self) -> float:
        """Area of all its surfaces."""

    @property
    def diameter_mm(self) -> float:
        """Largest distance between two of its points."""

    @property
    def bounds_mm(self) -> _Floats:
        """(2, 3) lowest and highest position of its box along the world axes."""

    def contains(self, positions: _Floats) -> NDArray[np.bool_]:
        """Whether positions (…, 3) lie inside; those on the surface do."""


@dataclass(frozen=True, slots=True, eq=False)
class Ellipsoid:
    """An ellipsoid; `turn` (3×3) holds the directions of its semi-axes as columns.

    >>> round(Ellipsoid((3.0, 2.0, 1.0)).volume_mm3, 4)
    25.1327
    """

    semi_axes: Triple
    turn: _Floats = field(default_factory=lambda: np.eye(3))
    centre: Triple = (0.0, 0.0, 0.0)

    @property
    def volume_mm3(self) -> float:
        """4/3 π a b c."""
        return 4 / 3 * math.pi * math.prod(self.semi_axes)

    @property
    def area_mm2(self) -> float:
        """4π a b c R_G(a⁻², b⁻², c⁻²): Carlson's symmetric elliptic integral (DLMF 19.33.1)."""
        from scipy.special import elliprg

        a, b, c = self.semi_axes
        return 4 * math.pi * a * b * c * float(elliprg(a**-2.0, b**-2.0, c**-2.0))

    @property
    def diameter_mm(self) -> float:
        """Twice the longest semi-axis."""
        return 2 * max(self.semi_axes)

    @property
    def bounds_mm(self) -> _Floats:
        """Exact: the support of an ellipsoid along an axis is the length of that row of turn × semi-axes."""
        reach = np.linalg.norm(self.turn * self.semi_axes, axis=1)
        return _around(self.centre, reach)

    def contains(self, positions: _Floats) -> NDArray[np.bool_]:
        """Whether positions (…, 3) lie inside."""
        local = _local(positions, self.turn, self.centre) / self.semi_axes
        return np.asarray((local**2).sum(axis=-1) <= 1)

    def section_mm(self, normal: _Floats) -> tuple[float, float]:
        """Long and short axis of the largest section across `normal`: the one through the centre."""
        basis = np.linalg.svd(np.asarray(normal, np.float64)[None])[2][1:]
        local = basis @ self.turn / self.semi_axes
        low, high = np.linalg.eigvalsh(local @ local.T)
        return 2 / math.sqrt(low), 2 / math.sqrt(high)


def ball(radius: float, centre: Triple = (0.0, 0.0, 0.0)) -> Ellipsoid:
    """A ball."""
    return Ellipsoid((radius, radius, radius), centre=centre)


@dataclass(frozen=True, slots=True, eq=False)
class Shell:
    """What is left of a ball without a smaller one around the same centre."""

    outer: float
    inner: float
    centre: Triple = (0.0, 0.0, 0.0)

    @property
    def volume_mm3(self) -> float:
        """4/3 π (R³ − r³)."""
        return 4 / 3 * math.pi * (self.outer**3 - self.inner**3)

    @property
    def area_mm2(self) -> float:
        """Both surfaces: 4π (R² + r²)."""
        return 4 * math.pi * (self.outer**2 + self.inner**2)

    @property
    def diameter_mm(self) -> float:
        """Of the outer ball."""
        return 2 * self.outer

    @property
    def bounds_mm(self) -> _Floats:
        """Of the outer ball."""
        return ball(self.outer, self.centre).bounds_mm

    def contains(self, positions: _Floats) -> NDArray[np.bool_]:
        """Whether positions (…, 3) lie between the two surfaces."""
        away = np.linalg.norm(np.asarray(positions) - self.centre, axis=-1)
        return np.asarray((away <= self.outer) & (away >= self.inner))


@dataclass(frozen=True, slots=True, eq=False)
class Torus:
    """A ring torus; the third column of `turn` is its axis.

    Its share of a voxel has no closed form, so `partial_volumes` refuses it.
    """

    ring: float
    tube: float
    turn: _Floats = field(default_factory=lambda: np.eye(3))
    centre: Triple = (0.0, 0.0, 0.0)

    @property
    def volume_mm3(self) -> float:
        """2π² R r² (Pappus)."""
        return 2 * math.pi**2 * self.ring * self.tube**2

    @property
    def area_mm2(self) -> float:
        """4π² R r (Pappus)."""
        return 4 * math.pi**2 * self.ring * self.tube

    @property
    def diameter_mm(self) -> float:
        """Across the ring, through its hole."""
        return 2 * (self.ring + self.tube)

    @property
    def bounds_mm(self) -> _Floats:
        """Exact: a circle's support plus the tube."""
        reach = self.ring * np.linalg.norm(self.turn[:, :2], axis=1) + self.tube
        return _around(self.centre, reach)

    def contains(self, positions: _Floats) -> NDArray[np.bool_]:
        """Whether positions (…, 3) lie inside the tube."""
        local = _local(positions, self.turn, self.centre)
        away = np.hypot(np.hypot(local[..., 0], local[..., 1]) - self.ring, local[..., 2])
        return np.asarray(away <= self.tube)


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """A box, tilted by `turn` (columns: directions of its edges); thin ones are slabs."""

    half_sizes: Triple
    turn: _Floats = field(default_factory=lambda: np.eye(3))
    centre: Triple = (0.0, 0.0, 0.0)

    @property
    def volume_mm3(self) -> float:
        """8 a b c."""
        return 8 * math.prod(self.half_sizes)

    @property
    def area_mm2(self) -> float:
        """8 (ab + bc + ca)."""
        a, b, c = self.half_sizes
        return 8 * (a * b + b * c + c * a)

    @property
    def diameter_mm(self) -> float:
        """The space diagonal."""
        return 2 * math.hypot(*self.half_sizes)

    @property
    def bounds_mm(self) -> _Floats:
        """Exact."""
        reach = np.abs(self.turn * self.half_sizes).sum(axis=1)
        return _around(self.centre, reach)

    def contains(self, positions: _Floats) -> NDArray[np.bool_]:
        """Whether positions (…, 3) lie inside."""
        local = np.abs(_local(positions, self.turn, self.centre))
        return np.asarray((local <= self.half_sizes).all(axis=-1))

    def section_diameter_mm(self, normal: _Floats) -> float:
        """Longest line inside the box that lies in a plane across `normal`.

        Differences of two points of the box fill a box twice as large, so the answer is the farthest corner of
        that one's section through its middle: where one of its twelve edges crosses the plane.
        """
        corners = 2 * np.array(list(product((-1, 1), repeat=3))) * self.half_sizes @ self.turn.T
        heights = corners @ (np.asarray(normal) / np.linalg.norm(normal))
        longest = 0.0
        for a, b in product(range(8), repeat=2):
            if bin(a ^ b).count("1") != 1 or heights[a] * heights[b] > 0:
                continue
            gap = heights[a] - heights[b]
            share = heights[a] / gap if gap else 0.0
            longest = max(longest, float(np.linalg.norm(corners[a] + share * (corners[b] - corners[a]))))
        return longest


def slab(thickness: float, width: float, *, turn: _Floats | None = None, centre: Triple = (0, 0, 0)) -> Box:
    """A square plate; the third column of `turn` is its normal."""
    return Box((width / 2, width / 2, thickness / 2), np.eye(3) if turn is None else turn, centre)


def _around(centre: Triple, reach: _Floats) -> _Floats:
    bounds: _Floats = np.asarray(centre, np.float64) + np.stack([-reach, reach])
    return bounds


def _local(positions: _Floats, turn: _Floats, centre: Triple) -> _Floats:
    local: _Floats = (np.asarray(positions, np.float64) - centre) @ turn
    return local
