"""Dates that nobody meant, in any field of an event or of a child's record: whoever must know is told all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from services.bus.directory import Directory
from services.bus.envelope import Event
from services.bus.errors import Unfit
from services.bus.events import ChildRecorded
from services.bus.service import Service, View
from services.deadlines.wiring import SERVICE as DEADLINES
from services.encompass_alerts.wiring import SERVICE as ENCOMPASS_ALERTS
from services.gp_updates.wiring import SERVICE as GP_UPDATES
from services.mash_outcomes.wiring import SERVICE as MASH_OUTCOMES
from services.police_notifications.wiring import SERVICE as POLICE_NOTIFICATIONS
from services.strategy_minutes.wiring import SERVICE as STRATEGY_MINUTES
from tests.deadlines import test_decide as deadlines
from tests.encompass_alerts import samples as school
from tests.gp_updates import test_decide as health
from tests.mash_outcomes import samples as mash
from tests.police_notifications import samples as police
from tests.rooms import FRIDAY_EVENING, decide
from tests.strategy_minutes import test_decide as strategy

MOMENTS = (
    datetime.min.replace(tzinfo=UTC),  # some systems send it for none
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2999, 1, 1, tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
)
DAYS = (date.min, date(1900, 2, 28), date(2999, 1, 1), date.max)

Story = tuple[Service, Event, Directory, Sequence[Event]]
"""A room, what it hears, what it may look up, and what it has heard before."""

NOBODY = police.incident(police.child(about=police.identity(nhs_number=None)))
STORIES: dict[str, Story] = {
    "incident": (POLICE_NOTIFICATIONS, police.incident(), police.county(), ()),
    "incident about nobody": (POLICE_NOTIFICATIONS, NOBODY, police.county(), ()),
    "answer": (POLICE_NOTIFICATIONS, police.answer(), police.county(), [NOBODY]),
    "notification to schools": (ENCOMPASS_ALERTS, school.notified(), school.county(), ()),
    "notification of an enquiry": (MASH_OUTCOMES, mash.notified(), mash.county(), ()),
    "contact": (MASH_OUTCOMES, mash.contact(), mash.county(), ()),
    "late contact": (MASH_OUTCOMES, mash.contact(), mash.county(), [mash.decision()]),
    "decision": (MASH_OUTCOMES, mash.decision(), mash.county(), [mash.contact()]),
    "request": (MASH_OUTCOMES, mash.requested(), mash.county(), ()),
    "cue": (GP_UPDATES, health.cue(), mash.county(), ()),
    "meeting": (STRATEGY_MINUTES, strategy.meeting(), mash.county(), ()),
    "minutes": (STRATEGY_MINUTES, strategy.minutes(), mash.county(), [strategy.meeting()]),
    "deadline": (DEADLINES, deadlines.expected(), mash.county(), ()),
    "receipt": (DEADLINES, deadlines.read(FRIDAY_EVENING), mash.county(), [deadlines.expected()]),
}
SINCE = date(2026, 1, 1)
RECORDS: dict[str, tuple[Service, Event, Callable[..., Directory], ChildRecorded]] = {
    "incident": (POLICE_NOTIFICATIONS, police.incident(), police.county, police.record()),
    "notification": (ENCOMPASS_ALERTS, school.notified(), school.county, school.maya(school.at_school(since=SINCE))),
    "decision": (MASH_OUTCOMES, mash.decision(), mash.county, mash.child()),
    "cue": (GP_UPDATES, health.cue(), mash.county, mash.child()),
}
"""A room, what it hears, the county in which a child's record is changed, and that record."""


def extremes(value: Any) -> Iterator[Any]:
    """The same with another moment or day in one of its places."""
    if isinstance(value, datetime):
        yield from MOMENTS
    elif isinstance(value, date):
        yield from DAYS
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            for other in extremes(getattr(value, name)):
                yield value.model_copy(update={name: other})
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from ([*value[:index], other, *value[index + 1 :]] for other in extremes(one))


@pytest.mark.parametrize("name", STORIES)
def test_no_date_of_an_event_breaks_a_room(name: str) -> None:
    """Nobody goes untold because a clock was wrong: an error of ours would be a dead letter that names no field."""
    service, event, directory, before = STORIES[name]
    view: View | None = None
    for earlier in before:
        _, view = decide(service, earlier, directory, view)
    others = list(extremes(event))
    assert others or name == "answer"
    for other in others:
        decided(service, other.enveloped(event.envelope), directory, view)


@pytest.mark.parametrize("name", RECORDS)
def test_no_date_of_the_directory_breaks_a_room(name: str) -> None:
    """Registered since the year 1, until 9999, born next century: whoever else must know is told."""
    service, event, county, record = RECORDS[name]
    registered = [held.model_copy(update={"since": SINCE, "until": date(2027, 1, 1)}) for held in record.registrations]
    for other in extremes(record.model_copy(update={"registrations": registered})):
        decided(service, event, county(other), None)


def decided(service: Service, event: Event, directory: Directory, view: View | None) -> None:
    """Decide, remember, put away and say when to be woken."""
    try:
        _, after = decide(service, event, directory, view)
    except Unfit:  # a reason in words
        return
    if after:
        again = type(after).model_validate_json(after.model_dump_json(exclude_defaults=True))
        assert again == after
        assert again.alarm is None or isinstance(again.alarm.timestamp(), float)
