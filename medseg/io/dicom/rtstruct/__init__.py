"""RTSTRUCT: contours to pixels, and back."""
