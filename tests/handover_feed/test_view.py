"""One matter as a fold: the same whatever topic came first, complete, and never larger than an event."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.bus.batch import LONGEST_KEY
from services.bus.codec import event_types
from services.bus.envelope import Event
from services.bus.events import (
    DeadlineKind,
    EscalationState,
    FactKind,
    Followed,
    HandoverAct,
    HandoverEscalated,
    MatterCued,
    MatterState,
    MeetingCued,
    NoteKind,
    RiskCriterion,
    Team,
    YesNoUnknown,
)
from services.handover_feed import state
from services.handover_feed.card import card as written
from services.handover_feed.card import content
from services.handover_feed.room import MOST_ENDED, MOST_ENDS, MOST_OPEN
from services.handover_feed.view import Matter
from services.handover_feed.wiring import ABOUT_A_MATTER
from tests.handover_feed.samples import (
    CHILD,
    DEE,
    MINUTE,
    NIA,
    OLU,
    SERVICE,
    UNMATCHED,
    accepted,
    act,
    alerted,
    card,
    contact,
    danger,
    decided,
    decision_deadline,
    expected,
    hear,
    letter,
    matched,
    met,
    missed,
    note,
    notified,
    read,
    requested,
    returned,
    shared,
    tell,
    unmatched,
)
from tests.police_notifications.samples import adult, county
from tests.rooms import FRIDAY_EVENING as AT

ALERT_READ = UUID("00000000-0000-5000-8000-000000000001")


def cue(id: str, minutes: int, **what: Any) -> MatterCued:  # noqa: A002
    return hear(MatterCued(matter_id=CHILD, child_id=CHILD, **what), id, AT + minutes * MINUTE)  # type: ignore[no-any-return]


def arranged(version: int, hours: int) -> MeetingCued:
    return MeetingCued(
        meeting_id="meeting-1", version=version, enquiry_id="enquiry-1", held_at=AT + timedelta(hours=hours),
        chair="manager", location_confidential=False, adults_of_concern=[],
    )  # fmt: skip


def followed() -> Followed:
    wrote = note("before", "note-0", AT - MINUTE, NIA, Team.NIGHT, NoteKind.HAZARD, UNMATCHED)
    took = act(HandoverAct.TAKEN, "asked", at=AT - 2 * MINUTE, matter=UNMATCHED)
    return Followed(matter_id=UNMATCHED, notes=[wrote], acts=[took])


def escalated(state: EscalationState, minutes: int) -> HandoverEscalated:
    at = AT + minutes * MINUTE
    event = HandoverEscalated(
        escalation_id="e1", matter_id=CHILD, child_id=CHILD, state=state, waiting_since=AT, happened_at=at, attempts=1
    )
    return hear(event, f"escalated {state.value} {minutes}", at)  # type: ignore[no-any-return]


NIGHT: Sequence[Event] = (
    danger(),
    notified("second", AT + 90 * MINUTE, protection_plan=YesNoUnknown.YES, visit_hazards=["a dog"]),
    notified("third", AT + timedelta(hours=14), location_confidential=True, adults_of_concern=[adult()]),
    alerted(),
    alerted("alert-2", AT + 91 * MINUTE),
    contact(),
    contact("contact-2", AT + 40 * MINUTE, adults_of_concern=[adult(duty_825=YesNoUnknown.NO)]),
    requested(),
    requested("request-2", AT + MINUTE),
    returned(),
    returned("answer-2", "request-2", AT + 3 * MINUTE),
    decided(),
    decided("decision-2", AT + 60 * MINUTE, outcome="STRATEGY_DISCUSSION"),
    decided("decision-3", AT + 80 * MINUTE),
    shared(),
    read("alert"),
    read("outcome", "receipt-2", AT + 9 * MINUTE, practitioner=None),
    read("alert", "receipt-3", AT + 8 * MINUTE),
    expected(decision_deadline("danger"), DeadlineKind.FRONT_DOOR_DECISION),
    expected(decision_deadline("second"), DeadlineKind.FRONT_DOOR_DECISION, "set-2", AT + 90 * MINUTE),
    expected(ALERT_READ, DeadlineKind.MEETING_EXPECTED, "set-3", AT + 5 * MINUTE),
    met(decision_deadline("danger"), DeadlineKind.FRONT_DOOR_DECISION),
    met(ALERT_READ, DeadlineKind.MEETING_EXPECTED, "met-2", AT + 50 * MINUTE),
    missed(ALERT_READ, DeadlineKind.MEETING_EXPECTED, "missed-2", AT + 45 * MINUTE),
    letter(reason_code="held", rule="H13", subject=CHILD),
    note(),
    note("do it", "note-2", AT + 70 * MINUTE, NIA, Team.DAY, NoteKind.ASKED),
    note("a dog", "note-3", AT + 71 * MINUTE, NIA, Team.DAY, NoteKind.HAZARD),
    note("plan", "note-4", AT + 72 * MINUTE, DEE, Team.NIGHT, NoteKind.PROTECTION_PLAN),
    act(HandoverAct.TAKEN, "danger", "alert"),
    act(HandoverAct.TAKEN, "danger", by=OLU, at=AT + 3 * MINUTE),
    act(HandoverAct.RISK_CHANGED, "danger", at=AT + 4 * MINUTE, no_longer=[RiskCriterion.IMMEDIATE_DANGER]),
    act(HandoverAct.LET_GO, at=AT + 5 * MINUTE),
    act(HandoverAct.CLOSED, "danger", "contact", by=OLU, at=AT + 6 * MINUTE),
    act(HandoverAct.PASSED_ON, "second", by=OLU, at=AT + 90 * MINUTE),
    act(HandoverAct.HANDED_TO_DAY, "second", "danger", at=AT + 95 * MINUTE),
    act(HandoverAct.TAKEN_BACK, "second", at=AT + 99 * MINUTE),
    act(HandoverAct.TAKEN, "second", at=AT + 100 * MINUTE),
    cue("cue-1", 2, meeting=arranged(1, 3)),
    cue("cue-2", 3, followed=followed()),
    cue("cue-3", 4, meeting=arranged(2, 5)),
    cue("cue-4", 5, recorded=7),
    escalated(EscalationState.DUE, 10),
    escalated(EscalationState.PAGED, 11),
    escalated(EscalationState.NOT_REACHED, 12),
)
"""One child's night, with something of every topic that is remembered by the child."""


