"""An incident's children: who is told of them, who is asked about them, and what is held."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bus.directory import MemoryDirectory
from services.bus.disclosing import deadline_id, match_deadline_id
from services.bus.envelope import Event, Held
from services.bus.errors import Refusal
from services.bus.events import (
    ChildUnmatched,
    Circumstance,
    ClosedDays,
    DeadlineKind,
    DeadlineMet,
    DeadlineSet,
    Grading,
    IncidentKind,
    IncidentReported,
    LawfulBasis,
    MatchBasis,
    OpeningHours,
    PoliceNotified,
    PoliceProtection,
    ProtectiveInstruction,
    Purpose,
    RecordStatus,
    Registration,
    Role,
    UnmatchedReason,
    YesNoUnknown,
)
from services.police_notifications.decide import unmatched
from services.police_notifications.refusals import (
    AnsweredOtherwise,
    IncidentAboutNobody,
    NoSuchChild,
    NotInDirectory,
    ReferencesNotUnique,
)
from services.police_notifications.view import PATIENCE, Incident
from services.police_notifications.wiring import SERVICE
from tests.police_notifications.samples import (
    ADDRESS,
    AUTHORITY,
    DUTY,
    FORCE,
    INSTRUCTION,
    LEOS_NUMBER,
    MASH,
    NARRATIVE,
    SCHOOL,
    adult,
    answer,
    child,
    county,
    identity,
    incident,
    organisation,
    record,
)
from tests.rooms import FRIDAY_EVENING, decide, held, london, of, said, written

MONDAY_MORNING, FRIDAY_NOON = london(2026, 11, 23, 8, 45), london(2026, 11, 20, 12)
UNKNOWN_LEO = child("c2", identity("Leo", nhs_number=None))
LEO = record("child-leo", identity("Leo", nhs_number=LEOS_NUMBER))
YES, NO, UNKNOWN = YesNoUnknown.YES, YesNoUnknown.NO, YesNoUnknown.UNKNOWN


def after(*events: Event, directory: MemoryDirectory | None = None) -> tuple[list[Event | Held], Incident]:
    """What is said to the last of these events, and what is remembered after it."""
    view: Any = None
    parts: list[Event | Held] = []
    for event in events:
        parts, view = decide(SERVICE, event, directory or county(record(), LEO), view)
    return parts, view


def of_kind(kind: DeadlineKind, parts: list[Event | Held]) -> list[DeadlineSet]:
    return [one for one in of(DeadlineSet, parts) if one.kind is kind]


def test_h12_one_notification_for_each_child_who_is_certain() -> None:
    """Two siblings are two notifications with two ids, and nobody is asked."""
    leo = child("c2", identity("Leo", nhs_number=LEOS_NUMBER))
    parts, _ = after(incident(child(), leo))
    told = of(PoliceNotified, parts)
    assert [(one.child_id, one.child_reference, one.matched_by) for one in told] == [
        ("child-maya", "c1", MatchBasis.NHS_NUMBER),
        ("child-leo", "c2", MatchBasis.NHS_NUMBER),
    ]
    assert len({one.disclosure.id for one in told}) == 2
    assert {one.disclosure.purpose for one in told} == {Purpose.POLICE_NOTIFICATION}
    assert {one.disclosure.lawful_basis for one in told} == {LawfulBasis.LAW_ENFORCEMENT_DPA_PART_3}
    assert of(ChildUnmatched, parts) == []


@pytest.mark.parametrize("plan", list(YesNoUnknown))
def test_whoever_visits_learns_what_the_force_and_the_index_know(plan: YesNoUnknown) -> None:
    """Police protection and its end, hazards of a visit, and whether there is a child protection plan."""
    protection = PoliceProtection(
        began_at=FRIDAY_EVENING, ends_at=FRIDAY_EVENING + timedelta(hours=72), designated_officer="Inspector 4711"
    )
    reported = incident(police_protection=protection, visit_hazards=["a dog"])
    parts, _ = after(reported, directory=county(record(protection_plan=plan)))
    [told] = of(PoliceNotified, parts)
    assert (told.police_protection, told.visit_hazards, told.protection_plan) == (protection, ["a dog"], plan)


def test_h12_a_child_who_is_not_certain_waits_for_a_person_before_school() -> None:
    """One question with the likely child, and a deadline that the person's answer ends."""
    parts, _ = after(incident(UNKNOWN_LEO))
    assert of(PoliceNotified, parts) == []
    (asked,), (deadline,) = of(ChildUnmatched, parts), of(DeadlineSet, parts)
    assert asked.candidates[0].child_id == "child-leo"
    assert asked.why is UnmatchedReason.NO_IDENTIFIER
    assert (deadline.kind, deadline.escalate_to) == (DeadlineKind.MATCH_BY_PERSON, AUTHORITY)
    assert deadline.deadline_id == match_deadline_id("incident-1", "c2")
    assert asked.unmatched_id == str(deadline.deadline_id)
    assert deadline.child_id == unmatched("incident-1", "c2")
    assert deadline.due_by <= MONDAY_MORNING


