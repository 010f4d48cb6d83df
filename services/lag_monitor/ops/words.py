"""Numbers, sizes and lengths of time as an operator reads them at 3 a.m."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
"""Not services/bus/calendar.py's, which brings every bank holiday into a process that must stay small: 3 MiB."""


def number(value: float) -> str:
    """12,345; 1.5; 0.04; 0"""
    if value == round(value) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2g}" if value < 1 else f"{value:.1f}"


def rate(value: float) -> str:
    """2.5 a second; 3 a minute where less than one comes a second"""
    if value >= 1 or not value:
        return f"{number(value)} a second"
    return f"{number(value * 60)} a minute" if value * 60 >= 1 else f"{number(value * 3600)} an hour"


def span(seconds: float) -> str:
    """40 ms; 2.5 s; 12 min; 3 h 05; 4 d"""
    if seconds <= 0:
        return "0 s"
    if seconds < 1:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d"
    return f"{hours} h {minutes:02}" if hours else f"{minutes} min"


def size(count: float) -> str:
    """12 GiB; 300 MiB"""
    for unit, scale in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20)):
        if count >= scale:
            return f"{number(count / scale)} {unit}"
    return f"{number(count / 2**10)} KiB"


def clock(moment: datetime) -> str:
    """14:05:09, as the clock on the wall shows it"""
    return f"{moment.astimezone(LONDON):%H:%M:%S}"


def moment(at: datetime, now: datetime) -> str:
    """14:05:09; Wed 25 Nov, 14:05 on another day"""
    there, here = at.astimezone(LONDON), now.astimezone(LONDON)
    return clock(at) if there.date() == here.date() else f"{there:%a} {there.day} {there:%b}, {there:%H:%M}"


def since(moment: datetime, now: datetime) -> str:
    return span((now - moment.astimezone(UTC)).total_seconds())


def many(count: float, one: str, several: str) -> str:
    """1 event; 3 events"""
    return f"{number(count)} {one if count == 1 else several}"
