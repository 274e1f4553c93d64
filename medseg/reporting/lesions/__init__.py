"""Lesions: in words, as a table, as pictures, as rows of a workbook."""
