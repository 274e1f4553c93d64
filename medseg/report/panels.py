"""Pictures of a Record: planes through the largest section, drawn from arrays that are given."""

from collections.abc import Mapping

from medseg.domain import Image, Record, Segmentation
from medseg.report.extras import Picture

__all__ = ["draw"]


def draw(_record: Record, _segmentation: Segmentation, _images: Mapping[str, Image]) -> tuple[Picture, ...]:
    """Pictures for the page; none yet."""
    return ()
