"""COCO instance segmentation: one JSON, every picture a mask."""

from medseg.io.coco.reader import READER

__all__ = ["READER"]
