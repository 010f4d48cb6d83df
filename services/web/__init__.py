"""What the rooms with a door share: how they are served, what protects a browser, problems in one form, streams."""
