"""Predictions against references: the page and its pictures."""
