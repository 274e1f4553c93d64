"""NIfTI-1 and NIfTI-2, single files."""

from medseg.io.nifti.format import READER, WRITER

__all__ = ["READER", "WRITER"]
