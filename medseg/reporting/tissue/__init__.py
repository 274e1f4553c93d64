"""CT tissue: as a table, in colour on its slice, by slice position."""
