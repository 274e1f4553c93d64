"""Structures of a SEG or RTSTRUCT as labels, parts and regions."""
