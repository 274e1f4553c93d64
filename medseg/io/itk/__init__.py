"""What ITK and 3D Slicer write: NRRD, MetaImage, `.seg.nrrd`."""

from medseg.io.itk.format import READER, WRITER

__all__ = ["READER", "WRITER"]
