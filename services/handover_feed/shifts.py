"""Which side of the handover is on duty: the day's teams in their hours on working days, the out-of-hours team else.

Pure: every function takes the moment it is about. Moments are UTC going in and coming out; in between it reckons in the
wall time of Europe/London, daylight saving included (services/bus/calendar.py, bank holidays too).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from services.bus.calendar import HORIZON, LONDON, bank_holidays
from services.bus.events import MatterChanged, Team


@dataclass(frozen=True, slots=True)
class Duty:
    """When the sides change, local times, and how long immediate danger may wait to be taken (H7)."""

    day_from: time = time(8, 30)
    night_from: time = time(17, 0)
    take_within: timedelta = timedelta(minutes=10)

    def __post_init__(self) -> None:
        if self.day_from >= self.night_from:
            raise ValueError("the day must begin before the night does")


DUTY = Duty()


@dataclass(frozen=True, slots=True)
class Shift:
    """From `began_at` until just before `ends_at`, UTC. A weekend is one shift: the night from Friday to Monday."""

    shift_id: str
    """Its side and the local day on which it began, such as NIGHT-2026-11-20."""
    team: Team
    began_at: datetime
    ends_at: datetime


def team_on_duty(at: datetime, duty: Duty = DUTY) -> Team:
    """Who sees to what comes at that moment."""
    local = _local(at)
    day = _works(local.date()) and duty.day_from <= local.time() < duty.night_from
    return Team.DAY if day else Team.NIGHT


def shift_of(at: datetime, duty: Duty = DUTY) -> Shift:
    """The shift that is on at that moment."""
    today, team = _local(at).date(), team_on_duty(at, duty)
    if team is Team.DAY:
        began, ends = _moment(today, duty.day_from), _moment(today, duty.night_from)
    else:
        began, ends = _last_evening(at, duty), next_morning(at, duty)
    return Shift(f"{team.value}-{_local(began).date().isoformat()}", team, began, ends)


def next_morning(at: datetime, duty: Duty = DUTY) -> datetime:
    """When the day's teams begin next, after that moment."""
    for days in range(HORIZON):
        day = _local(at).date() + timedelta(days=days)
        if _works(day) and (morning := _moment(day, duty.day_from)) > at:
            return morning
    raise ValueError("no working day within the horizon")


def waits_by_morning(card: MatterChanged, at: datetime, duty: Duty = DUTY) -> timedelta | None:
    """How long a matter will have waited when the day's teams begin next; None if nothing waits in it."""
    return next_morning(at, duty) - card.waiting_since if card.waiting_since else None


def _last_evening(at: datetime, duty: Duty) -> datetime:
    for days in range(HORIZON):
        day = _local(at).date() - timedelta(days=days)
        if _works(day) and (evening := _moment(day, duty.night_from)) <= at:
            return evening
    raise ValueError("no working day within the horizon")


def _works(day: date) -> bool:
    return day.isoweekday() < 6 and day not in bank_holidays(day.year)


def _moment(day: date, wall: time) -> datetime:
    return datetime.combine(day, wall, LONDON).astimezone(UTC)


def _local(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a moment without a time zone is not a moment")
    return at.astimezone(LONDON)
