"""Sets of PNG masks by a mapping of values to classes."""

from medseg.io.labelset.reader import READER

__all__ = ["READER"]
