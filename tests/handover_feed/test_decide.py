"""What the board says when something is heard, and when immediate danger has waited too long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.bus.events import (
    AdultOfConcern,
    Circumstance,
    DeadlineKind,
    DisclosureRead,
    EscalationState,
    FactKind,
    Grading,
    HandoverAct,
    MatterState,
    NoteKind,
    OrganisationRecorded,
    PoliceProtection,
    ProtectiveInstruction,
    ReceiptState,
    RecordStatus,
    RiskCriterion,
    Role,
    Team,
    YesNoUnknown,
)
from services.bus.settings import Settings
from services.handover_feed.alarms import MOST as MOST_PAGES
from services.handover_feed.view import Matter
from services.handover_feed.wiring import duty_of, service
from tests.handover_feed.samples import (
    CHILD,
    DEE,
    MINUTE,
    NIA,
    SERVICE,
    act,
    alerted,
    card,
    contact,
    danger,
    decision_deadline,
    expected,
    hear,
    identity,
    letter,
    missed,
    note,
    notified,
    reason,
    requested,
    ring,
    tell,
    unmatched,
)
from tests.police_notifications.samples import DUTY, FORCE, MASH, SCHOOL, adult, county, organisation, record
from tests.rooms import FRIDAY_EVENING as AT
from tests.rooms import decide, of, written

NAMED = county(
    record(), organisation(SCHOOL, Role.SCHOOL, name="SCHOOLMARK"), organisation(FORCE, Role.POLICE, name="Thames")
)
NO, YES, UNKNOWN = YesNoUnknown.NO, YesNoUnknown.YES, YesNoUnknown.UNKNOWN


# --- what a card says -------------------------------------------------------------------------------------------------


def test_a_card_says_what_a_worker_must_know_before_going() -> None:
    """One card: who, what, the child's voice, the plan, police protection and its end, and the hazards of a visit."""
    protection = PoliceProtection(began_at=AT, ends_at=AT + timedelta(hours=72), designated_officer="Inspector 4711")
    shown = card(
        danger(police_protection=protection, visit_hazards=["a dog"], protection_plan=YES),
        note("a knife behind the door", by=DEE, to=Team.NIGHT, kind=NoteKind.HAZARD),
        directory=NAMED,
    )
    assert shown.about == record().identity
    assert shown.police_protection == protection
    assert shown.hazards == ["a dog", "a knife behind the door"]
    assert shown.protection_plan is YES
    assert (shown.facts[0].said_by, shown.facts[0].voice) == ("Thames", "I hid under the bed")
    assert (shown.changed_at, shown.caused_by) == (AT + 30 * MINUTE, "note")


def test_the_directory_knows_best_who_a_child_is() -> None:
    """A contact names nobody; without the directory its card would be about nobody, and a looked-after child unseen."""
    known = record(circumstances=[Circumstance.LOOKED_AFTER], protection_plan=YES, stated_age=7)
    shown = card(contact(), directory=county(known))
    assert shown.about == known.identity
    assert (shown.circumstances, shown.protection_plan) == ([Circumstance.LOOKED_AFTER], YES)
    assert card(contact(), directory=county(record("another"))).about is None


def test_a_workers_note_of_a_plan_stands_against_an_index_that_is_behind() -> None:
    """Conferences end in the evening, too."""
    noted = note("conference today", kind=NoteKind.PROTECTION_PLAN)
    assert card(notified(), noted, directory=county(record(protection_plan=NO))).protection_plan is YES


@pytest.mark.parametrize(
    ("told", "shown"), [((YES, UNKNOWN), YES), ((YES, NO), YES), ((NO, UNKNOWN), UNKNOWN), ((NO, NO), NO)]
)
def test_no_later_incident_takes_back_a_plan_that_an_earlier_one_told_of(
    told: tuple[YesNoUnknown, YesNoUnknown], shown: YesNoUnknown
) -> None:
    """A force that did not look it up knows no better than one that did; what is not known is the worst plausible."""
    events = [notified(str(n), AT + n * MINUTE, protection_plan=said) for n, said in enumerate(told)]
    assert card(*events).protection_plan is card(*events[::-1]).protection_plan is shown
    assert card(*events, directory=county(record(protection_plan=NO))).protection_plan is NO


