"""Hears what concerns a child, keeps one card a matter, and shows both sides of the handover the worst first."""
