"""STL and PLY: surfaces as files, and as masks."""

from medseg.io.surface.reader import READER

__all__ = ["READER"]
