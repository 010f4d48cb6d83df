"""Hears what concerns a child at risk tonight, keeps one card a matter, shows both sides of the handover the worst first."""