def shown(matter: Matter) -> dict[str, object]:
    """What its card says, as plain values; nothing if there is none."""
    return dict(content(matter) or {})


@st.composite
def interleavings(draw: st.DrawFn) -> tuple[list[Event], list[Event]]:
    """Some of the night's events, in two orders that both keep the order of each topic."""
    some = draw(st.lists(st.sampled_from(range(len(NIGHT))), unique=True, min_size=1, max_size=18).map(sorted))
    topics = [NIGHT[index].topic for index in some]

    def merged(order: list[str]) -> list[Event]:
        logs: dict[str, deque[Event]] = defaultdict(deque)
        for index in some:
            logs[NIGHT[index].topic].append(NIGHT[index])
        return [logs[topic].popleft() for topic in order]

    return merged(draw(st.permutations(topics))), merged(draw(st.permutations(topics)))


@given(interleavings())
@settings(max_examples=100, deadline=None)
def test_the_card_is_the_same_whatever_topic_was_read_first(orders: tuple[list[Event], list[Event]]) -> None:
    """Order holds within a topic and not across topics (DESIGN.md §1.6): a receipt may precede its disclosure, an act
    the incident that it is about, in a recovery above all. Both sides then see what they saw before."""
    one, other = orders
    assert shown(tell(*one)) == shown(tell(*other))


