"""The page of a Record: what stands on page one, all numbers, pictures, HTML and PDF."""
