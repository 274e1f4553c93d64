"""Clinical tables with citations: ranges of tissue, delineations of uptake, criteria of size."""
