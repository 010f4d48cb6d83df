"""Documents that are too large for an event, up and down by claim check."""
