"""Which plane a single picture of a case shows."""

from medseg.reporting.pictures.scene import Scene, ScenePlane

__all__ = ["acquired_plane"]

#: An axis this much coarser than the finest is the one a stack was acquired along.
_COARSER = 1.2


def acquired_plane(scene: Scene) -> ScenePlane:
    """The plane across an axis that is clearly coarser than the others, else the first."""
    spacing = scene.grid.spacing
    coarse = max(scene.planes, key=lambda plane: spacing[plane.axis])
    clear = spacing[coarse.axis] >= _COARSER * max(spacing[coarse.column], spacing[coarse.row])
    return coarse if clear else scene.planes[0]
