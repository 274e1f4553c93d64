"""The page of a training: what was learned, how well, where it fails, and what it took."""
