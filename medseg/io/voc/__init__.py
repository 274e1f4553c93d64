"""Pascal VOC: pictures of class numbers, and the classes' names."""

from medseg.io.voc.reader import READER

__all__ = ["READER"]
