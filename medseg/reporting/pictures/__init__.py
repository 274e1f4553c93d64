"""Drawing: scenes, windows, colours, one canvas."""
