"""When a school, a team or a surgery is open, and what is due by then.

Pure: every function takes the moment it is about. Moments are UTC going in and coming out, a naive one is refused; in
between it reckons in the wall time of Europe/London, daylight saving included.

How a day is judged:

- It is open when the organisation has hours on that weekday and it is neither a bank holiday in England, nor among its
  closed days, nor between its terms. An organisation that keeps 00:00 to 24:00 does not close on bank holidays.
- A list of terms speaks only for the days from its first to its last; before and after them nothing is known, so every
  day may be a school day. A deadline that is too early is escalated and seen; one that is missing is not.
- Hours that nobody gave or nobody can read count as SCHOOL_HOURS: a misspelt opening time must not keep an alert back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

import holidays

LONDON = ZoneInfo("Europe/London")
HORIZON = 400
"""Days. Whoever does not open within so many days has no next opening."""
ALL_DAY = (0, 24 * 60)


def local(at: datetime) -> datetime | None:
    """As London's clocks show it; None outside the calendar, such as 0001-01-01, which some systems send for none."""
    try:
        return at.astimezone(LONDON)
    except (OverflowError, ValueError):
        return None


def local_day(at: datetime) -> date:
    """The date in Europe/London at that moment; outside the calendar UTC's, so that there always is a deadline."""
    return (local(_aware(at)) or at).date()


class HoursLike(Protocol):
    """One opening on one weekday: 1 is Monday; `opens` and `closes` are local `HH:MM`, at the latest 24:00."""

    @property
    def weekday(self) -> int: ...
    @property
    def opens(self) -> str: ...
    @property
    def closes(self) -> str: ...


class SpanLike(Protocol):
    """From the date `first` to the date `last`, both included."""

    @property
    def first(self) -> date: ...
    @property
    def last(self) -> date: ...


class Organisation(Protocol):
    """The part of OrganisationRecorded that says when somebody is there."""

    @property
    def weekly_hours(self) -> Sequence[HoursLike]: ...
    @property
    def closed_days(self) -> Sequence[SpanLike]: ...
    @property
    def terms(self) -> Sequence[SpanLike]: ...


@dataclass(frozen=True, slots=True)
class Hours:
    weekday: int
    opens: str
    closes: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """An organisation that keeps these hours on every weekday that is no bank holiday."""

    weekly_hours: tuple[Hours, ...]
    closed_days: tuple[SpanLike, ...] = ()
    terms: tuple[SpanLike, ...] = ()


SCHOOL_HOURS = tuple(Hours(weekday, "08:45", "15:15") for weekday in range(1, 6))
SURGERY_HOURS = tuple(Hours(weekday, "08:00", "18:30") for weekday in range(1, 6))
"""The core hours of a GP practice (NHS general medical services contract)."""
USUAL = Calendar(SCHOOL_HOURS)


def encompass_due(aware_at: datetime, school: Organisation) -> datetime:
    """By when an Operation Encompass alert must have been read (Domestic Abuse Act 2021 s.49A; DOMAIN.md §2 and H9).

    The clock starts when the police become aware. In school hours: that day's leaving time. Otherwise the start of the
    next school day, which on a school day before opening is that same morning. A school that opens on no day within
    the horizon is treated as one that keeps SCHOOL_HOURS, for there must be a deadline.
    """
    today = _openings(school)(local_day(aware_at))
    if today and today[0][0] <= aware_at < _leaving(today):
        return _leaving(today)
    due = next_opening(aware_at, school) or next_opening(aware_at, USUAL)
    if due is None:
        raise ValueError("the usual calendar has no open day")
    return due


def next_opening(at: datetime, organisation: Organisation) -> datetime | None:
    """The start of the first day that begins after `at`; None if there is none within the horizon."""
    first, openings = local_day(at), _openings(organisation)
    for days in range(HORIZON + 1):
        today = openings(first + timedelta(days=days))
        if today and today[0][0] > at:
            return today[0][0]
    return None


def is_open(at: datetime, organisation: Organisation) -> bool:
    """Whether somebody is there at that very moment: the MASH, or else its out-of-hours team."""
    return any(opens <= at < closes for opens, closes in _openings(organisation)(local_day(at)))


def in_holiday(at: datetime, organisation: Organisation, *, longest_weekend: int = 4) -> bool:
    """Whether an alert at that moment goes to the named cover (H9).

    True from the last day's leaving time until midnight before the first day back, when more than `longest_weekend`
    whole days are closed in between: a half term, but not the four days of Easter. One answer for the whole break, so
    that its last Sunday is holiday as much as its Wednesday. Up to leaving time a school day is never holiday.
    """
    today, openings = local_day(at), _openings(organisation)
    hours = openings(today)
    if hours and at < _leaving(hours):
        return False
    closed = 0 if hours else 1
    for step in (1,) if hours else (1, -1):
        day = today + timedelta(days=step)
        while closed <= longest_weekend and not openings(day):
            closed += 1
            day += timedelta(days=step)
    return closed > longest_weekend


