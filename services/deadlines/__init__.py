"""Hears what is expected and what has been done; says what was met, and escalates what was missed."""
