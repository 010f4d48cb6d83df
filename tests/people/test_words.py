"""Codes and moments in words, for every site of named people."""

from __future__ import annotations

from datetime import UTC, datetime

from services.people import words

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def test_a_moment_that_no_calendar_has_breaks_no_page() -> None:
    """Some systems send 0001-01-01 for none, and one such entry would hide every other of its list."""
    for at in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        assert words.moment(at)
        assert words.clock(at)
        assert words.by_when(at, NOW)
        assert words.by_when_in_full(at, NOW)
    assert words.by_when_in_full(datetime.min.replace(tzinfo=UTC), NOW) == words.NO_TIME