def test_h12_the_question_is_due_before_school_however_green() -> None:
    """A green grading does not move the question past the next school morning."""
    parts, _ = after(incident(UNKNOWN_LEO, grading=Grading.GREEN, at=london(2026, 11, 24, 2)))
    assert of(DeadlineSet, parts)[0].due_by <= london(2026, 11, 24, 8, 45)


@pytest.mark.parametrize(
    ("aware", "due"),
    [
        pytest.param(london(2026, 11, 23, 2), london(2026, 11, 23, 8, 45), id="told late: it was due before school"),
        pytest.param(london(2036, 1, 1), london(2026, 11, 23, 15, 15), id="a clock ten years ahead moves nothing"),
    ],
)
def test_h12_the_question_runs_from_when_the_police_became_aware(aware: datetime, due: datetime) -> None:
    """Not from when a force's system sent it, and never from a time that has not come."""
    green = incident(UNKNOWN_LEO, grading=Grading.GREEN, aware_at=aware, at=london(2026, 11, 23, 10))
    assert of(DeadlineSet, after(green)[0])[0].due_by == due


def test_h12_a_person_names_the_child_and_the_front_door_is_told() -> None:
    """The notification says that a person matched it, and belongs to the incident's chain."""
    reported = incident(child(), UNKNOWN_LEO)
    parts, _ = after(reported, answer("child-leo", "c2"))
    (told,) = of(PoliceNotified, parts)
    assert (told.child_id, told.child_reference, told.matched_by) == ("child-leo", "c2", MatchBasis.PERSON)
    assert told.narrative == NARRATIVE
    assert told.envelope.correlation_id == "urn:test:police 1"
    assert told.envelope.cause_id == "answer"


def test_h12_only_an_answer_that_is_acted_on_ends_the_wait_for_it() -> None:
    """A refused answer leaves the child untold, so its question still escalates; one that is acted on ends it."""
    reported = incident(child(), UNKNOWN_LEO)
    parts, view = after(reported)
    (asked,) = (one for one in of(DeadlineSet, parts) if one.kind is DeadlineKind.MATCH_BY_PERSON)
    with pytest.raises(NotInDirectory):
        decide(SERVICE, answer("child-nobody", "c2"), county(record(), LEO), view)
    parts, _ = decide(SERVICE, answer("child-leo", "c2"), county(record(), LEO), view)
    (met,) = of(DeadlineMet, parts)
    assert (met.deadline_id, met.kind, met.child_id) == (asked.deadline_id, asked.kind, asked.child_id)
    assert (met.due_by, met.late) == (asked.due_by, False)
    assert met.met_at == FRIDAY_EVENING + timedelta(minutes=20)


