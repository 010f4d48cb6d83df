"""Who is on duty when: by the wall clock of Europe/London, weekends, bank holidays and daylight saving included."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bus.calendar import LONDON
from services.bus.events import HandoverAct, Team
from services.handover_feed.shifts import Duty, next_morning, shift_of, team_on_duty, waits_by_morning
from tests.handover_feed.samples import NIA, act, card, notified
from tests.rooms import FRIDAY_EVENING, london

MOMENTS = st.integers(0, 4 * 365 * 24 * 60).map(lambda minutes: london(2025, 1, 1) + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("at", "team"),
    [
        (london(2026, 11, 23, 8, 29), Team.NIGHT),
        (london(2026, 11, 23, 8, 30), Team.DAY),
        (london(2026, 11, 23, 16, 59), Team.DAY),
        (london(2026, 11, 23, 17, 0), Team.NIGHT),
        (london(2026, 11, 21, 12, 0), Team.NIGHT),  # a Saturday
        (london(2026, 12, 25, 12, 0), Team.NIGHT),  # a bank holiday, on a Friday
        (london(2026, 12, 28, 12, 0), Team.NIGHT),  # Boxing Day's substitute, a Monday
        (london(2026, 7, 1, 8, 30), Team.DAY),  # 07:30 UTC
        (datetime(2026, 7, 1, 8, 0, tzinfo=UTC), Team.DAY),
        (datetime(2026, 12, 1, 8, 0, tzinfo=UTC), Team.NIGHT),
    ],
)
def test_the_day_teams_have_their_hours_on_working_days(at: datetime, team: Team) -> None:
    """From 17:00 to 08:30, at weekends and on bank holidays it is the out-of-hours team's."""
    assert team_on_duty(at) is team


def test_a_weekend_is_one_night() -> None:
    """Its shift is named after the evening on which it began, and ends on the next working day."""
    for at in (london(2026, 11, 20, 17, 0), london(2026, 11, 22, 3, 0), london(2026, 11, 23, 8, 29)):
        shift = shift_of(at)
        assert (shift.shift_id, shift.team) == ("NIGHT-2026-11-20", Team.NIGHT)
        assert (shift.began_at, shift.ends_at) == (london(2026, 11, 20, 17, 0), london(2026, 11, 23, 8, 30))


def test_christmas_is_one_night_too() -> None:
    """Thursday evening to Tuesday morning: 25 December, a weekend, and Boxing Day's substitute."""
    assert shift_of(london(2026, 12, 26, 9, 0)).ends_at == london(2026, 12, 29, 8, 30)


@pytest.mark.parametrize(
    ("evening", "hours"), [((2026, 3, 27), 62.5), ((2026, 10, 23), 64.5), ((2026, 11, 20), 63.5)], ids=str
)
def test_a_night_in_which_the_clocks_change_is_as_long_as_it_is(evening: tuple[int, int, int], hours: float) -> None:
    """The clocks go forward or back on a Sunday at 01:00 UTC; the shift still ends at 08:30 by the wall."""
    shift = shift_of(london(*evening, 17, 0))
    assert shift.ends_at - shift.began_at == timedelta(hours=hours)
    assert shift.ends_at.astimezone(LONDON).time() == time(8, 30)


@given(MOMENTS)
def test_every_moment_is_in_exactly_one_shift(at: datetime) -> None:
    """Shifts follow each other without a gap, the other side's next."""
    shift = shift_of(at)
    assert shift.began_at <= at < shift.ends_at
    assert shift.team is team_on_duty(at)
    following = shift_of(shift.ends_at)
    assert (following.began_at, following.team is shift.team) == (shift.ends_at, False)
    assert shift_of(shift.ends_at - timedelta(microseconds=1)) == shift


@given(MOMENTS)
def test_the_next_morning_is_the_beginning_of_a_day(at: datetime) -> None:
    """The day's teams begin then, and have not begun before."""
    morning = next_morning(at)
    assert morning > at
    assert shift_of(morning).began_at == morning
    assert team_on_duty(morning) is Team.DAY


def test_hours_are_configured() -> None:
    """An authority whose day begins at 09:00 and ends at 17:30."""
    duty = Duty(time(9, 0), time(17, 30))
    assert team_on_duty(london(2026, 11, 23, 8, 45), duty) is Team.NIGHT
    assert shift_of(london(2026, 11, 23, 17, 15), duty).ends_at == london(2026, 11, 23, 17, 30)
    with pytest.raises(ValueError, match="before"):
        Duty(time(17, 0), time(8, 30))


@pytest.mark.parametrize(("day_from", "said"), [("18:30", "must be after the day"), ("half past eight", "DAY_FROM")])
def test_hours_that_cannot_be_are_refused_in_one_sentence(day_from: str, said: str) -> None:
    """Whoever mistypes them reads which setting to change, and no traceback."""
    command = [sys.executable, "-m", "services.cli", "run", "handover-feed"]
    env = os.environ | {"SAFEBUS_BOARD_DAY_FROM": day_from}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert said in done.stderr


def test_what_waits_says_how_long_it_will_have_waited_by_morning() -> None:
    """N7: what was left for the day is shown with the time that it will have waited; what is taken waits no longer."""
    waiting = card(notified())
    assert waits_by_morning(waiting, FRIDAY_EVENING + timedelta(hours=20)) == timedelta(hours=60, minutes=50)
    taken = card(notified(), act(HandoverAct.TAKEN, "notified", by=NIA))
    assert waits_by_morning(taken, FRIDAY_EVENING) is None


def test_a_moment_without_a_time_zone_is_refused() -> None:
    """An hour too early or too late decides who sees to a child."""
    with pytest.raises(ValueError, match="time zone"):
        team_on_duty(datetime(2026, 11, 23, 12, 0))  # noqa: DTZ001
