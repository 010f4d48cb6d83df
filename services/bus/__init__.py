"""The hallway: everything that two rooms share, once."""
