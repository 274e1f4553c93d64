"""What plugin authors test against: contract tests that every segmenter must pass."""