@pytest.mark.parametrize("never", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)])
def test_a_moment_that_no_calendar_has_hides_no_card(never: datetime) -> None:
    """Some systems write "not known" as the first or last day there is; the child is shown all the same."""
    due = note(kind=NoteKind.ASKED, due_by=never)
    told = notified(occurred_at=never)
    shown = card(told, due)
    assert len(shown.facts) == 2
    assert "a time not known" in reason(shown, RiskCriterion.DEADLINE).words


def test_h1_a_closed_record_says_nothing() -> None:
    """H1: after an adoption nothing of the new or old record joins the two; the events' own words stand."""
    closed = record(about=identity(forenames="CLOSEDMARK"), status=RecordStatus.CLOSED, protection_plan=YES)
    shown = card(notified(), directory=county(closed))
    assert "CLOSEDMARK" not in shown.model_dump_json()
    assert shown.protection_plan is UNKNOWN


@pytest.mark.parametrize("by", ["incident", "contact", "disclosure", "directory", "later"])
def test_h2_a_confidential_place_is_shown_by_no_recipient(by: str) -> None:
    """H2: roles alone, whoever said that the place is confidential, and also when it is said only afterwards."""
    events = [
        notified(location_confidential=by == "incident"),
        alerted(location_confidential=by == "disclosure"),
        contact(location_confidential=by == "contact"),
        requested(),
        missed(decision_deadline("x"), DeadlineKind.SCHOOL_ALERT_READ),
        *([notified("later", AT + MINUTE, location_confidential=True)] if by == "later" else []),
    ]
    shown = card(*events, directory=county(record(location_confidential=by == "directory"), *_named()))
    assert shown.location_confidential
    assert not [one.organisation for one in shown.told if one.organisation]
    text = written([shown])
    for place in (SCHOOL, "SCHOOLMARK", "practice:K82007", "PRACTICEMARK", DUTY):
        assert place not in text
    assert {one.role for one in shown.told} >= {Role.SCHOOL, Role.GP_PRACTICE}


def test_otherwise_a_card_names_who_knows() -> None:
    """Who was told, who has read it, and of whom something is expected, by name."""
    shown = card(notified(), alerted(), requested(), directory=county(record(), *_named()))
    assert {"SCHOOLMARK", "PRACTICEMARK"} <= {one.organisation for one in shown.told}
    assert any(fact.words.startswith("SCHOOLMARK. Nobody there has read") for fact in shown.facts)


def _named() -> list[OrganisationRecorded]:
    return [
        organisation(SCHOOL, Role.SCHOOL, name="SCHOOLMARK"),
        organisation("practice:K82007", Role.GP_PRACTICE, name="PRACTICEMARK"),
    ]


@pytest.mark.parametrize(
    ("adults", "declare"),
    [
        ([], False),
        ([adult(duty_825=NO, mash_825=NO)], False),
        ([adult(duty_825=NO)], True),  # the day team reads the board, too
        ([adult(duty_825=NO, mash_825=YES)], True),
        ([adult()], True),
        ([AdultOfConcern(reference="a-2", links=[]), adult(duty_825=NO, mash_825=NO)], True),
    ],
)
def test_h3_who_reads_a_card_declares_first_where_nobody_knows(adults: list[AdultOfConcern], declare: bool) -> None:
    """H3: unless it is recorded of each adult that neither side of the board employs them."""
    directory = county(record(), organisation(MASH, Role.MASH), organisation(DUTY, Role.OUT_OF_HOURS))
    shown = card(notified(adults_of_concern=adults), directory=directory)
    assert shown.declare_no_conflict is declare
    assert {one.reference for one in shown.adults_of_concern} == {one.reference for one in adults}
    assert card(contact(adults_of_concern=adults), directory=directory).declare_no_conflict is bool(adults)


def test_h3_what_was_said_of_an_adult_by_anybody_counts() -> None:
    """H3: a link that one event names and another leaves out is still a link."""
    one, other = adult(duty_825=NO, mash_825=NO), adult(duty_825=YES)
    shown = card(notified(adults_of_concern=[one]), contact(adults_of_concern=[other]), directory=county())
    assert shown.declare_no_conflict
    assert len(shown.adults_of_concern) == 1
    assert len(shown.adults_of_concern[0].links) == 3