def test_h12_a_later_report_that_makes_it_certain_ends_the_wait_too() -> None:
    """The force adds the number that was missing: nobody needs to say any longer who it is."""
    certain = child("c2", identity("Leo", nhs_number=LEOS_NUMBER))
    parts, _ = after(incident(child(), UNKNOWN_LEO), incident(child(), certain, id="2"))
    (met,) = of(DeadlineMet, parts)
    assert met.deadline_id == match_deadline_id("incident-1", "c2")
    assert {one.child_id for one in of(PoliceNotified, parts)} == {"child-maya", "child-leo"}


def test_an_answer_before_its_incident_waits_for_it() -> None:
    """It is not refused; when the incident comes, that child is known and nobody is asked."""
    parts, _ = after(answer("child-leo", "c2"), incident(child(), UNKNOWN_LEO))
    assert [(one.child_id, one.matched_by) for one in of(PoliceNotified, parts)] == [
        ("child-maya", MatchBasis.NHS_NUMBER),
        ("child-leo", MatchBasis.PERSON),
    ]
    assert of(ChildUnmatched, parts) == []


def test_an_answer_whose_incident_does_not_come_is_escalated() -> None:
    """The force owes it within the hour, once for all answers; the incident ends that, late if it is."""
    parts, _ = after(answer("child-leo", "c2"))
    (owed,) = of(DeadlineSet, parts)
    assert len(parts) == 1
    assert (owed.kind, owed.child_id) == (DeadlineKind.INCIDENT_EXPECTED, "child-leo")
    assert (owed.owed_role, owed.owed_by, owed.escalate_to) == (Role.POLICE, None, AUTHORITY)
    assert owed.due_by == FRIDAY_EVENING + timedelta(minutes=20) + PATIENCE
    assert owed.deadline_id == deadline_id(DeadlineKind.INCIDENT_EXPECTED, "incident-1")
    answers = answer("child-leo", "c2"), answer("child-maya", "c1", id="second")
    assert after(*answers)[0] == []
    late = incident(child(), UNKNOWN_LEO, at=FRIDAY_EVENING + timedelta(hours=2))
    parts, _ = after(*answers, late)
    (met,) = of(DeadlineMet, parts)
    assert (met.deadline_id, met.child_id, met.due_by, met.late) == (
        owed.deadline_id,
        owed.child_id,
        owed.due_by,
        True,
    )
    assert of(DeadlineMet, after(*answers, late, incident(child(), UNKNOWN_LEO, id="2"))[0]) == []


def test_an_answer_that_nobody_could_ask_about_is_held() -> None:
    """No front door is known: a person sees it (H7)."""
    parts, _ = after(answer("child-leo", "c2"), directory=MemoryDirectory([record(), LEO]))
    assert parts == [Held("H7", "child-leo")]


def test_the_same_answer_twice_says_nothing_new() -> None:
    """Under another id, too: the front door is told once."""
    parts, _ = after(incident(UNKNOWN_LEO), answer("child-leo", "c2"), answer("child-leo", "c2", id="again"))
    assert parts == []


@pytest.mark.parametrize(
    ("second", "refusal"),
    [
        (answer("child-maya", "c2", id="second"), AnsweredOtherwise),
        (answer("child-leo", "c3", id="second"), AnsweredOtherwise),
        (answer("child-maya", "c9", id="second"), NoSuchChild),
        (answer("child-nobody", "c3", id="second"), NotInDirectory),
        (answer("child-closed", "c3", id="second"), NotInDirectory),
    ],
)
def test_an_answer_that_cannot_be_acted_on_is_refused(second: Event, refusal: type[Refusal]) -> None:
    """Another child for the same reference, one child twice, nobody's reference, a child unknown or closed (H1)."""
    known = county(record(), LEO, record("child-closed", identity("Ann"), status=RecordStatus.CLOSED))
    third = child("c3", identity("Ann", nhs_number=None))
    with pytest.raises(refusal) as refused:
        after(incident(child(), UNKNOWN_LEO, third), answer("child-leo", "c2"), second, directory=known)
    assert refused.value.field
    assert "child-" not in str(refused.value)


