"""The board's people: who they are, for which side and in which role they come, and what each role may."""
