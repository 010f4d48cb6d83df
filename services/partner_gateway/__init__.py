"""Hears everything that is told to a partner, keeps each organisation's numbered inbox, and is its door by HTTPS."""
