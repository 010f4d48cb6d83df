"""The reconciliation can fail: each way in which an event is lost, repeated or out of order is found and named."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest

from services.bus.events import HealthUpdated, PoliceNotified
from tests.soak.ledger import FRONT_DOOR, Owed
from tests.soak.memory import trend
from tests.soak.reconcile import Entry, Seen, Told, findings

MASH, PRACTICE, CHILD = "mash:825", "practice:K82001", "child-1"
NOTIFIED, UPDATED = PoliceNotified.topic, HealthUpdated.topic


@pytest.fixture
def seen() -> Seen:
    """One incident, two decisions about its child, and all that had to come of them."""
    log = [
        Told("d-1", NOTIFIED, MASH, CHILD, "incident-1", 0, 10),
        Told("d-2", UPDATED, PRACTICE, CHILD, "decision-1", 0, 4),
        Told("d-3", UPDATED, PRACTICE, CHILD, "decision-2", 0, 9),
    ]
    return Seen(
        owed={
            Owed(NOTIFIED, FRONT_DOOR, CHILD, "incident-1"),
            Owed(UPDATED, PRACTICE, CHILD, "decision-1"),
            Owed(UPDATED, PRACTICE, CHILD, "decision-2"),
        },
        log=log,
        inboxes={MASH: [Entry(1, "d-1", NOTIFIED)], PRACTICE: [Entry(1, "d-2", UPDATED), Entry(2, "d-3", UPDATED)]},
        streamed={MASH: [("e", 1, "d-1")], PRACTICE: [("e", 1, "d-2"), ("e", 2, "d-3")]},
        decisions={CHILD: ["decision-1", "decision-2"]},
        malformed={"broken-1"},
        letters=[("broken-1", "undecodable")],
        receipts={"d-1"},
        deadlines={"x-1": "d-1", "x-2": "d-2"},
        met=["x-1"],
        missed=["x-2"],
        all_due=True,
    )


def never_said(seen: Seen) -> None:
    del seen.log[1], seen.inboxes[PRACTICE], seen.streamed[PRACTICE]


def said_twice(seen: Seen) -> None:
    seen.log.append(replace(seen.log[0], disclosure_id="d-9", offset=11))


def lost_from_the_inbox(seen: Seen) -> None:
    seen.inboxes[PRACTICE].pop()


def twice_in_the_inbox(seen: Seen) -> None:
    seen.inboxes[PRACTICE].append(Entry(3, "d-3", UPDATED))


def a_number_left_out(seen: Seen) -> None:
    seen.inboxes[PRACTICE][1] = Entry(3, "d-3", UPDATED)


def to_somebody_else(seen: Seen) -> None:
    seen.inboxes["school:1"] = [Entry(1, "d-3", UPDATED)]
    seen.inboxes[PRACTICE].pop()


def out_of_order(seen: Seen) -> None:
    seen.inboxes[PRACTICE] = [Entry(1, "d-3", UPDATED), Entry(2, "d-2", UPDATED)]


def another_order_of_decisions(seen: Seen) -> None:
    seen.decisions[CHILD].reverse()


def left_out_of_the_stream(seen: Seen) -> None:
    seen.streamed[PRACTICE].pop()


def a_dead_letter_too_few(seen: Seen) -> None:
    seen.letters.clear()


def a_dead_letter_too_many(seen: Seen) -> None:
    seen.letters.append(("incident-1", "refused"))


def read_and_not_met(seen: Seen) -> None:
    seen.met, seen.missed = [], ["x-1", "x-2"]


def a_deadline_forgotten(seen: Seen) -> None:
    seen.missed.clear()


def met_twice(seen: Seen) -> None:
    seen.met *= 2


def test_what_came_out_even_is_found_to_be_even(seen: Seen) -> None:
    """No finding where nothing is wrong."""
    assert findings(seen) == []


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (never_said, "lost: nobody was told: 1"),
        (said_twice, "told twice, under two ids: 1"),
        (lost_from_the_inbox, "in no inbox: 1, d-3"),
        (twice_in_the_inbox, "in an inbox twice: 1, d-3"),
        (a_number_left_out, "has a gap"),
        (to_somebody_else, "in an inbox of somebody else: 1, d-3"),
        (out_of_order, "out of order in the inbox of practice:K82001"),
        (another_order_of_decisions, "decisions out of order"),
        (left_out_of_the_stream, "the stream of practice:K82001 gave 1 entries"),
        (a_dead_letter_too_few, "malformed and no dead letter: 1, broken-1"),
        (a_dead_letter_too_many, "a dead letter without need: 1"),
        (read_and_not_met, "read, yet its deadline is not met: 1, x-1"),
        (a_deadline_forgotten, "a deadline that has passed and was forgotten: 1, x-2"),
        (met_twice, "a deadline met twice: 1, x-1"),
    ],
)
def test_each_fault_is_found(seen: Seen, fault: Callable[[Seen], None], named: str) -> None:
    """One thing dropped, doubled or moved: the finding says what."""
    broken = deepcopy(seen)
    fault(broken)
    assert any(named in finding for finding in findings(broken)), findings(broken)


def test_growth_is_told_from_what_comes_and_goes() -> None:
    """A leak of 1 MiB a second is growth; 20 MiB that come and go are not; half a minute says nothing."""
    steady = [(float(at), 120.0 + 20 * (at % 7 == 0)) for at in range(0, 600, 2)]
    leak = [(float(at), 120.0 + at) for at in range(0, 600, 2)]
    assert not trend("steady", steady, 140).grows
    assert trend("leak", leak, 720).grows
    assert trend("short", leak[:15], 150).slope is None
