"""Deadlines in the wall time of schools and teams: DOMAIN.md §2 (Operation Encompass), H9 and H14."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bus.calendar import (
    LONDON,
    SCHOOL_HOURS,
    USUAL,
    Calendar,
    Hours,
    add_hours,
    bank_holidays,
    encompass_due,
    in_holiday,
    is_open,
    local_day,
    next_opening,
    opening_hours_after,
    working_days_after,
)


class Span(NamedTuple):
    first: date
    last: date


def london(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=LONDON).astimezone(UTC)


SCHOOL = Calendar(
    SCHOOL_HOURS,
    closed_days=(Span(date(2026, 11, 30), date(2026, 11, 30)),),  # an inset Monday
    terms=(
        Span(date(2026, 9, 2), date(2026, 10, 23)),
        Span(date(2026, 11, 2), date(2026, 12, 18)),
        Span(date(2027, 1, 4), date(2027, 2, 12)),
        Span(date(2027, 2, 22), date(2027, 4, 2)),
        Span(date(2027, 4, 12), date(2027, 5, 28)),
        Span(date(2027, 6, 7), date(2027, 7, 21)),
        Span(date(2027, 9, 2), date(2027, 10, 22)),
    ),
)
ROUND_THE_CLOCK = Calendar(tuple(Hours(weekday, "00:00", "24:00") for weekday in range(1, 8)))


@pytest.mark.parametrize(
    ("aware_at", "due"),
    [
        pytest.param(london(2026, 11, 20, 19, 40), london(2026, 11, 23, 8, 45), id="Friday evening: Monday's opening"),
        pytest.param(london(2026, 11, 24, 6, 0), london(2026, 11, 24, 8, 45), id="before opening: that same morning"),
        pytest.param(london(2026, 11, 24, 0, 0), london(2026, 11, 24, 8, 45), id="midnight belongs to the new day"),
        pytest.param(london(2026, 11, 24, 8, 45), london(2026, 11, 24, 15, 15), id="at opening: leaving time"),
        pytest.param(london(2026, 11, 24, 15, 14), london(2026, 11, 24, 15, 15), id="in school hours: leaving time"),
        pytest.param(london(2026, 11, 24, 15, 15), london(2026, 11, 25, 8, 45), id="at leaving time: tomorrow"),
        pytest.param(london(2026, 11, 27, 19, 40), london(2026, 12, 1, 8, 45), id="inset Monday: Tuesday"),
        pytest.param(london(2026, 10, 23, 19, 40), london(2026, 11, 2, 8, 45), id="half term, clocks back within"),
        pytest.param(london(2026, 12, 18, 19, 40), london(2027, 1, 4, 8, 45), id="Christmas"),
        pytest.param(london(2027, 3, 25, 19, 40), london(2027, 3, 30, 8, 45), id="Easter, clocks forward within"),
        pytest.param(london(2027, 4, 30, 19, 40), london(2027, 5, 4, 8, 45), id="May bank holiday"),
        pytest.param(london(2027, 8, 10, 12, 0), london(2027, 9, 2, 8, 45), id="summer"),
    ],
)
def test_h9_an_alert_is_due_by_leaving_time_in_school_hours_and_else_by_the_next_school_days_opening(
    aware_at: datetime, due: datetime
) -> None:
    """H9, DOMAIN.md §2: the clock starts when the police become aware; weekends, bank holidays, inset days and terms
    count; the wall time of opening is kept across a change of the clocks."""
    assert encompass_due(aware_at, SCHOOL) == due


def test_opening_is_another_utc_hour_after_the_clocks_change() -> None:
    """Between Friday and Monday the clocks go back: 08:45 on the wall is 08:45 UTC on Monday, and was 07:45 before."""
    friday = datetime(2026, 10, 23, 5, 0, tzinfo=UTC)
    assert encompass_due(friday, USUAL) == datetime(2026, 10, 23, 7, 45, tzinfo=UTC)
    assert encompass_due(friday + timedelta(hours=15), USUAL) == datetime(2026, 10, 26, 8, 45, tzinfo=UTC)


def test_the_local_day_decides_not_the_utc_day() -> None:
    """00:30 on a Monday in summer is still Sunday in UTC; the school opens that morning, and day one is Tuesday."""
    at = datetime(2027, 6, 13, 23, 30, tzinfo=UTC)
    assert encompass_due(at, SCHOOL) == london(2027, 6, 14, 8, 45)
    assert working_days_after(at, 1) == london(2027, 6, 15, 17, 0)


def test_the_day_is_londons() -> None:
    """Half past midnight in summer is still yesterday in UTC."""
    assert local_day(london(2027, 7, 2, 0, 30)) == date(2027, 7, 2)


@pytest.mark.parametrize("at", [datetime.min.replace(tzinfo=UTC), datetime(1, 1, 1, 9, tzinfo=UTC)])
def test_a_time_that_stands_for_none_has_a_deadline_that_is_long_past(at: datetime) -> None:
    """Some systems send 0001-01-01 for a time that they do not know: it is escalated at once rather than lost."""
    for due in (encompass_due(at, USUAL), working_days_after(at, 1), opening_hours_after(at, 4, USUAL)):
        assert due.year == 1


def test_at_the_very_moment_of_opening_the_next_opening_is_tomorrows() -> None:
    """The next opening lies strictly after the moment asked about."""
    assert next_opening(london(2026, 11, 24, 8, 45), USUAL) == london(2026, 11, 25, 8, 45)


def test_without_terms_every_weekday_that_is_no_bank_holiday_or_closed_day_is_a_school_day() -> None:
    """Christmas 2026 falls on a Friday, Boxing Day on a Saturday and its substitute on Monday: Tuesday is next."""
    assert next_opening(london(2026, 12, 24, 20, 0), USUAL) == london(2026, 12, 29, 8, 45)
    closed = replace(USUAL, closed_days=(Span(date(2026, 12, 29), date(2027, 1, 3)),))
    assert next_opening(london(2026, 12, 24, 20, 0), closed) == london(2027, 1, 4, 8, 45)


def test_beyond_the_listed_terms_a_deadline_comes_early_rather_than_never() -> None:
    """A list of terms that has run out, or begins later, says nothing: the next weekday is due, and escalates."""
    one_term = replace(USUAL, terms=(Span(date(2026, 9, 2), date(2026, 10, 23)),))
    assert next_opening(london(2026, 10, 23, 19, 40), one_term) == london(2026, 10, 26, 8, 45)
    assert next_opening(london(2026, 8, 4, 12, 0), one_term) == london(2026, 8, 5, 8, 45)


def test_hours_that_nobody_can_read_do_not_keep_an_alert_back() -> None:
    """Missing and misspelt hours count as the usual ones; a readable entry beside a misspelt one holds."""
    for hours in ((), (Hours(1, "8.45", "15:15"),), (Hours(1, "15:15", "08:45"),), (Hours(1, "08:45", "24:30"),)):
        assert next_opening(london(2026, 11, 20, 19, 40), Calendar(hours)) == london(2026, 11, 23, 8, 45)
    mixed = Calendar((Hours(1, "soon", "later"), Hours(2, "09:00", "15:00")))
    assert encompass_due(london(2026, 11, 20, 19, 40), mixed) == london(2026, 11, 24, 9, 0)


def test_a_school_that_never_opens_has_no_next_opening_and_yet_a_deadline() -> None:
    """Closed days without end: `next_opening` is None, the alert is due by the usual calendar."""
    shut = replace(USUAL, closed_days=(Span(date(2020, 1, 1), date(2099, 12, 31)),))
    at = london(2026, 11, 20, 19, 40)
    assert next_opening(at, shut) is None
    assert encompass_due(at, shut) == london(2026, 11, 23, 8, 45)
    assert opening_hours_after(at, 1, shut) == london(2026, 11, 23, 9, 45)


@pytest.mark.parametrize(
    ("at", "holiday"),
    [
        pytest.param(london(2026, 11, 20, 19, 40), False, id="an ordinary weekend"),
        pytest.param(london(2027, 4, 30, 19, 40), False, id="a bank holiday weekend"),
        pytest.param(london(2027, 3, 25, 19, 40), False, id="Easter's four days, on Thursday evening"),
        pytest.param(london(2027, 3, 28, 12, 0), False, id="Easter's four days, on Sunday"),
        pytest.param(london(2026, 10, 23, 15, 14), False, id="the last minutes before half term"),
        pytest.param(london(2026, 10, 23, 15, 15), True, id="everybody left for half term"),
        pytest.param(london(2026, 10, 28, 12, 0), True, id="the Wednesday of half term"),
        pytest.param(london(2026, 11, 1, 23, 59), True, id="the last evening of half term"),
        pytest.param(london(2026, 11, 2, 6, 0), False, id="the first day back, before opening"),
        pytest.param(london(2026, 12, 25, 9, 0), True, id="Christmas"),
        pytest.param(london(2027, 8, 10, 12, 0), True, id="summer"),
    ],
)
def test_h9_a_holiday_is_a_break_of_more_than_a_long_weekend_and_holds_to_its_last_evening(
    at: datetime, holiday: bool
) -> None:
    """H9: in holidays an alert goes to named cover; the four days of Easter are no holiday, a half term is."""
    assert in_holiday(at, SCHOOL) is holiday


def test_how_long_a_weekend_may_be_is_configurable() -> None:
    """With three days the four of Easter become a holiday."""
    assert in_holiday(london(2027, 3, 28, 12, 0), SCHOOL, longest_weekend=3)


def test_the_mash_is_open_in_office_hours_and_the_night_team_always() -> None:
    """In hours the front door is the MASH; on a bank holiday, at night and at weekends it is not, the night team is."""
    mash = Calendar(tuple(Hours(weekday, "09:00", "17:30") for weekday in range(1, 6)))
    assert is_open(london(2026, 11, 20, 9, 0), mash)
    assert not is_open(london(2026, 11, 20, 17, 30), mash)
    for at in (london(2026, 11, 20, 19, 40), london(2026, 11, 22, 12, 0), london(2026, 12, 25, 12, 0)):
        assert not is_open(at, mash)
        assert is_open(at, ROUND_THE_CLOCK)


def test_working_days_count_from_the_day_after_and_skip_weekends_and_bank_holidays() -> None:
    """Working Together: within one working day, which ends at 17:00 London time."""
    assert working_days_after(london(2026, 11, 20, 10, 0), 1) == london(2026, 11, 23, 17, 0)
    assert working_days_after(london(2026, 11, 21, 10, 0), 1) == london(2026, 11, 23, 17, 0)
    assert working_days_after(london(2026, 12, 24, 10, 0), 2) == london(2026, 12, 30, 17, 0)
    assert working_days_after(london(2027, 3, 24, 23, 30), 2) == london(2027, 3, 30, 17, 0)
    with pytest.raises(ValueError, match="at least one day"):
        working_days_after(london(2026, 11, 20), 0)


def test_h14_red_runs_by_the_clock() -> None:
    """H14: four hours are four hours, also across the night in which the clocks go forward."""
    assert add_hours(london(2027, 3, 27, 23, 0), 4) == london(2027, 3, 28, 4, 0)


def test_h14_amber_and_green_run_by_opening_hours() -> None:
    """H14: only hours in which the organisation is there are counted, overlapping entries once."""
    friday = london(2026, 11, 20, 14, 15)
    assert opening_hours_after(friday, 1, USUAL) == london(2026, 11, 20, 15, 15)
    assert opening_hours_after(friday, 2, USUAL) == london(2026, 11, 23, 9, 45)
    assert opening_hours_after(london(2026, 11, 21), 2, USUAL) == london(2026, 11, 23, 10, 45)
    lunch = Calendar((Hours(1, "09:00", "12:00"), Hours(1, "13:00", "17:00"), Hours(1, "11:00", "12:00")))
    assert opening_hours_after(london(2026, 11, 23, 8, 0), 4, lunch) == london(2026, 11, 23, 14, 0)
    assert opening_hours_after(friday, 24, ROUND_THE_CLOCK) == add_hours(friday, 24)


def test_a_moment_without_a_time_zone_is_refused() -> None:
    """A naive moment would silently be read as the server's own wall time."""
    naive = datetime(2026, 11, 20, 19, 40)  # noqa: DTZ001
    with pytest.raises(ValueError, match="time zone"):
        encompass_due(naive, USUAL)
    with pytest.raises(ValueError, match="time zone"):
        add_hours(naive, 1)
    with pytest.raises(ValueError, match="time zone"):
        working_days_after(naive, 1)