def working_days_after(at: datetime, days: int, *, closes: time = time(17, 0)) -> datetime:
    """The end (`closes`, local) of the `days`th working day after that of `at`, weekends and bank holidays not counted.

    Raises:
        ValueError: fewer than one day.
    """
    if days < 1:
        raise ValueError("a deadline in working days needs at least one day")
    return _end_of_working_day(local_day(at), days, closes)


@lru_cache(maxsize=4096)
def _end_of_working_day(day: date, days: int, closes: time) -> datetime:
    while days:
        day += timedelta(days=1)
        days -= day.isoweekday() < 6 and day not in bank_holidays(day.year)
    return datetime.combine(day, closes, LONDON).astimezone(UTC)


def add_hours(at: datetime, hours: float) -> datetime:
    """So many hours later by the clock, whoever sleeps: red priority (H14). Daylight saving changes nothing."""
    return _aware(at).astimezone(UTC) + timedelta(hours=hours)


def opening_hours_after(at: datetime, hours: float, organisation: Organisation) -> datetime:
    """When the organisation will have been open for so many hours since `at`: amber and green priority (H14).

    An organisation that is open for less than that within the horizon is treated as one that keeps SCHOOL_HOURS.
    """
    for calendar in (organisation, USUAL):
        left, reached = timedelta(hours=hours), _aware(at).astimezone(UTC)
        for opens, closes in _openings_from(local_day(at), calendar):
            start = max(opens, reached)
            if start + left <= closes:
                return start + left
            if start < closes:
                left -= closes - start
                reached = closes
    raise ValueError("more opening hours than the usual calendar holds within the horizon")


@cache
def bank_holidays(year: int) -> frozenset[date]:
    """The bank holidays of England in that year, substitute days included."""
    return frozenset(holidays.country_holidays("GB", subdiv="ENG", years=year))


def minutes_of(wall_time: str) -> int | None:
    """Minutes since midnight of `HH:MM`, 00:00 to 24:00; None if it is no such time."""
    hours, colon, minutes = wall_time.partition(":")
    if not (colon and len(hours) == len(minutes) == 2 and (hours + minutes).isascii() and (hours + minutes).isdigit()):
        return None
    total = int(hours) * 60 + int(minutes)
    return total if int(minutes) < 60 and total <= ALL_DAY[1] else None


@lru_cache(maxsize=1024)
def opening_minutes(opens: str, closes: str) -> tuple[int, int] | None:
    """Both ends of an opening as minutes since midnight; None unless both are times and the first is the earlier."""
    start, end = minutes_of(opens), minutes_of(closes)
    return (start, end) if start is not None and end is not None and start < end else None


def _openings(organisation: Organisation) -> Callable[[date], Sequence[tuple[datetime, datetime]]]:
    """When the organisation opens and closes on a local date, UTC, in order; empty when it stays closed."""
    hours = tuple([(hours.weekday, hours.opens, hours.closes) for hours in organisation.weekly_hours])
    closed = organisation.closed_days

    def on(day: date) -> Sequence[tuple[datetime, datetime]]:
        if (closed and any(span.first <= day <= span.last for span in closed)) or _between_terms(day, organisation):
            return ()
        return _openings_of_week(day, hours)

    return on


@lru_cache(maxsize=16_384)
def _openings_of_week(day: date, hours: tuple[tuple[int, str, str], ...]) -> Sequence[tuple[datetime, datetime]]:
    """Most schools of an area keep the same few hours, so this is asked again and again."""
    week = [(weekday, opening_minutes(opens, closes)) for weekday, opens, closes in hours]
    if not any(opening for _, opening in week):
        week = [(own.weekday, opening_minutes(own.opens, own.closes)) for own in SCHOOL_HOURS]
    today = sorted(opening for weekday, opening in week if opening and weekday == day.isoweekday())
    if day in bank_holidays(day.year):
        today = [opening for opening in today if opening == ALL_DAY]
    return tuple((_moment(day, opens), _moment(day, closes)) for opens, closes in today)


def _openings_from(day: date, organisation: Organisation) -> Iterator[tuple[datetime, datetime]]:
    openings = _openings(organisation)
    for days in range(HORIZON + 1):
        yield from openings(day + timedelta(days=days))


def _between_terms(day: date, organisation: Organisation) -> bool:
    terms = organisation.terms
    if not terms or not min(term.first for term in terms) <= day <= max(term.last for term in terms):
        return False
    return not any(term.first <= day <= term.last for term in terms)


def _leaving(openings: Sequence[tuple[datetime, datetime]]) -> datetime:
    return max(closes for _, closes in openings)


def _moment(day: date, minutes: int) -> datetime:
    """That wall time of that local date as UTC; minute 1440 is the next day's midnight."""
    days, minutes = divmod(minutes, ALL_DAY[1])
    local = datetime.combine(day + timedelta(days=days), time(minutes // 60, minutes % 60), LONDON)
    return local.astimezone(UTC)


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a moment without a time zone is not a moment")
    return at
