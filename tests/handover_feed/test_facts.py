"""Each event as the fact that a card shows: in words, with what is expected, and ended by what ends it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.bus.disclosing import deadline_id
from services.bus.envelope import Event
from services.bus.events import (
    CardFact,
    DeadlineKind,
    FactKind,
    FamilyTold,
    Grading,
    HandoverAct,
    IncidentKind,
    MatterState,
    NoteKind,
    OperatorAct,
    OperatorActed,
    Outcome,
    StrategyWish,
    Team,
    YesNoUnknown,
)
from services.handover_feed.facts import LONGEST
from services.handover_feed.view import Matter
from tests.handover_feed.samples import (
    DEE,
    MINUTE,
    NIA,
    act,
    alerted,
    card,
    contact,
    decided,
    decision_deadline,
    disclosure,
    expected,
    hear,
    letter,
    met,
    missed,
    note,
    notified,
    read,
    requested,
    returned,
    tell,
    unmatched,
)
from tests.rooms import FRIDAY_EVENING as AT

OTHER = UUID("00000000-0000-5000-8000-000000000002")
FRONT_DOOR = DeadlineKind.FRONT_DOOR_DECISION


def shown(kind: FactKind, *heard: Event, **directory: Any) -> CardFact:
    """The only fact of that kind on the card after these."""
    [found] = [fact for fact in card(*heard, **directory).facts if fact.kind is kind]
    return found


def test_an_incident_is_told_as_the_force_wrote_it() -> None:
    """What, how urgent, the narrative, and whether the child was there."""
    fact = shown(FactKind.INCIDENT, notified(kinds=[IncidentKind.DOMESTIC_ABUSE, IncidentKind.NEGLECT]))
    assert fact.words.startswith("Domestic abuse and neglect; graded amber; no immediate danger.")
    assert "NARRATIVEMARK" in fact.words
    assert "lives there and was there" in fact.words
    assert (fact.happened_at, fact.heard_at) == (AT - timedelta(hours=1), AT)
    assert (fact.voice, fact.enquiry_id) == ("I hid under the bed", "incident of notified")


def test_a_voice_that_was_not_recorded_is_missed_in_words() -> None:
    """N13: that a child was not heard is seen."""
    fact = shown(FactKind.INCIDENT, notified(voice=None, voice_not_recorded_reason="asleep"))
    assert fact.voice is None
    assert "The child's voice was not recorded: asleep." in fact.words


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kinds": []}, "Of an unknown kind"),
        ({"grading": Grading.UNKNOWN}, "not graded"),
        ({"immediate_danger": YesNoUnknown.UNKNOWN}, "whether there is immediate danger was not said"),
        ({"historic": True}, "long before the police became aware"),
    ],
)
def test_what_an_incident_leaves_open_is_said(changed: dict[str, Any], said: str) -> None:
    """H7: unknown is a word on the card, and no blank."""
    assert said in shown(FactKind.INCIDENT, notified(**changed)).words


@pytest.mark.parametrize("wanted", list(YesNoUnknown))
def test_n6_a_strategy_discussion_that_the_police_ask_for_is_a_thing_to_do(wanted: YesNoUnknown) -> None:
    """N6: asked for with the reason; or not, with the reason why not."""
    facts = card(notified(strategy_discussion=StrategyWish(wanted=wanted, reason="WISHMARK"))).facts
    asked = [fact for fact in facts if fact.kind is FactKind.STRATEGY_DISCUSSION]
    assert bool(asked) is (wanted is YesNoUnknown.YES)
    assert all("WISHMARK" in fact.words and fact.fact_id == "notified:strategy" for fact in asked)
    assert ("WISHMARK" in facts[0].words) is (wanted is YesNoUnknown.NO)


def test_the_front_doors_decision_ends_the_incident_and_is_its_deadline() -> None:
    """Once the MASH has decided and told the force, nobody at night need see to it."""
    due = expected(decision_deadline(), FRONT_DOOR)
    fact = shown(FactKind.INCIDENT, notified(), due)
    assert fact.due_by == AT + timedelta(hours=24)
    ended = card(notified(), due, met(decision_deadline(), FRONT_DOOR))
    assert (ended.state, ended.facts[0].settled, ended.facts[0].due_by) == (MatterState.CLOSED, True, None)


def test_one_incidents_decision_does_not_end_another() -> None:
    """H14: each keeps its own clock."""
    both = card(notified(), notified("second", AT + MINUTE), met(decision_deadline("second"), FRONT_DOOR))
    assert {fact.fact_id: fact.settled for fact in both.facts} == {"notified": False, "second": True}


def test_a_contact_says_whether_the_family_knows() -> None:
    """H6: whoever visits must know what the family has been told, and why not."""
    fact = shown(
        FactKind.CONTACT, contact(family_told=FamilyTold.NOT_TOLD_UNSAFE, family_not_told_reason="he reads it")
    )
    assert fact.words.startswith("Graded green; threshold level 3. CONCERNMARK")
    assert "that is unsafe: he reads it." in fact.words
    decision = deadline_id(FRONT_DOOR, "contact")
    assert card(contact(), met(decision, FRONT_DOOR)).state is MatterState.CLOSED


@pytest.mark.parametrize("end", ["read", "met", "unnamed"])
def test_an_alert_is_open_until_a_named_person_has_read_it(end: str) -> None:
    """N1; a receipt that names nobody counts only where the place is confidential (H2)."""
    ends: dict[str, Event] = {
        "read": read("alert"),
        "met": met(deadline_id(DeadlineKind.SCHOOL_ALERT_READ, str(disclosure("alert")["id"])), DeadlineKind.UNKNOWN),
        "unnamed": read("alert", practitioner=None),
    }
    assert not shown(FactKind.ALERT_UNREAD, alerted()).settled
    shows = card(alerted(), ends[end])
    assert shows.facts[0].settled is (end != "unnamed")
    assert (shows.told[0].read_at is not None) is (end == "read")
    confidential = card(alerted(location_confidential=True), ends[end])
    assert confidential.facts[0].settled


def test_n4_a_request_is_open_until_it_is_answered_whole() -> None:
    """N3, N4: what came back so far is on the card; reading the request is no answer."""
    fact = shown(FactKind.INFORMATION_REQUESTED, requested(), returned(), read("request"))
    assert not fact.settled
    assert "Asked for: health and family; red priority. Answered: health: ANSWERMARK." in fact.words
    assert fact.due_by == AT + timedelta(hours=4)
    request = disclosure("request")["id"]
    assert card(requested(), met(request, DeadlineKind.INFORMATION_RESPONSE)).state is MatterState.CLOSED


def test_a_decision_asks_nothing_and_a_strategy_discussion_that_it_calls_does() -> None:
    """N9: it is on the card with its rationale; what it calls for is open until somebody acts or decides again."""
    assert card(decided()).state is MatterState.CLOSED
    assert "RATIONALEMARK a visit tomorrow" in shown(FactKind.DECISION, decided()).words
    called = decided(outcome=Outcome.STRATEGY_DISCUSSION)
    assert card(called).state is MatterState.OPEN
    assert card(called, decided("next", AT + MINUTE)).state is MatterState.CLOSED
    assert card(called, decided("other", AT + MINUTE, enquiry_id="another")).state is MatterState.OPEN
    assert card(called, act(HandoverAct.CLOSED, "decision:strategy")).state is MatterState.CLOSED


def test_an_unmatched_child_says_why_and_whom_it_is_like() -> None:
    """H12: a person decides, before school."""
    fact = shown(FactKind.UNMATCHED, unmatched())
    assert "name or birth differs" in fact.words
    assert "agrees on upn and differs on date of birth" in fact.words
    assert "Nobody in the index is alike" in shown(FactKind.UNMATCHED, unmatched(candidates=[])).words


def test_a_deadline_stands_once() -> None:
    """On the fact that it belongs to; by itself only where there is none."""
    own = expected(OTHER, DeadlineKind.MEETING_EXPECTED)
    assert shown(FactKind.DEADLINE_COMING, own).due_by == AT + timedelta(hours=24)
    attached = card(expected(decision_deadline(), FRONT_DOOR), notified())
    assert [fact.kind for fact in attached.facts] == [FactKind.INCIDENT]
    assert card(own, met(OTHER, DeadlineKind.MEETING_EXPECTED)).state is MatterState.CLOSED


def test_a_missed_deadline_is_open_until_it_is_done_after_all() -> None:
    """Missed, it is one thing and not two; done late, it is none."""
    own = expected(OTHER, DeadlineKind.MEETING_EXPECTED)
    late = missed(OTHER, DeadlineKind.MEETING_EXPECTED, at=AT + MINUTE)
    facts = {fact.kind: fact.settled for fact in card(own, late).facts}
    assert facts == {FactKind.DEADLINE_COMING: True, FactKind.DEADLINE_MISSED: False}
    assert card(own, late, met(OTHER, DeadlineKind.MEETING_EXPECTED)).state is MatterState.CLOSED


def test_what_a_worker_has_seen_here_has_been_read() -> None:
    """H7's ten minutes are for somebody to look. Who takes the matter has looked, whatever the inbox says."""
    own = deadline_id(DeadlineKind.NOTIFICATION_READ, str(disclosure("notified")["id"]))
    due = expected(own, DeadlineKind.NOTIFICATION_READ, due_by=AT + 10 * MINUTE)
    late = missed(own, DeadlineKind.NOTIFICATION_READ, at=AT + 10 * MINUTE)
    unread = card(notified(), due, late)
    assert unread.facts[0].due_by == AT + 10 * MINUTE
    assert not unread.facts[-1].settled
    taken = card(notified(), due, late, act(HandoverAct.TAKEN, "notified"))
    assert taken.facts[0].due_by is None
    assert taken.facts[-1].settled
    let_go = act(HandoverAct.LET_GO, at=AT + 3 * MINUTE)
    assert card(notified(), due, late, act(HandoverAct.TAKEN, "notified"), let_go).facts[-1].settled


