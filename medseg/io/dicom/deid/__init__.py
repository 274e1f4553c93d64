"""De-identification: profile, key, one dataset, and a second look."""
