"""PNG, TIFF and JPEG: pixels without a physical size."""

from medseg.io.raster.format import READER, WRITER

__all__ = ["READER", "WRITER"]
