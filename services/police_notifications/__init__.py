"""Hears a police incident and a person's matches, decides who each child is, and tells the front door of each."""
