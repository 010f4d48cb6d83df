"""The board's web door: pages, API and streams over the same cards."""