def test_an_answer_against_a_certain_match_is_refused() -> None:
    """Who was told of whom is changed by a recall only (H16)."""
    with pytest.raises(AnsweredOtherwise):
        after(incident(child()), answer("child-leo", "c1"))


def test_a_sibling_named_by_mistake_is_refused() -> None:
    """Maya is for certain another child of the incident: told of her twice, nobody would ever be told of Leo."""
    with pytest.raises(AnsweredOtherwise):
        after(incident(child(), UNKNOWN_LEO), answer("child-maya", "c2"))


def test_a_child_listed_twice_may_be_named_so() -> None:
    """The second entry's question has an answer, and what it says of the child reaches the front door."""
    parts, _ = after(incident(child(), child("c2", voice="and under the bed")), answer("child-maya", "c2"))
    assert [(one.child_id, one.voice) for one in of(PoliceNotified, parts)] == [("child-maya", "and under the bed")]


@pytest.mark.parametrize("named", ["child-leo", "child-nobody"])
def test_h12_an_early_answer_that_does_not_fit_is_held(named: str) -> None:
    """A certain match contradicts it, or the directory does not know the child: nobody is told, a person looks."""
    parts, _ = after(answer(named, "c1"), incident(child()))
    assert held(parts) == [Held("H12", unmatched("incident-1", "c1"))]
    assert of(PoliceNotified, parts) == []


def test_h12_an_early_answer_about_no_child_of_the_incident_is_held() -> None:
    """They would otherwise be forgotten."""
    strays = [answer("child-leo", "c9"), *(answer(f"child-{n}", f"c{n}", id=f"{n}") for n in (8, 7, 6))]
    parts, _ = after(*strays, incident(child()))
    assert held(parts) == [Held("H12", unmatched("incident-1", f"c{n}")) for n in (6, 7, 8, 9)]
    assert len(of(PoliceNotified, parts)) == 1


def test_one_child_listed_twice_is_told_of_once() -> None:
    """Two entries match one record: the second is a question for a person, and the incident is not lost."""
    parts, _ = after(incident(child(), child("c2")))
    assert [one.child_reference for one in of(PoliceNotified, parts)] == ["c1"]
    (asked,) = of(ChildUnmatched, parts)
    assert (asked.child_reference, asked.why) == ("c2", UnmatchedReason.SEVERAL_CANDIDATES)
    assert [one.child_id for one in asked.candidates] == ["child-maya"]


def test_an_incident_about_nobody_is_refused() -> None:
    """A force's system that loses the children on the way would otherwise tell nobody, and nobody would see it."""
    with pytest.raises(IncidentAboutNobody) as refused:
        after(incident().model_copy(update={"children": []}).enveloped(incident().envelope))
    assert (refused.value.field, refused.value.code) == ("/children", "incident_about_nobody")


def test_two_children_of_one_reference_are_refused() -> None:
    """No answer could tell them apart."""
    with pytest.raises(ReferencesNotUnique):
        after(incident(child(), child()))


def test_two_forces_with_one_incident_id_are_not_confused() -> None:
    """The second force's certain children are told of; its unknown ones are held, since an answer could be either's."""
    first = incident(UNKNOWN_LEO)
    second = incident(child(), UNKNOWN_LEO, source="urn:test:other", force="police:44")
    parts, view = after(first, answer("child-leo", "c2"), second)
    assert [one.child_id for one in of(PoliceNotified, parts)] == ["child-maya"]
    assert held(parts) == [Held("H12", unmatched("incident-1", "c2"))]
    assert view.force == FORCE
    a, b = (of(PoliceNotified, after(incident(source=source))[0])[0] for source in ("urn:test:one", "urn:test:other"))
    assert a.disclosure.id != b.disclosure.id


