"""Masks of either kind, SEG or RTSTRUCT: known, read, put on an image's grid."""
