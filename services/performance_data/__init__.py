"""Hears what every other room hears, and computes the measures of the partnership from it (N10). Tells nobody."""