def test_h8_an_instruction_that_nobody_released_is_shown_to_nobody() -> None:
    """H8: only what a named officer released."""
    instructions = [
        ProtectiveInstruction(instruction="UNRELEASEDMARK"),
        ProtectiveInstruction(instruction="he must not collect her", released_by="Inspector 4711"),
    ]
    shown = card(notified(protective_instructions=instructions))
    assert [one.instruction for one in shown.protective_instructions] == ["he must not collect her"]
    assert "UNRELEASEDMARK" not in shown.model_dump_json()


# --- dead letters -----------------------------------------------------------------------------------------------------


def test_what_could_not_be_read_is_a_card_of_ids_alone() -> None:
    """An incident that nobody could read reached nobody: the sender is telephoned. Nothing of it is shown."""
    shown = card(letter())
    assert shown.matter_id.startswith("held:")
    assert shown.child_id is None
    assert "telephone the sender" in shown.facts[0].words
    assert "incident-event-1" in shown.facts[0].words
    assert not {mark for mark in ("BODYMARK", "KEYMARK", "EXPLANATIONMARK") if mark in shown.model_dump_json()}
    assert shown.interrupts


def test_what_is_held_for_a_person_stands_on_the_childs_card() -> None:
    """H13: a looked-after child's incident is told to nobody; the board says so, and interrupts."""
    held = letter(reason_code="held", rule="H13", subject=CHILD)
    shown = card(held, directory=county(record(circumstances=[Circumstance.LOOKED_AFTER])))
    assert (shown.matter_id, shown.child_id, shown.interrupts) == (CHILD, CHILD, True)
    assert "H13" in shown.facts[0].words
    school = card(letter(reason_code="held", rule="H9", subject=CHILD, service="encompass-alerts",
                         origin_topic="police.notifications.v1"))  # fmt: skip
    assert (school.state, school.interrupts) == (MatterState.OPEN, False)


def test_h3_a_hold_for_a_conflict_names_no_child() -> None:
    """H3: the adult of concern may work here. Whoever opens it declares first, and sees no child all the same."""
    shown = card(letter(reason_code="held", rule="H3", subject=CHILD, recipient=DUTY))
    assert shown.declare_no_conflict
    assert shown.child_id is None
    assert not {name for name in (CHILD, DUTY) if name in shown.model_dump_json()}


@pytest.mark.parametrize(
    "changed",
    [
        {"service": "handover-feed", "origin_topic": "dead-letters.v1", "reason_code": "decision_failed"},
        {"service": "handover-feed", "origin_topic": "handover.board.v1", "reason_code": "undecodable"},
        {"service": "handover-feed", "origin_topic": "mash.contacts.v1"},
        {"service": "gp-updates", "origin_topic": "gp.cues.v1", "reason_code": "held", "rule": "H11"},
        {"service": "deadlines", "origin_topic": "deadlines.set.v1"},
        {"reason_code": "too_old"},
    ],
)
def test_no_letter_about_a_letter(changed: dict[str, Any]) -> None:
    """The board's own are shown where something would be missing from it, and never lead to others."""
    assert Matter.key_of(letter(**changed)) is None
    parts, _ = decide(SERVICE, letter(**changed))
    assert parts == []


def test_what_the_board_itself_could_not_show_is_shown_to_be_missing() -> None:
    """A notification that this room failed on would else be nowhere on the board."""
    own = letter(service="handover-feed", origin_topic="police.notifications.v1", reason_code="decision_failed")
    assert "could not show" in card(own).facts[0].words


# --- danger that nobody takes -----------------------------------------------------------------------------------------


def test_h7_danger_that_nobody_takes_goes_to_the_manager_again_and_again() -> None:
    """H7: after 10 minutes, and after each further 10, each time under an id of its own, until somebody takes it."""
    matter, ids = tell(danger()), []
    for minutes in (10, 20, 30):
        assert matter.alarm == AT + minutes * MINUTE
        matter, [due], [shown] = ring(matter, matter.alarm)
        assert (due.state, due.waiting_since, due.child_id) == (EscalationState.DUE, AT, CHILD)
        assert "to be paged" in (shown.escalation or "")
        assert (shown.version, shown.escalated_at) == (matter.version, None)
        ids.append(due.escalation_id)
    assert len(set(ids)) == 3
    assert tell(act(HandoverAct.TAKEN, "danger", at=AT + 31 * MINUTE), before=matter).alarm is None


