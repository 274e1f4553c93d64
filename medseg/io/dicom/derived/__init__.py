"""What every object that medseg writes shares: its source, its attributes."""