def test_an_amended_incident_keeps_the_answers() -> None:
    """Reported again, the child whom a person named is known."""
    parts, _ = after(incident(UNKNOWN_LEO), answer("child-leo", "c2"), incident(UNKNOWN_LEO, id="2"))
    assert [one.child_id for one in of(PoliceNotified, parts)] == ["child-leo"]


def test_what_is_remembered_holds_no_address_and_nobody_who_was_named() -> None:
    """The address goes no further, and an answered child's details are not kept."""
    _, view = after(incident(child(), UNKNOWN_LEO))
    assert "ADDRESSMARK" not in view.model_dump_json()
    _, view = after(incident(UNKNOWN_LEO), answer("child-leo", "c2"))
    assert "NARRATIVEMARK" not in view.model_dump_json()
    assert Incident.model_validate_json(view.model_dump_json(exclude_defaults=True)) == view


# --- to whom ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "door"),
    [
        pytest.param(FRIDAY_NOON, MASH, id="working hours"),
        pytest.param(FRIDAY_EVENING, DUTY, id="evening"),
        pytest.param(london(2026, 11, 22, 12), DUTY, id="Sunday"),
        pytest.param(london(2026, 12, 25, 12), DUTY, id="Christmas Day"),
    ],
)
def test_out_of_hours_the_duty_team_is_told(at: datetime, door: str) -> None:
    """The MASH while it is open, Monday to Friday 9 to 5 unless it says otherwise; else the duty team."""
    (told,) = of(PoliceNotified, after(incident(at=at))[0])
    assert told.disclosure.recipient == door
    assert told.disclosure.recipient_role is (Role.MASH if door == MASH else Role.OUT_OF_HOURS)


def test_the_mash_keeps_its_own_hours_and_closed_days() -> None:
    """A MASH that is open late takes it; one that is closed that day does not."""
    late = organisation(MASH, Role.MASH, weekly_hours=[OpeningHours(weekday=5, opens="08:00", closes="22:00")])
    (told,) = of(PoliceNotified, after(incident(), directory=county(record(), late))[0])
    assert told.disclosure.recipient == MASH
    training = ClosedDays(first=FRIDAY_NOON.date(), last=FRIDAY_NOON.date(), why="training")
    away = organisation(MASH, Role.MASH, closed_days=[training])
    (told,) = of(PoliceNotified, after(incident(at=FRIDAY_NOON), directory=county(record(), away))[0])
    assert told.disclosure.recipient == DUTY


def test_the_front_door_is_that_of_the_childs_authority() -> None:
    """A force serves several authorities: the child's school says which."""
    far = (
        organisation("mash:100", Role.MASH, local_authority_code="100"),
        organisation("school:2", Role.SCHOOL, local_authority_code="100"),
    )
    there = record(registrations=[Registration(organisation_id="school:2", role=Role.SCHOOL)])
    for maya, door in ((record(), MASH), (there, "mash:100")):
        (told,) = of(PoliceNotified, after(incident(at=FRIDAY_NOON), directory=county(maya, *far))[0])
        assert told.disclosure.recipient == door


def test_a_front_door_without_a_duty_team_is_told_at_night() -> None:
    """Late is better than nobody."""
    nights = organisation(DUTY, Role.OUT_OF_HOURS, status=RecordStatus.CLOSED)
    (told,) = of(PoliceNotified, after(incident(), directory=county(record(), nights))[0])
    assert told.disclosure.recipient == MASH


def test_without_any_front_door_the_child_is_held() -> None:
    """Nobody can be told: a person must see it (H7)."""
    parts, _ = after(incident(child(), UNKNOWN_LEO), directory=MemoryDirectory([record()]))
    assert held(parts) == [Held("H7", "child-maya"), Held("H7", unmatched("incident-1", "c2"))]
    assert of(PoliceNotified, parts) == []


