"""Signed notices to an organisation's own server that something waits in its inbox."""
