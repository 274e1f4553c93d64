"""SR (TID 1500): numbers with codes and units."""
