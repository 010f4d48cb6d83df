"""Processes that are killed, stopped and cut off at the worst moment, on a real broker."""