moments = st.datetimes(datetime(2024, 1, 1), datetime(2029, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
wall_times = st.integers(5 * 60, 20 * 60).map(lambda m: f"{m // 60:02}:{m % 60:02}")


@st.composite
def schools(draw: st.DrawFn) -> Calendar:
    """Any school that opens on at least one weekday, with some closed days."""
    weekdays = draw(st.sets(st.integers(1, 7), min_size=1))
    opens, closes = sorted(draw(st.lists(wall_times, min_size=2, max_size=2, unique=True)))
    first_closed = draw(st.dates(date(2024, 1, 1), date(2029, 12, 31)))
    closed = Span(first_closed, first_closed + timedelta(days=draw(st.integers(0, 60))))
    return Calendar(tuple(Hours(weekday, opens, closes) for weekday in sorted(weekdays)), closed_days=(closed,))


@given(moments, schools())
def test_the_next_opening_is_later_on_an_open_day_at_the_wall_time_of_opening(at: datetime, school: Calendar) -> None:
    """Whatever the moment and the school: strictly after it, never on a closed day, in either half of the year."""
    opening = next_opening(at, school)
    assert opening is not None
    assert opening > at
    assert opening.tzinfo is UTC
    local = opening.astimezone(LONDON)
    [hours] = [hours for hours in school.weekly_hours if hours.weekday == local.isoweekday()]
    assert f"{local:%H:%M}" == hours.opens
    assert local.date() not in bank_holidays(local.year)
    assert not any(span.first <= local.date() <= span.last for span in school.closed_days)


@given(moments, moments, schools())
def test_who_knows_later_may_act_later_never_earlier(one: datetime, other: datetime, school: Calendar) -> None:
    """Openings, Encompass's deadline and deadlines in opening hours are monotone in the moment they start from."""
    earlier, later = sorted((one, other))
    first, second = next_opening(earlier, school), next_opening(later, school)
    assert first is not None
    assert second is not None
    assert first <= second
    assert earlier < encompass_due(earlier, school) <= encompass_due(later, school)
    assert opening_hours_after(earlier, 10, school) <= opening_hours_after(later, 10, school)


@given(moments, schools())
def test_between_now_and_the_next_opening_nobody_arrives(at: datetime, school: Calendar) -> None:
    """No earlier opening is passed over: asked again a second before it, the answer is the same."""
    opening = next_opening(at, school)
    assert opening is not None
    assert next_opening(max(at, opening - timedelta(seconds=1)), school) == opening
    assert is_open(opening, school)