@given(interleavings())
@settings(max_examples=25, deadline=None)
def test_what_is_stored_and_read_again_is_the_same(orders: tuple[list[Event], list[Event]]) -> None:
    """Between two events a view is bytes in a database: nothing of it may be lost on the way."""
    matter = Matter()
    for event in orders[0]:
        matter = Matter.model_validate_json(tell(event, before=matter).model_dump_json(exclude_defaults=True))
    assert shown(matter) == shown(tell(*orders[0]))


def test_the_whole_night_is_one_card() -> None:
    """Everything of the sample at once: what follows depends on none of it being refused."""
    whole = card(*NIGHT)
    assert whole.matter_id == whole.child_id == CHILD
    assert {fact.kind for fact in whole.facts} >= {
        FactKind.INCIDENT, FactKind.CONTACT, FactKind.ALERT_UNREAD, FactKind.INFORMATION_REQUESTED, FactKind.DECISION,
        FactKind.STRATEGY_DISCUSSION, FactKind.DEADLINE_MISSED, FactKind.NOTE, FactKind.ASKED, FactKind.HAZARD,
        FactKind.HELD,
    }  # fmt: skip
    assert [one.act for one in whole.acts if one.refused] == [HandoverAct.TAKEN]


def test_each_event_is_remembered_by_its_matter() -> None:
    """A known child's by the child; an unmatched child's by the question; what the board said itself by its matter."""
    assert {Matter.key_of(event) for event in NIGHT} == {CHILD}
    assert Matter.key_of(unmatched()) == Matter.key_of(matched()) == UNMATCHED
    assert Matter.key_of(card(danger())) == CHILD
    assert set(SERVICE.on) - set(ABOUT_A_MATTER) == {
        event_types()[t] for t in ("handover.board.v1", "handover.shifts.v1", "strategy.meetings.v1")
    }


def test_versions_count_what_changed_without_a_gap() -> None:
    """What changes nothing says nothing: a team's own screen need not look twice."""
    matter, versions = Matter(), []
    for event in (danger(), read("unknown"), read("alert"), alerted(), returned("x", "unknown"), shared()):
        after = tell(event, before=matter)
        versions.append(after.version)
        matter = after
    assert versions == [1, 1, 1, 2, 2, 3]


def test_a_card_that_was_said_before_is_never_followed_by_a_lower_version() -> None:
    """A recovery that reads topics in another order counts other changes: what it says next is still the latest."""
    live = card(danger(), read("alert"), alerted(), shared())
    recovered = tell(read("alert"), alerted(), danger(), hear(live, "card", AT))
    assert card(contact(), before=recovered).version > live.version
    assert tell(hear(live, "card", AT), before=recovered).version == live.version


def test_what_refers_to_nothing_yet_is_no_card() -> None:
    """A receipt, an answer or a decision's deadline alone is nothing that anybody could act on."""
    early = [read("alert"), returned(), met(decision_deadline(), DeadlineKind.FRONT_DOOR_DECISION), shared(),
             expected(decision_deadline(), DeadlineKind.FRONT_DOOR_DECISION), act(HandoverAct.TAKEN)]  # fmt: skip
    assert tell(*early).version == 0
    assert tell(*early, danger()).version == 1


def test_a_child_who_was_matched_has_one_open_card() -> None:
    """The question ends with its answer; what follows is on the child's own card."""
    question = card(unmatched(), matched(), accepted())
    assert (question.matter_id, question.child_id, question.state) == (UNMATCHED, None, MatterState.CLOSED)
    assert [fact.kind for fact in question.facts] == [FactKind.UNMATCHED, FactKind.MATCHED]
    assert question.facts[0].settled


def test_an_event_that_comes_again_changes_nothing() -> None:
    """The loop drops repeats; an act that is written twice under two ids is one act all the same."""
    once = tell(danger(), act(HandoverAct.TAKEN, id="form-1"))
    again = act(HandoverAct.TAKEN, id="form-1", at=AT + 9 * MINUTE)
    assert tell(hear(again, "another event", AT), before=once) == once


