"""medseg in napari: reader, writer, sample data, and a widget; no numerics of its own.

The world of the viewer is RAS+ mm with every axis turned round, in the order (z, y, x): an axial slice is seen in
radiological convention, and coronal and sagittal ones with the head at the top. See `napari_medseg.bridge.placement`.
"""
