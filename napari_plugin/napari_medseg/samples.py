"""Sample data: the cases that ship with medseg."""

from medseg.workflows import read
from medseg.workflows.demo import sample_folder
from napari_medseg.bridge.layers import LayerData, image_layer
from napari_medseg.bridge.opened import watch_window

__all__ = ["hippocampus", "sarcoma"]


def hippocampus() -> list[LayerData]:
    """T1 MR crop around one hippocampus."""
    watch_window()
    folder = sample_folder("hippocampus")
    return [image_layer(read(folder / "mr.nii.gz", channel="mr"), "mr")]


def sarcoma() -> list[LayerData]:
    """T1 MR and FDG-PET of one soft-tissue sarcoma, each on its own grid."""
    watch_window()
    folder = sample_folder("sarcoma")
    return [image_layer(read(folder / f"{name}.nii.gz", channel=name), name) for name in ("mr", "pet")]
