"""Whom a police notification reaches beyond the front door."""

from __future__ import annotations

from typing import Any

from services.bus.envelope import Event, Held, heard
from services.bus.events import Role, WorkerAlerted, YesNoUnknown
from services.worker_alerts.wiring import SERVICE
from tests.encompass_alerts.samples import adult, county, maya, notified, organisation
from tests.rooms import decide, held, of

TEAM = "care:north"


def answer(worker: str | None = TEAM, **incident: Any) -> list[Event | Held]:
    directory = county(organisation(TEAM, Role.SOCIAL_CARE), maya(allocated_worker=worker))
    return decide(SERVICE, heard(notified(**incident), SERVICE.name), directory)[0]


def test_the_team_that_works_with_the_child_is_told_once_and_by_when() -> None:
    """One alert, to that team alone, due by the next working day."""
    parts = answer()
    (alert,) = of(WorkerAlerted, parts)
    assert len(parts) == 1
    assert alert.disclosure.recipient == TEAM
    assert alert.disclosure.due_by


def test_the_same_notification_gives_the_same_id() -> None:
    """A redelivery can be recognised."""
    assert of(WorkerAlerted, answer())[0].disclosure.id == of(WorkerAlerted, answer())[0].disclosure.id


def test_a_child_without_a_worker_is_no_news() -> None:
    """Nobody is told, and nothing is held."""
    assert answer(worker=None) == []


def test_h3_a_team_where_an_adult_of_concern_works_is_not_told() -> None:
    """H3: a yes goes to a person; where it is not known, the reader declares first."""
    (hold,) = answer(adults_of_concern=[adult(care_north=YesNoUnknown.YES)])
    assert isinstance(hold, Held)
    assert hold.rule == "H3"
    (told,) = of(WorkerAlerted, answer(adults_of_concern=[adult(care_north=YesNoUnknown.UNKNOWN)]))
    assert told.disclosure.declare_no_conflict


def test_h7_a_team_that_is_not_known_is_held() -> None:
    """H7: a worker whose team has no inbox may not pass in silence."""
    assert [hold.rule for hold in held(answer(worker="care:gone"))] == ["H7"]
