"""Timed comparisons, each one command that prints its machine and a ratio."""
