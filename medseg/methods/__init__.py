"""Classical and prompted segmenters, one file each, found by entry point."""
