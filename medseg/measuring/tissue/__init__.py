"""CT tissue: which, where, how much."""
