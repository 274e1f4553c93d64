"""What is open in one window, without napari and Qt: images, masks with their journals, numbers, jobs, the review."""

from napari_medseg.workspace.mask import EditedMask
from napari_medseg.workspace.session import Session

__all__ = ["EditedMask", "Session"]
