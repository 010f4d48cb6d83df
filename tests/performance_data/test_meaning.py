"""What the measures mean, by single made-up events: months, repeats, 12 months back, meetings that are put off."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from services.performance_data.counting import count
from services.performance_data.facts import Contacted, Fact, Kept, Matter, Met, Notified, micros
from services.performance_data.measures import Figures
from services.performance_data.pages.shown import shown
from services.performance_data.suppression import for_outside

NOW = datetime(2026, 9, 14, 12, tzinfo=UTC)


def notified(at: datetime, incident: str, child: str = "c", wanted: str = "NO") -> Notified:
    said = micros(at)
    return Notified(
        child, incident, f"d-{incident}-{child}", "police:x", "mash:825", ["NEGLECT"], wanted, False, said, said
    )


def counted(*facts: Fact, months: tuple[date, ...], now: datetime = NOW) -> Figures:
    held = [(str(place), Kept(fact, "t", 0, place)) for place, fact in enumerate(facts)]
    return count(held, months, now)


@pytest.mark.parametrize(
    ("at", "month"),
    [
        (datetime(2026, 3, 31, 22, 59, tzinfo=UTC), date(2026, 3, 1)),
        (datetime(2026, 3, 31, 23, 0, tzinfo=UTC), date(2026, 4, 1)),  # summer time: midnight in London
        (datetime(2026, 1, 31, 23, 59, tzinfo=UTC), date(2026, 1, 1)),
    ],
)
def test_a_month_is_londons(at: datetime, month: date) -> None:
    """An incident at half past midnight on 1 April, summer time, is April's, though it is 31 March by UTC."""
    months = (date(2026, 1, 1), date(2026, 3, 1), date(2026, 4, 1))
    by_day = counted(notified(at, "i"), months=months)["notifications_by_day"]
    assert [total.period for total in by_day.totals if total.count] == [month]


@pytest.mark.parametrize(
    ("earlier", "again"),
    [
        (datetime(2025, 6, 10, 9, tzinfo=UTC), 1),  # a year ago to the day
        (datetime(2025, 6, 9, 9, tzinfo=UTC), 0),
        (datetime(2026, 6, 10, 7, tzinfo=UTC), 1),  # that morning
    ],
)
def test_a_re_referral_is_within_12_calendar_months(earlier: datetime, again: int) -> None:
    """Of the same child, under another enquiry; and the same for incidents."""
    later = notified(datetime(2026, 6, 10, 22, 30, tzinfo=UTC), "second")
    figures = counted(notified(earlier, "first"), later, months=(date(2026, 6, 1),))
    for name in ("re_referrals", "repeat_incidents"):
        [row] = figures[name].rows
        assert isinstance(row.numerator, int)
        assert row.numerator == again


def test_who_is_no_re_referral() -> None:
    """A sibling; another id, as after an adoption (H1); what the force says again; a contact that joins."""
    at = datetime(2026, 6, 10, 9, tzinfo=UTC)
    joins = Contacted("c", "i", "contact", "SCHOOL", None, "RED", False, micros(at + timedelta(days=1)))
    said = [notified(at, "i"), notified(at, "i", child="sibling"), notified(at + timedelta(days=2), "i")]
    figures = counted(*said, joins, notified(at + timedelta(days=3), "j", child="adopted"), months=(date(2026, 6, 1),))
    [row] = figures["re_referrals"].rows
    assert (row.numerator, row.denominator) == (0, 3)


def test_a_discussion_that_was_put_off_was_not_held_when_planned() -> None:
    """A meeting's latest version counts: "when it was held or is to be held"."""
    asked = notified(datetime(2026, 6, 1, 9, tzinfo=UTC), "i", wanted="YES")
    planned, later = (micros(datetime(2026, month, 20, 9, tzinfo=UTC)) for month in (6, 9))
    first, put_off = (Met("m", v, "i", ["c"], False, held) for v, held in ((1, planned), (2, later)))
    month = (date(2026, 6, 1),)
    assert counted(asked, put_off, first, months=month)["strategy_held"].rows[0].numerator == 0
    held_by_then = datetime(2026, 9, 21, tzinfo=UTC)
    assert counted(asked, first, put_off, months=month, now=held_by_then)["strategy_held"].rows[0].numerator == 1


def test_what_nobody_took_at_night_waited_until_the_day() -> None:
    """Two matters went to the day team, one that a worker of the night had taken: the other one shows (N7)."""
    came, took, handed = (micros(datetime(2026, 6, 10, hour, tzinfo=UTC)) for hour in (1, 2, 6))
    left = [Matter("left", 1, "OPEN", "NIGHT", None, None, came, None)]
    left += [Matter("left", 2, "OPEN", "DAY", None, None, came, handed)]
    worked = [Matter("worked", 1, "OPEN", "NIGHT", None, None, came, None)]
    worked += [Matter("worked", 2, "TAKEN", "NIGHT", "NIGHT", took, None, None)]
    worked += [Matter("worked", 3, "OPEN", "DAY", None, None, came, handed)]
    figures = counted(*left, *worked, months=(date(2026, 6, 1),))
    rows = {row.values: row.count for row in figures["night_handed_back"].rows}
    assert rows == {("taken at night",): 1, ("waited until the day",): 1}
    assert figures["night_waited"].total(date(2026, 6, 1)).median == 3600


def test_the_first_year_says_that_repeats_are_too_few() -> None:
    """What was before the log began, or before what a rebuild could read, is no repeat: readers are told."""
    first = notified(datetime(2025, 3, 10, 9, tzinfo=UTC), "i")
    early, late = (shown(counted(first, months=(month,))).cautions for month in (date(2026, 3, 1), date(2026, 4, 1)))
    assert any("re-referrals" in caution and "before March 2025" in caution for caution in early)
    assert not any("re-referrals" in caution for caution in late)
    assert "10 March" not in str(early), "the moment of one incident is told to nobody"


def test_a_month_that_goes_on_is_not_for_passing_on() -> None:
    """Two copies of it, a day apart, could be subtracted; each whole month by itself could not."""
    first = notified(datetime(2025, 3, 10, 9, tzinfo=UTC), "i")
    going_on, over = (
        shown(for_outside(counted(first, months=(month,)))).cautions for month in (date(2026, 9, 1), date(2026, 8, 1))
    )
    assert any("two copies" in caution for caution in going_on)
    assert not any("two copies" in caution for caution in over)