# --- by when ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "grading", "danger", "due"),
    [
        (FRIDAY_NOON, Grading.GREEN, YES, FRIDAY_NOON + timedelta(minutes=10)),
        (FRIDAY_NOON, Grading.GREEN, UNKNOWN, FRIDAY_NOON + timedelta(minutes=10)),
        (FRIDAY_NOON, Grading.RED, NO, FRIDAY_NOON + timedelta(hours=1)),
        (FRIDAY_NOON, Grading.UNKNOWN, NO, FRIDAY_NOON + timedelta(hours=1)),
        (FRIDAY_NOON, Grading.AMBER, NO, FRIDAY_NOON + timedelta(hours=4)),
        (london(2026, 11, 20, 15), Grading.AMBER, NO, london(2026, 11, 23, 11)),
        (FRIDAY_NOON, Grading.GREEN, NO, london(2026, 11, 23, 12)),
        (FRIDAY_EVENING, Grading.GREEN, NO, FRIDAY_EVENING + timedelta(hours=8)),
    ],
)
def test_h7_what_is_unknown_is_due_as_the_worst(
    at: datetime, grading: Grading, danger: YesNoUnknown, due: datetime
) -> None:
    """Danger in ten minutes, red by the clock, amber and green by the recipient's opening hours (H14)."""
    parts, _ = after(incident(at=at, grading=grading, immediate_danger=danger))
    (told,) = of(PoliceNotified, parts)
    assert told.disclosure.due_by == due
    assert told.immediate_danger is danger


@pytest.mark.parametrize("danger", [YES, UNKNOWN])
def test_h7_a_notification_that_nobody_opens_is_escalated(danger: YesNoUnknown) -> None:
    """Ten minutes after a child may be in danger somebody else hears that nobody looked; reading it ends that."""
    parts, _ = after(incident(immediate_danger=danger))
    (told,), (deadline,) = of(PoliceNotified, parts), of_kind(DeadlineKind.NOTIFICATION_READ, parts)
    assert deadline.due_by == told.disclosure.due_by == FRIDAY_EVENING + timedelta(minutes=10)
    assert deadline.disclosure_id == told.disclosure.id
    assert (deadline.owed_by, deadline.escalate_to) == (DUTY, AUTHORITY)


def test_a_decision_is_due_within_one_working_day() -> None:
    """Working Together: told on Friday evening, decided by Monday; missed, the authority hears of it."""
    parts, _ = after(incident())
    (told,), (deadline,) = of(PoliceNotified, parts), of_kind(DeadlineKind.FRONT_DOOR_DECISION, parts)
    assert deadline.deadline_id == deadline_id(DeadlineKind.FRONT_DOOR_DECISION, str(told.disclosure.id))
    assert deadline.disclosure_id is None
    assert deadline.due_by == london(2026, 11, 23, 17)
    assert (deadline.owed_by, deadline.owed_role, deadline.escalate_to) == (DUTY, Role.OUT_OF_HOURS, AUTHORITY)


# --- what is held, and what never leaves ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "whose",
    [
        incident(location_confidential=True),
        incident(child(location_confidential=True)),
        incident(child("c2", identity("Leo", nhs_number=LEOS_NUMBER))),
    ],
)
def test_h2_a_confidential_location_hides_who_owes_it(whose: IncidentReported) -> None:
    """Said by the incident, the child's entry or the directory: the notification says so, the deadline names nobody."""
    hidden = record("child-leo", identity("Leo", nhs_number=LEOS_NUMBER), location_confidential=True)
    parts, _ = after(whose, directory=county(record(), hidden))
    (told,) = of(PoliceNotified, parts)
    assert told.location_confidential
    assert told.disclosure.location_confidential, "so that its receipt names nobody"
    assert {(one.location_confidential, one.owed_by) for one in of(DeadlineSet, parts)} == {(True, None)}