@pytest.mark.parametrize(
    ("kind", "fact", "state"),
    [
        (NoteKind.NOTE, FactKind.NOTE, MatterState.OPEN),
        (NoteKind.ASKED, FactKind.ASKED, MatterState.OPEN),
        (NoteKind.HAZARD, FactKind.HAZARD, MatterState.OPEN),
        (NoteKind.PROTECTION_PLAN, FactKind.NOTE, MatterState.OPEN),
        (NoteKind.UNKNOWN, FactKind.NOTE, MatterState.OPEN),
    ],
)
def test_n8_a_note_to_the_other_side_is_open_until_that_side_acts(
    kind: NoteKind, fact: FactKind, state: MatterState
) -> None:
    """N8: both directions are events with acknowledgement."""
    written = card(note(kind=kind))
    assert (written.facts[0].kind, written.state, written.team) == (fact, state, Team.NIGHT)
    assert written.facts[0].said_by == "Dee Marsh, MASH social worker"
    assert card(note(kind=kind), act(HandoverAct.CLOSED, "note", by=NIA)).state is MatterState.CLOSED
    own = card(note(kind=kind, by=DEE, to=Team.DAY))
    assert own.state is (MatterState.OPEN if kind is NoteKind.ASKED else MatterState.CLOSED)


def test_what_is_long_is_cut_and_says_where_the_rest_is() -> None:
    """A narrative of a megabyte does not keep the card from the board."""
    fact = shown(FactKind.INCIDENT, notified(narrative="x" * 900_000))
    assert len(fact.words) < LONGEST + 200
    assert fact.words.endswith("(cut: the full text is in police.notifications.v1, event notified)")


@pytest.mark.parametrize(
    ("did", "became", "closed"),
    [("DISCARDED", None, True), ("RETRIED", "done", True), ("RETRIED", "dead", False), ("REVEALED", None, False)],
)
def test_what_an_operator_has_dealt_with_waits_no_more(did: str, became: str | None, closed: bool) -> None:
    """The card of a dead letter closes once its original was decided after all, or was discarded with a reason; what
    died again waits. Whichever topic came first."""
    event = OperatorActed(
        act_id=did, act=OperatorAct(did), about=f"dead-letter:{letter().dead_letter_id}", by="pat", became=became,
        reason="the sender sent it anew", acted_at=AT,
    )  # fmt: skip
    acted = hear(event, did, AT)
    heard = (letter(), acted) if Matter.key_of(acted) else (letter(),)
    for order in (heard, heard[::-1]):
        shown = card(*order)
        assert (shown.state is MatterState.CLOSED) is closed
        assert shown.interrupts is not closed
        assert ("the sender sent it anew" in str(shown.facts)) is closed
    assert tell(*heard[1:]).version == 0, "an act about what is not on the board begins no card"
