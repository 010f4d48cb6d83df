"""The end-to-end probe: an event about nobody goes through every service's whole loop, and its way is timed."""