def test_h3_an_adult_of_concern_at_the_front_door_holds_it() -> None:
    """Nothing goes to that inbox, and a person is shown child and recipient."""
    parts, _ = after(incident(adults_of_concern=[adult(duty_825=YES, la_825=NO)]))
    assert parts == [Held("H3", "child-maya", DUTY)]
    parts, _ = after(incident(adults_of_concern=[adult(duty_825=YES)], location_confidential=True))
    assert parts == [Held("H3", "child-maya")]


@pytest.mark.parametrize("links", [{"duty_825": UNKNOWN, "la_825": NO}, {"la_825": NO}])
def test_h3_where_it_is_not_known_the_reader_declares_first(links: dict[str, YesNoUnknown]) -> None:
    """The front door is notified at once; it opens to who says that no adult of concern is connected with them."""
    parts, _ = after(incident(adults_of_concern=[adult(**links)]))
    (told,) = of(PoliceNotified, parts)
    assert told.disclosure.declare_no_conflict
    assert {deadline.declare_no_conflict for deadline in of(DeadlineSet, parts)} == {False}


def test_h3_an_adult_of_concern_at_the_authority_holds_the_escalation_alone() -> None:
    """The front door is told; a person watches the deadline, since its escalation is bypassed."""
    parts, _ = after(incident(adults_of_concern=[adult(duty_825=NO, la_825=YES)]))
    assert len(of(PoliceNotified, parts)) == 1
    assert of(DeadlineSet, parts) == []
    assert held(parts) == [Held("H3", "child-maya", AUTHORITY)]


@pytest.mark.parametrize("where", ["duty_825", "la_825"])
def test_h3_those_who_would_say_who_the_child_is_are_not_asked_about_their_own(where: str) -> None:
    """An adult of concern who is known to work there would see the child's name: a person finds somebody else."""
    parts, _ = after(incident(UNKNOWN_LEO, adults_of_concern=[adult(**{where: YES})]))
    assert parts == [Held("H3", unmatched("incident-1", "c2"))]
    parts, _ = after(incident(UNKNOWN_LEO, adults_of_concern=[adult()]))
    assert len(of(ChildUnmatched, parts)) == 1, "not known: nobody else can say who the child is"


def test_h3_two_children_whose_escalation_is_held_are_told_of() -> None:
    """The authority is bypassed for both deadlines of both children: the holds do not undo the notifications."""
    leo = child("c2", identity("Leo", nhs_number=LEOS_NUMBER))
    parts, _ = after(incident(child(), leo, adults_of_concern=[adult(duty_825=NO, la_825=YES)]))
    assert len(of(PoliceNotified, parts)) == 2
    assert held(parts) == [Held("H3", "child-maya", AUTHORITY), Held("H3", "child-leo", AUTHORITY)]


def test_h3_links_that_are_known_to_be_none_hold_nothing() -> None:
    """Every adult is known to have no link: told as usual, with the adults' references for those who come after."""
    parts, _ = after(incident(adults_of_concern=[adult(duty_825=NO, la_825=NO)]))
    assert held(parts) == []
    assert of(PoliceNotified, parts)[0].adults_of_concern[0].reference == "adult-1"


def test_h8_protective_instructions_wait_for_a_named_officer() -> None:
    """The children are told of without the instruction; the instruction is held once for the incident."""
    rule = ProtectiveInstruction(instruction=INSTRUCTION, released_by=None)
    parts, _ = after(incident(child(), UNKNOWN_LEO, protective_instructions=[rule]))
    assert held(parts) == [Held("H8", "incident-1")]
    assert of(PoliceNotified, parts)[0].protective_instructions == []
    assert "INSTRUCTIONMARK" not in written(parts)


