"""medseg in napari: reader, writer, sample data, and a widget; no numerics of its own.

The world of the viewer is LPS in the order (z, y, x): columns grow to the patient's left and rows to the
back, so that an axial slice is seen in radiological convention. See `napari_medseg.layers`.
"""
