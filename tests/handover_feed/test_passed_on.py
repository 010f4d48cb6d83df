"""A worker who may not open a matter passes it on unopened, to the other side or to the on-call manager (H3)."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid5

from services.bus.disclosing import deadline_id
from services.bus.envelope import NAMESPACE
from services.bus.events import (
    DeadlineKind,
    DeadlineMissed,
    DisclosureRead,
    EscalatedBecause,
    EscalationState,
    HandoverAct,
    HandoverActed,
    HandoverEscalated,
    MatterState,
    Team,
)
from tests.handover_feed.samples import (
    DEE,
    MINUTE,
    NIA,
    OLU,
    SERVICE,
    act,
    card,
    danger,
    hear,
    missed,
    notified,
    ring,
    tell,
)
from tests.rooms import FRIDAY_EVENING as AT
from tests.rooms import decide, of

PASSED, TAKEN = HandoverAct.PASSED_ON, HandoverAct.TAKEN


def passed(*facts: str, to: Team | None = None, **changed: object) -> HandoverActed:
    return act(PASSED, *facts, to=to, **({"reason": None, "at": AT + 5 * MINUTE} | changed))  # type: ignore[arg-type]


def test_the_manager_is_paged_at_once_and_the_matter_stays_open() -> None:
    """Nobody waits ten minutes for somebody who is not there; whoever may open it still can."""
    parts, after = decide(SERVICE, passed("notified"), None, tell(notified()))
    [page] = of(HandoverEscalated, parts)
    assert (page.state, page.why) == (EscalationState.DUE, EscalatedBecause.PASSED_ON)
    assert page.happened_at == AT + 5 * MINUTE
    shown = card(notified(), passed("notified"))
    assert (shown.state, shown.team, shown.interrupts) == (MatterState.OPEN, Team.NIGHT, False)
    assert "the on-call manager is to be paged" in (shown.escalation or "")
    again = card(notified(), passed("notified"), hear(page, "page", AT + 5 * MINUTE), before=None)
    assert again.escalation == shown.escalation
    assert after


def test_one_that_was_sent_long_after_it_was_done_asks_all_the_same() -> None:
    """Kafka was away, and the board has said something of danger meanwhile: that is not said again in its place."""
    known = tell(danger())
    _, [due], _ = ring(known, AT + 10 * MINUTE)
    late = passed("danger", at=AT + 5 * MINUTE)
    hear(due, "due", AT + 10 * MINUTE)
    parts, _ = decide(SERVICE, late, None, tell(danger(), due))
    [page] = of(HandoverEscalated, parts)
    assert (page.why, page.happened_at) == (EscalatedBecause.PASSED_ON, AT + 5 * MINUTE)


def test_danger_that_is_passed_on_goes_on_ringing() -> None:
    """It interrupts all the others, and its own ten minutes run from when it came (H7)."""
    known = tell(danger(), passed("danger"))
    assert card(danger(), passed("danger")).interrupts
    assert known.alarm == AT + 10 * MINUTE


def test_the_other_side_has_it_unopened() -> None:
    """As if handed on: it waits there with its whole wait, and can be taken back. Nobody has read it."""
    shown = card(notified(), missed_read(), passed("notified", "missed", to=Team.DAY))
    assert (shown.state, shown.team, shown.handed_on_at) == (MatterState.OPEN, Team.DAY, AT + 5 * MINUTE)
    assert shown.waiting_since == AT
    assert not any(fact.addressed for fact in shown.facts)
    parts, _ = decide(SERVICE, passed("notified", to=Team.DAY), None, tell(notified()))
    assert of(DisclosureRead, parts) == []
    assert of(HandoverEscalated, parts) == []
    back = card(notified(), passed("notified", to=Team.DAY), act(HandoverAct.TAKEN_BACK, by=OLU, at=AT + 6 * MINUTE))
    assert back.team is Team.NIGHT


def missed_read() -> DeadlineMissed:
    """The front door's own reading of the notification is overdue."""
    own = deadline_id(DeadlineKind.NOTIFICATION_READ, str(uuid5(NAMESPACE, "notified")))
    return missed(own, DeadlineKind.NOTIFICATION_READ, at=AT + MINUTE)


def test_what_comes_later_is_for_who_is_on_duty() -> None:
    """It was passed on with what stood there, and with nothing else."""
    later = notified("later", AT + 30 * MINUTE)
    assert card(notified(), passed("notified", to=Team.DAY), later).team is Team.NIGHT


def test_nobody_passes_on_what_another_has() -> None:
    """That one sees to it, and may be on the way."""
    shown = card(notified(), act(TAKEN, "notified", by=OLU), passed("notified"))
    assert "Olu Adeyemi" in (shown.acts[-1].refused or "")
    assert shown.taken_by == OLU
    assert shown.escalation is None


def test_who_has_it_and_finds_out_lets_it_go_by_passing_it_on() -> None:
    """Their hold must not keep it from everybody else."""
    had = (danger(), act(TAKEN, "danger", by=NIA))
    for to in (None, Team.DAY):
        shown = card(*had, passed("danger", to=to))
        assert (shown.state, shown.taken_by) == (MatterState.OPEN, None)
        assert shown.interrupts


def test_the_same_is_not_passed_on_twice() -> None:
    """A second press pages nobody again; something new does."""
    twice = card(notified(), passed("notified"), passed("notified", at=AT + 7 * MINUTE))
    assert "You asked the on-call manager at 19:45" in (twice.acts[-1].refused or "")
    assert card(notified(), passed("notified"), passed("notified", by=OLU, at=AT + 7 * MINUTE)).acts[-1].refused is None
    to_day = (notified(), passed("notified", to=Team.DAY))
    assert card(*to_day, passed("notified", to=Team.DAY, at=AT + 7 * MINUTE)).acts[-1].refused
    assert card(*to_day, passed("notified", to=Team.DAY, by=DEE, at=AT + timedelta(hours=70))).acts[-1].refused