def test_a_flood_about_one_child_still_fits_an_event_and_hides_nothing() -> None:
    """200 incidents with long narratives: each is there, cut where it must be, and a 201st is counted in words."""
    size = 30_000
    matter = tell(*(notified(f"n{i}", AT + i * MINUTE, narrative="☂" * size) for i in range(MOST_OPEN + 3)))
    flooded = written(matter, county())
    assert len(flooded["facts"]) == MOST_OPEN + 1
    assert "3 more things wait" in flooded["facts"][0].words
    assert all("cut: " in fact.words for fact in flooded["facts"][1:])
    last = card(danger("last", AT + timedelta(days=1)), before=matter)
    assert len(last.model_dump_json().encode()) < 950_000
    assert (last.facts[-1].fact_id, last.interrupts) == ("last", True)


def test_a_flood_of_missed_deadlines_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 that wait, as after a weekend in which nobody read: not each beside each, which held up every other matter
    for a fifth of a second an event."""
    missing = (missed(UUID(int=n), DeadlineKind.FRONT_DOOR_DECISION, f"m{n}", AT + n * MINUTE) for n in range(200))
    matter, looks, seen = tell(*missing), 0, state._seen

    def counted(*about: Any) -> bool:
        nonlocal looks
        looks += 1
        return seen(*about)

    monkeypatch.setattr(state, "_seen", counted)
    assert len(state.state_of(matter).waiting) == 200
    assert looks <= 200


def test_danger_is_the_last_to_be_left_out() -> None:
    """H7: no flood of later, lesser things pushes immediate danger off the card."""
    flood = (notified(f"n{i}", AT + timedelta(minutes=i + 1)) for i in range(MOST_OPEN + 5))
    flooded = card(danger(), *flood)
    assert flooded.interrupts
    assert "danger" in {fact.fact_id for fact in flooded.facts}


def test_of_what_has_ended_the_latest_is_kept() -> None:
    """Everything open, and the latest that is not."""
    old = card(*(decided(f"d{i}", AT + i * MINUTE) for i in range(MOST_ENDED + 30)), danger("open", AT - 30 * MINUTE))
    assert len(old.facts) == MOST_ENDED + 1
    assert old.facts[0].fact_id == "open"
    assert old.facts[-1].fact_id == f"d{MOST_ENDED + 29}"


def test_what_has_ended_stays_ended_however_much_comes_after() -> None:
    """A child's years of deadlines are not all kept; what an incident on the card ended with is."""
    due, own = expected(decision_deadline("danger"), DeadlineKind.FRONT_DOOR_DECISION), decision_deadline("danger")
    matter = tell(danger(), due, met(own, DeadlineKind.FRONT_DOOR_DECISION), alerted(), read("alert"))
    others = [UUID(int=number) for number in range(MOST_ENDS + 20)]
    for number, other in enumerate(others):
        matter = tell(met(other, DeadlineKind.OUTCOME_READ, f"met-{number}"), before=matter)
        matter = tell(read(f"other-{number}", f"receipt-{number}"), before=matter)
    assert max(len(matter.ended), len(matter.receipts)) <= MOST_ENDS + 2
    assert card(shared(), before=matter).state is MatterState.CLOSED


@pytest.mark.parametrize("subject", ["c" * 5_000, "", None])
def test_a_dead_letter_finds_a_matter_whatever_stands_in_it(subject: str | None) -> None:
    """It must never become a dead letter itself: whoever waits for it would wait for ever."""
    odd = letter(reason_code="held", rule="☂", subject=subject, event_id=None, event_source=None)
    key = Matter.key_of(odd)
    assert key
    assert len(key.encode()) <= LONGEST_KEY
    assert card(odd).facts[0].kind is FactKind.HELD
