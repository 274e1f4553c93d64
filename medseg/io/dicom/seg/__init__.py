"""SEG: frames to labels, and back."""
