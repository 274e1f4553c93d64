"""What runs a network: NumPy at the border, one file per library."""

from medseg.inference.backends.protocol import Backend, BackendMemoryError, Precision

__all__ = ["Backend", "BackendMemoryError", "Precision"]
