"""DICOM: a folder or file to Sources, one per volume, with a verdict on its slices; and those to Images."""

from medseg.io.dicom.reader import READER

__all__ = ["READER"]
