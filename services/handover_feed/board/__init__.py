"""What the board shows: the latest card of each matter, as the log has it."""
