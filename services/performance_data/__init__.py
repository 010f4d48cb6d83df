"""Hears what every other room hears, and computes the partnership's measures from it (N10). It tells nobody anything."""
