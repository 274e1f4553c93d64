"""A study of repeatability as page, table and JSON."""
