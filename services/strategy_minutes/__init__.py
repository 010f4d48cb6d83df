"""Hears of strategy meetings and their approved minutes; hands each invitee what the chair lets it have."""
