"""NIfTI-1 and NIfTI-2, single files and pairs."""

from medseg.io.nifti.format import READER, WRITER

__all__ = ["READER", "WRITER"]
