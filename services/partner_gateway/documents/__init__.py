"""Documents by claim check: uploaded once, handed out only to those entitled at that moment (H4)."""
