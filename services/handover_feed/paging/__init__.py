"""Tells the on-call manager that immediate danger waits and nobody has taken it (DOMAIN.md H7)."""
