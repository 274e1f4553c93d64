"""The report's pages: Encapsulated PDF and Secondary Capture."""
