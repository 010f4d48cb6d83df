"""Hears what the front door was told of a child, and tells the team that works with the child already."""
