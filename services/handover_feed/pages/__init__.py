"""The board's pages: what is open, worst first, and what a worker does about it."""
