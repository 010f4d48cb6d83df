"""How numbers, durations and moments are told to an operator."""

from __future__ import annotations

from datetime import datetime


def events(number: int) -> str:
    """`1 event`, `1,204 events`."""
    return f"{number:,} event{'' if number == 1 else 's'}"


def waiting(number: int, seconds: float) -> str:
    """`3 events wait, the first for 4 min`; empty when nothing does."""
    return f"{events(number)} {'waits' if number == 1 else 'wait'}, the first for {lasting(seconds)}" if number else ""


def lasting(seconds: float) -> str:
    """`0 s`, `45 s`, `4 min`, `2 h 05`, `3 d`; never more than two figures' worth."""
    whole = round(max(0.0, seconds))
    minutes, left = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d"
    if hours:
        return f"{hours} h {minutes:02}"
    return f"{minutes} min" if minutes else f"{left} s"


def moment(at: datetime) -> str:
    """The day and the time here."""
    return f"{at.astimezone():%a %d %b %H:%M}"
