"""Exact volumes that voxels share with a ball or a box, in closed form.

Any ellipsoid is a unit ball, and any box a cube, after an affine map; voxels become parallelepipeds there and
shares of volume stay. So two overlaps suffice.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["ball_overlaps", "box_overlaps"]

_Floats = NDArray[np.float64]


def ball_overlaps(corners: _Floats, edges: _Floats) -> _Floats:
    """Volumes that parallelepipeds share with the unit ball around the origin.

    Parameters
    ----------
    corners
        (N, 3) lowest corner of each parallelepiped.
    edges
        (3, 3) rows: the edges that all share.

    Returns
    -------
    (N,) float64. No quadrature: rounding alone, about 1e-14 for voxels smaller than the ball.

    Notes
    -----
    Own derivation. The overlap is the signed sum of the cones from the ball's centre over the six faces. A face
    at distance h cuts the ball in a disk of radius r = √(1 − h²). Over the disk a cone's volume is h/3 × area,
    beyond it 1/3 × solid angle. Either splits into triangles from the centre's foot to each edge; with d the
    distance of the edge from the foot and φ the angle from its nearest point,

    - up to the disk's rim the integral over φ is h d² tan φ / 6,
    - beyond, (h r²/6 + min(h, 1)/3) φ − 1/3 asin(h sin φ / √(h² + d²)), by ∫ h cos φ dφ / √(d² + h² cos² φ).

    Strobl, Formella & Pöschel 2016 (J. Comput. Phys. 311) solve the same task by other pieces.

    Examples
    --------
    A cube around the ball holds all of it, and one with its corner at the centre an eighth:

    >>> cube = ball_overlaps(np.array([[-1.0, -1, -1], [0, 0, 0]]), 2 * np.eye(3)) * 3 / np.pi
    >>> np.round(cube, 12).tolist()
    [4.0, 0.5]
    """
    total = np.zeros(len(corners))
    for axis in range(3):
        first, second = edges[(axis + 1) % 3], edges[(axis + 2) % 3]
        normal = np.cross(first, second)
        normal /= np.linalg.norm(normal)
        if normal @ edges[axis] < 0:
            first, second, normal = second, first, -normal
        total += _cones(corners + edges[axis], first, second, normal)
        total -= _cones(corners, first, second, normal)
    return total


def _cones(corners: _Floats, first: _Floats, second: _Floats, normal: _Floats) -> _Floats:
    """Signed volume within the ball of the cones over parallelograms, counter-clockwise about `normal`."""
    height = corners @ normal
    total = np.zeros(len(corners))
    starts = (corners, corners + first, corners + first + second, corners + second)
    for start, edge in zip(starts, (first, second, -first, -second), strict=True):
        length = float(np.linalg.norm(edge))
        along = edge / length
        # The foot of the centre is height × normal, which `along` and `across` do not see.
        across = np.cross(along, normal)
        distance, begin = start @ across, start @ along
        size, near = np.abs(height), np.abs(distance)
        part = _sector(size, near, begin + length) - _sector(size, near, begin)
        total += np.sign(distance) * part
    return np.sign(height) * total


def _sector(height: _Floats, distance: _Floats, along: _Floats) -> _Floats:
    """Volume over the triangle from the foot to the stretch 0 … `along` of an edge; odd in `along`."""
    angle = np.arctan2(np.abs(along), distance)
    rim = np.sqrt(np.maximum(0.0, 1 - height**2))
    cosine = np.divide(distance, rim, out=np.ones_like(rim), where=rim > distance)
    at_rim = np.arccos(np.minimum(cosine, 1.0))
    inner = np.minimum(angle, at_rim)
    # tan of the inner angle times the distance, without 0 × ∞ where the edge runs through the foot.
    reach = np.where(angle <= at_rim, np.abs(along), np.sqrt(np.maximum(0.0, rim**2 - distance**2)))
    inside = height * distance * reach / 6
    beyond = (height * rim**2 / 6 + np.minimum(height, 1.0) / 3) * (angle - inner)
    solid = (_bend(height, distance, angle) - _bend(height, distance, inner)) / 3
    volume: _Floats = np.sign(along) * (inside + beyond - solid)
    return volume


def _bend(height: _Floats, distance: _Floats, angle: _Floats) -> _Floats:
    """asin(h sin φ / √(h² + d²)), by arctan because asin loses half its digits near 1."""
    bend: _Floats = np.arctan2(height * np.sin(angle), np.hypot(distance, height * np.cos(angle)))
    return bend


def box_overlaps(corners: _Floats, edges: _Floats) -> _Floats:
    """Volumes that parallelepipeds share with the cube [−1, 1]³.

    Parameters and result as in `ball_overlaps`. Each parallelepiped is cut into six tetrahedra, and these are
    clipped by the cube's six planes in turn; what is left of a tetrahedron is one or three tetrahedra.

    Examples
    --------
    >>> np.round(box_overlaps(np.array([[-1.0, -1, -1], [0.5, 0, 0]]), np.eye(3)), 12).tolist()
    [1.0, 0.5]
    """
    # Kuhn's split: each tetrahedron walks from the lowest corner to the highest along the three edges.
    paths = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    walks = np.array([np.vstack([np.zeros(3), np.cumsum(edges[list(path)], axis=0)]) for path in paths])
    solids = (corners[:, None, None, :] + walks[None]).reshape(-1, 4, 3)
    owner = np.repeat(np.arange(len(corners)), len(paths))
    for axis in range(3):
        for side in (-1.0, 1.0):
            solids, owner = _clip(solids, owner, 1 - side * solids[:, :, axis])
    sizes = np.abs(np.linalg.det(solids[:, 1:] - solids[:, :1])) / 6
    total: _Floats = np.bincount(owner, weights=sizes, minlength=len(corners)).astype(np.float64)
    return total


def _clip(solids: _Floats, owner: NDArray[np.intp], inside: _Floats) -> tuple[_Floats, NDArray[np.intp]]:
    """Keep the part of tetrahedra (N, 4, 3) where the linear function given at their corners is positive."""
    order = np.argsort(-inside, axis=1, kind="stable")
    inside = np.take_along_axis(inside, order, axis=1)
    solids = np.take_along_axis(solids, order[:, :, None], axis=1)
    count = (inside > 0).sum(axis=1)
    parts, owners = [solids[count == 4]], [owner[count == 4]]
    for corners, pieces in _PIECES.items():
        chosen = count == corners
        points = _points(solids[chosen], inside[chosen], corners)
        for piece in pieces:
            parts.append(np.stack([points[name] for name in piece], axis=1))
            owners.append(owner[chosen])
    return np.concatenate(parts), np.concatenate(owners)


#: Corners inside → tetrahedra that fill the rest; "02" is the point where edge 0–2 meets the plane.
_PIECES = {
    1: (("0", "01", "02", "03"),),
    2: (("0", "1", "12", "13"), ("0", "02", "12", "13"), ("0", "02", "03", "13")),
    3: (("0", "1", "2", "03"), ("1", "2", "03", "13"), ("2", "03", "13", "23")),
}


def _points(solids: _Floats, inside: _Floats, corners: int) -> dict[str, _Floats]:
    points = {str(n): solids[:, n] for n in range(corners)}
    for a in range(corners):
        for b in range(corners, 4):
            share = (inside[:, a] / (inside[:, a] - inside[:, b]))[:, None]
            points[f"{a}{b}"] = solids[:, a] + share * (solids[:, b] - solids[:, a])
    return points