def test_h7_the_manager_is_not_paged_for_ever() -> None:
    """Whoever has been paged for four hours is not there: the card says that it was the last page, stays first, and
    interrupts still."""
    matter, rings = tell(danger()), 0
    while matter.alarm:
        matter, _, [shown] = ring(matter, matter.alarm)
        rings += 1
        assert ("paging has ended" in (shown.escalation or "")) is (rings == MOST_PAGES)
    assert rings == MOST_PAGES
    assert shown.interrupts
    taken = card(act(HandoverAct.TAKEN, "danger", at=AT + 300 * MINUTE), before=matter)
    assert "paging has ended" not in (taken.escalation or "")


def test_h7_a_recovery_pages_nobody_again() -> None:
    """What was escalated stands in the log, and is read before any alarm rings."""
    matter, [due], _ = ring(tell(danger()), AT + 10 * MINUTE)
    again = tell(danger(), hear(due, due.escalation_id, AT + 10 * MINUTE))
    assert again.alarm == matter.alarm == AT + 20 * MINUTE
    assert tell(hear(due, "due", AT + 10 * MINUTE), before=matter).version == matter.version


def test_h7_whether_the_manager_was_reached_is_on_the_card() -> None:
    """Paged, or not: then somebody has to telephone."""
    matter, [due], _ = ring(tell(danger()), AT + 10 * MINUTE)
    states = {"PAGED": "was paged", "NOT_REACHED": "telephone"}
    for state, words in states.items():
        news = due.model_copy(update={"state": EscalationState(state), "happened_at": AT + 11 * MINUTE})
        shown = card(hear(news, state, AT + 11 * MINUTE), before=matter)
        assert words in (shown.escalation or "")
        assert shown.escalated_at == (AT + 11 * MINUTE if state == "PAGED" else None)


def test_h7_danger_that_is_let_go_waits_anew() -> None:
    """From the moment when nobody saw to it any more; so does what was handed to the other side."""
    taken = (danger(), act(HandoverAct.TAKEN, "danger", at=AT + 5 * MINUTE))
    assert tell(*taken).alarm is None
    let_go = act(HandoverAct.LET_GO, at=AT + 60 * MINUTE, reason=None)
    assert tell(*taken, let_go).alarm == AT + 70 * MINUTE
    handed = act(HandoverAct.HANDED_TO_DAY, "danger", at=AT + 90 * MINUTE)
    assert tell(*taken, handed).alarm == AT + 100 * MINUTE


def test_h7_new_danger_interrupts_also_a_matter_that_is_taken() -> None:
    """H7: it never hides behind what a worker has in hand already; taking it again, having seen it, ends that."""
    events = (notified(), act(HandoverAct.TAKEN, "notified"), danger("worse", AT + 30 * MINUTE))
    shown = card(*events)
    assert (shown.state, shown.interrupts) == (MatterState.TAKEN, True)
    assert tell(*events).alarm == AT + 40 * MINUTE
    seen = act(HandoverAct.TAKEN, "worse", at=AT + 35 * MINUTE)
    assert not card(*events, seen).interrupts
    assert tell(*events, seen).alarm is None


def test_h7_danger_left_from_the_last_shift_comes_to_who_is_on_duty() -> None:
    """At 16:55 nobody takes it, and the day teams go home: with the escalation the night has it."""
    late = AT - timedelta(hours=2, minutes=45)
    matter = tell(danger(at=late))
    assert card(danger(at=late)).team is Team.DAY
    _, _, [shown] = ring(matter, late + 10 * MINUTE)
    assert shown.team is Team.NIGHT


@pytest.mark.parametrize(
    ("said", "grading", "interrupts"),
    [
        (YES, Grading.GREEN, True),
        (UNKNOWN, Grading.UNKNOWN, True),
        (UNKNOWN, Grading.RED, True),
        (UNKNOWN, Grading.AMBER, False),
        (UNKNOWN, Grading.GREEN, False),
        (NO, Grading.RED, False),
    ],
)
def test_h7_what_is_not_known_interrupts_where_danger_is_plausible(
    said: YesNoUnknown, grading: Grading, interrupts: bool
) -> None:
    """H7: unknown ranks as the worst plausible, always first in the order; and it interrupts unless its own sender
    has graded it amber or green."""
    for event in (
        notified(immediate_danger=said, grading=grading),
        unmatched(immediate_danger=said, grading=grading),
    ):
        shown = card(event)
        assert shown.interrupts is interrupts
        assert reason(shown, RiskCriterion.IMMEDIATE_DANGER).rank == (said is not NO)
    assert bool(tell(notified(immediate_danger=said, grading=grading)).alarm) is interrupts


