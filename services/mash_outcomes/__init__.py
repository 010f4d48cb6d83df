"""Hears contacts, checks and decisions of the MASH; tells everyone who must know what was decided, and why."""
