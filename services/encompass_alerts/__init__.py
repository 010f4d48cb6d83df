"""Hears what the front door was told of a child, and alerts the schools where that child is registered."""
