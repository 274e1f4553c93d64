"""Key Object Selection: the images that a reader should open first."""
