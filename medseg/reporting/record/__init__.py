"""The Record as text: JSON, its schema, its signature."""
