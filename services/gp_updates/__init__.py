"""Hears that a health role must be told; sends it to whoever is registered for the child then, as it can be filed."""
