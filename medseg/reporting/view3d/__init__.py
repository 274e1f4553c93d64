"""The 3D view: surfaces, the viewer, and the viewer's source."""
