"""Measurements as rows: CSV and XLSX."""
