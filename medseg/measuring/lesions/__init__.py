"""Lesions: found, their axes in a plane, their size criterion."""
