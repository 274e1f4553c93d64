"""A follow-up as JSON, sentences, tables, diagram, curves, pictures and page."""