def test_h7_a_worker_who_lowers_the_risk_ends_the_alarm() -> None:
    """H7: with a reason, and for what the worker had seen; the next of its kind interrupts again."""
    lowered = act(HandoverAct.RISK_CHANGED, "danger", no_longer=[RiskCriterion.IMMEDIATE_DANGER], reason="safe now")
    assert tell(danger(), lowered).alarm is None
    assert not card(danger(), lowered).interrupts
    assert card(danger(), lowered, danger("again", AT + 9 * MINUTE)).interrupts


def test_how_long_danger_may_wait_is_configured() -> None:
    """H7: 10 minutes by default; whoever sets another time gets a room that keeps it."""
    at = Settings(board_take_within_minutes=4, board_day_from="09:00", board_night_from="18:00")
    room = service(duty_of(at))
    assert room.view is not None
    _, matter = decide(room, danger(), county())
    assert matter is not None
    assert matter.alarm == AT + 4 * MINUTE
    assert room.on.keys() == SERVICE.on.keys()


def test_nothing_else_rings() -> None:
    """What is not danger never pages anybody at night."""
    quiet = (
        notified(grading=Grading.RED),
        contact(),
        alerted(),
        requested(),
        expected(decision_deadline(), DeadlineKind.UNKNOWN),
    )
    assert tell(*quiet).alarm is None


def test_facts_that_a_worker_sees_to_are_addressed() -> None:
    """Who opens the card sees what nobody has acted on."""
    shown = card(notified(), act(HandoverAct.TAKEN, "notified", by=NIA), alerted("later", AT + 5 * MINUTE))
    assert {fact.kind: fact.addressed for fact in shown.facts} == {
        FactKind.INCIDENT: True,
        FactKind.ALERT_UNREAD: False,
    }


# --- who takes it has read it -----------------------------------------------------------------------------------------


def test_whoever_takes_a_matter_has_read_what_the_front_door_was_told() -> None:
    """By name: else the notification counts as unread, and the authority is woken for what a worker sees to."""
    told = notified()
    parts, _ = decide(SERVICE, act(HandoverAct.TAKEN, "notified"), None, tell(told))
    (receipt,) = of(DisclosureRead, parts)
    assert (receipt.disclosure_id, receipt.state) == (told.disclosure.id, ReceiptState.READ)
    assert (receipt.practitioner, receipt.role) == (NIA.name, told.disclosure.recipient_role)


def test_nobody_has_read_what_they_had_not_seen_or_may_not_open() -> None:
    """Neither what came meanwhile, nor a school's alert, nor what a reader opens first (H3), nor by a refused take."""
    before = tell(notified("first"), alerted())
    late = tell(notified("late"), before=before)
    parts, _ = decide(SERVICE, act(HandoverAct.TAKEN, "first", "alerted"), None, late)
    assert [one.disclosure_id for one in of(DisclosureRead, parts)] == [notified("first").disclosure.id]
    asked = notified()
    asks = asked.disclosure.model_copy(update={"declare_no_conflict": True})
    must = tell(hear(asked.model_copy(update={"disclosure": asks}), "notified", AT))
    assert not of(DisclosureRead, decide(SERVICE, act(HandoverAct.TAKEN, "notified"), None, must)[0])
    taken = tell(notified(), act(HandoverAct.TAKEN, "notified"))
    assert not of(DisclosureRead, decide(SERVICE, act(HandoverAct.TAKEN, "notified", by=DEE), None, taken)[0])


def test_h2_a_receipt_names_nobody_where_the_place_is_confidential() -> None:
    """The reader's name would tell who the recipient is."""
    told = tell(notified(location_confidential=True))
    (receipt,) = of(DisclosureRead, decide(SERVICE, act(HandoverAct.TAKEN, "notified"), None, told)[0])
    assert receipt.practitioner is None
