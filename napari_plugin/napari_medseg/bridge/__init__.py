"""napari's layers ↔ medseg's values: where voxels lie, what a layer holds, what happens in the window; no widgets."""
