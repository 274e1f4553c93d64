"""Widgets; Qt stays in here."""