@pytest.mark.parametrize("what", [one for one in Circumstance if one is not Circumstance.UNKNOWN])
def test_h13_a_child_who_does_not_fit_is_held(what: Circumstance) -> None:
    """By the incident or by the directory, matched or not: nobody is told, a person sees it; the sibling goes on."""
    parts, _ = after(incident(child(circumstances=[what]), child("c2", identity("Leo", nhs_number=LEOS_NUMBER))))
    assert held(parts) == [Held("H13", "child-maya")]
    assert [one.child_id for one in of(PoliceNotified, parts)] == ["child-leo"]
    parts, _ = after(incident(child(about=identity(nhs_number=None), circumstances=[what])))
    assert parts == [Held("H13", unmatched("incident-1", "c1"))]
    parts, _ = after(incident(), directory=county(record(circumstances=[what])))
    assert parts == [Held("H13", "child-maya")]


def test_h1_a_question_about_a_closed_record_names_nobody() -> None:
    """Neither the closed record nor anyone like it leaves with the question."""
    known = county(
        record("child-old", status=RecordStatus.CLOSED), record("child-new", identity(nhs_number=LEOS_NUMBER))
    )
    parts, _ = after(incident(), directory=known)
    (asked,) = of(ChildUnmatched, parts)
    assert asked.why is UnmatchedReason.RECORD_CLOSED
    assert "child-old" not in written(parts)
    assert "child-new" not in written(parts)


def test_the_address_never_leaves() -> None:
    """Not for a child who is known, nor for one who is asked about, nor by a person's answer."""
    parts, view = after(incident(child(), UNKNOWN_LEO, location_confidential=True))
    more, _ = decide(SERVICE, answer("child-leo", "c2"), county(record(), LEO), view)
    assert "ADDRESSMARK" in ADDRESS
    assert "ADDRESSMARK" not in written([*parts, *more])
    assert len(of(PoliceNotified, parts)) == len(of(PoliceNotified, more)) == 1


def test_the_question_carries_no_narrative() -> None:
    """Those who match need the child's identity and not what happened."""
    parts, _ = after(incident(UNKNOWN_LEO))
    assert "NARRATIVEMARK" not in written(parts)
    assert "I hid" not in written(parts)


people = st.lists(st.sampled_from(["maya", "leo", "stranger", "old"]), min_size=1, max_size=8)


@given(people=people, kinds=st.sets(st.sampled_from(IncidentKind)), confidential=st.booleans(), day=st.integers(1, 28))
def test_every_child_is_accounted_for_once_and_the_same_each_time(
    people: list[str], kinds: set[IncidentKind], confidential: bool, day: int
) -> None:
    """Whatever the incident: each child is told of or asked about, no id comes twice, deciding again changes nothing.

    No envelope holds a name, a number, a date of birth or a place.
    """
    numbers = {
        "maya": identity(),
        "leo": identity("Leo", nhs_number=LEOS_NUMBER),
        "old": identity("Old", nhs_number="9990000034"),
    }
    children = [
        child(f"c{n}", numbers.get(who) or identity("Stranger", "Quill", date(2012, 1, 1), None))
        for n, who in enumerate(people)
    ]
    reported = incident(
        *children, kinds=sorted(kinds), location_confidential=confidential, at=london(2026, 11, day, 23)
    ).model_copy(update={"children": children})
    reported = said(reported, by=SERVICE.name, at=london(2026, 11, day, 23))
    known = county(record(), LEO, record("child-old", numbers["old"], status=RecordStatus.CLOSED))
    parts, _ = after(reported, directory=known)
    again, _ = after(reported, directory=known)
    assert written(parts) == written(again)
    ids = [part.envelope.id for part in parts if isinstance(part, Event)]
    assert len(ids) == len(set(ids))
    told, asked = of(PoliceNotified, parts), of(ChildUnmatched, parts)
    accounted = [one.child_reference for one in told] + [one.child_reference for one in asked]
    assert sorted(accounted) == sorted(one.reference for one in children)
    assert len({one.child_id for one in told}) == len(told)
    envelopes = " ".join(str(part.envelope) for part in parts if isinstance(part, Event))
    assert not [mark for mark in ("Maya", "Leo", "Hartley", "Quill", "999", "2016-05-04", SCHOOL) if mark in envelopes]
