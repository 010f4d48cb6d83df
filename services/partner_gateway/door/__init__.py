"""HTTPS for agencies: events in, the inbox out, everything by one authorisation."""
