"""Deadlines: what was done in time, what was done late, and who hears of what was not done."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bus.directory import MemoryDirectory
from services.bus.envelope import NAMESPACE, Alarm, Envelope, Event, Held
from services.bus.events import (
    DeadlineKind,
    DeadlineMet,
    DeadlineMissed,
    DeadlineSet,
    DisclosureRead,
    LawfulBasis,
    OrganisationRecorded,
    Purpose,
    ReceiptState,
    RecordStatus,
    Role,
)
from services.deadlines.refusals import DisclosureHasADeadline, NobodyToEscalateTo
from services.deadlines.view import UNCLAIMED_AFTER, Deadline
from services.deadlines.wiring import SERVICE
from tests.rooms import FRIDAY_EVENING, decide, of, said, written

SCHOOL, AUTHORITY, CHILD = "school:110001", "la:825", "child-1"
ALERT = uuid5(NAMESPACE, "an alert")
DUE = FRIDAY_EVENING + timedelta(days=2, hours=13)


def expected(*, id: str = "set", at: datetime = FRIDAY_EVENING, **changed: Any) -> DeadlineSet:  # noqa: A002
    body = {
        "deadline_id": ALERT,
        "child_id": CHILD,
        "kind": DeadlineKind.SCHOOL_ALERT_READ,
        "disclosure_id": ALERT,
        "owed_role": Role.SCHOOL,
        "owed_by": SCHOOL,
        "due_by": DUE,
        "escalate_to": AUTHORITY,
        "needs_hidden_confirmation": False,
        "location_confidential": False,
    }
    return said(DeadlineSet(**{**body, **changed}), by=SERVICE.name, id=id, at=at)


def read(happened_at: datetime, *, id: str = "read", at: datetime | None = None, **changed: Any) -> DisclosureRead:  # noqa: A002
    body = {
        "receipt_id": f"receipt {id}",
        "disclosure_id": ALERT,
        "child_id": CHILD,
        "role": Role.SCHOOL,
        "state": ReceiptState.READ,
        "happened_at": happened_at,
        "practitioner": "a designated safeguarding lead",
    }
    return said(DisclosureRead(**{**body, **changed}), by=SERVICE.name, id=id, at=at or happened_at)


def hear(*events: Event) -> tuple[list[Event], Deadline]:
    """All that the room says to these events, one after the other, its memory put away and taken out in between."""
    parts: list[Event] = []
    view = Deadline()
    for event in events:
        answer, after = decide(SERVICE, event, view=view)
        assert isinstance(after, Deadline)
        parts += of(Event, answer)
        view = Deadline.model_validate_json(after.model_dump_json(exclude_defaults=True))
        assert view == after
    return parts, view


def organisation(organisation_id: str = AUTHORITY, **changed: Any) -> OrganisationRecorded:
    body = {
        "kind": Role.LOCAL_AUTHORITY, "version": 1, "name": "-", "local_authority_code": "825",
        "status": RecordStatus.OPEN, "weekly_hours": [], "closed_days": [], "terms": [],
    }  # fmt: skip
    return OrganisationRecorded(organisation_id=organisation_id, **{**body, **changed})


def rung(view: Deadline, *known: OrganisationRecorded) -> tuple[list[Event | Held], Deadline]:
    """What the room says when the view's moment has come, and what it knows then."""
    assert view.alarm
    name = f"urn:safebus:{SERVICE.name}"
    alarm = Alarm(Envelope(id=f"alarm {view.alarm}", source=name, type="alarm", time=view.alarm, heard_by=SERVICE.name))
    return SERVICE.decide(alarm, view, MemoryDirectory(known or [organisation()])), view.rung(alarm)


def ring(view: Deadline, *known: OrganisationRecorded) -> tuple[list[DeadlineMissed], Deadline]:
    parts, after = rung(view, *known)
    return of(DeadlineMissed, parts), after


def test_read_in_time_is_met() -> None:
    """A receipt before it is due ends a deadline, and nothing is escalated."""
    parts, view = hear(expected(), read(DUE - timedelta(hours=1)))
    (met,) = of(DeadlineMet, parts)
    assert (met.deadline_id, met.met_at, met.late) == (ALERT, DUE - timedelta(hours=1), False)
    assert view.alarm is None


def test_nothing_done_is_told_to_the_one_who_must_act() -> None:
    """A missed deadline is a disclosure to the one that it names, with the role and the organisation that owed it."""
    parts, view = hear(expected())
    assert (parts, view.alarm) == ([], DUE)
    (missed,), view = ring(view)
    assert (missed.disclosure.recipient, missed.disclosure.recipient_role) == (AUTHORITY, Role.LOCAL_AUTHORITY)
    assert (missed.disclosure.purpose, missed.disclosure.lawful_basis) == (
        Purpose.ESCALATION,
        LawfulBasis.PUBLIC_TASK_6_1_E,
    )
    assert (missed.owed_role, missed.owed_by, missed.due_by) == (Role.SCHOOL, SCHOOL, DUE)
    assert view.alarm is None, "it is escalated once"


def test_read_after_it_was_escalated_is_met_late() -> None:
    """A receipt after the deadline was missed still ends it, and says that it was late."""
    _, view = hear(expected())
    _, view = ring(view)
    parts, after = decide(SERVICE, read(DUE + timedelta(hours=3)), view=view)
    (met,) = of(DeadlineMet, parts)
    assert met.late
    assert decide(SERVICE, read(DUE + timedelta(hours=4), id="again"), view=after)[0] == []


@given(st.permutations(range(3)))
def test_whichever_comes_first_it_is_met_once(order: list[int]) -> None:
    """A receipt may come before its deadline, and twice: the deadline is met once, by the same moment."""
    events = [expected(), read(DUE - timedelta(hours=2)), read(DUE - timedelta(hours=2), id="twice")]
    parts, view = hear(*(events[i] for i in order))
    assert [m.met_at for m in of(DeadlineMet, parts)] == [DUE - timedelta(hours=2)]
    assert view.alarm is None


def test_the_same_input_gives_the_same_ids() -> None:
    """Decided again, the same events give the same ids."""
    once, again = (hear(expected(), read(DUE))[0] for _ in range(2))
    assert [e.envelope.id for e in once] == [e.envelope.id for e in again]
    assert [e.envelope.id for e in ring(hear(expected())[1])[0]] == [
        e.envelope.id for e in ring(hear(expected())[1])[0]
    ]


def test_a_receipt_of_an_unknown_state_ends_nothing() -> None:
    """What a later version of the contract may call a state does not count as read."""
    parts, view = hear(expected(), read(DUE - timedelta(hours=1), state=ReceiptState.UNKNOWN))
    assert (parts, view.alarm) == ([], DUE)


def test_a_clock_that_runs_ahead_does_not_make_a_receipt_late() -> None:
    """A receipt that claims to be from the future counts from when it was said."""
    parts, _ = hear(expected(), read(DUE + timedelta(days=900), at=DUE - timedelta(hours=1)))
    assert [m.late for m in of(DeadlineMet, parts)] == [False]


def test_h14_setting_it_again_moves_no_deadline() -> None:
    """H14: a contact that joins an enquiry neither ends nor extends the deadline that runs already."""
    for other in (DUE + timedelta(days=5), DUE - timedelta(hours=5)):
        parts, view = hear(expected(), expected(id="again", due_by=other))
        assert (parts, view.alarm) == ([], DUE)


@pytest.mark.parametrize(
    ("hidden", "practitioner"), [(None, "a practice nurse"), (False, "a practice nurse"), (True, None), (True, "")]
)
def test_h11_only_a_named_person_who_hid_it_ends_a_health_record(hidden: bool | None, practitioner: str | None) -> None:
    """H11: the deadline of a health record stays open until a named person confirms that it is hidden online."""
    record = expected(kind=DeadlineKind.HEALTH_RECORD_FILED, needs_hidden_confirmation=True)
    short = read(DUE - timedelta(hours=2), hidden_from_online_access=hidden, practitioner=practitioner)
    for events in ([record, short], [short, record]):
        parts, view = hear(*events)
        assert (parts, view.alarm) == ([], DUE)
        confirmed = read(DUE - timedelta(hours=1), id="confirmed", hidden_from_online_access=True)
        answer, _ = decide(SERVICE, confirmed, view=view)
        assert [m.met_at for m in of(DeadlineMet, answer)] == [DUE - timedelta(hours=1)]


def test_h11_holds_for_a_confirmation_that_came_first() -> None:
    """H11: of several receipts before the deadline, the one that confirms ends it."""
    opened, hid = read(DUE - timedelta(hours=3)), read(DUE, id="hid", hidden_from_online_access=True)
    parts, _ = hear(opened, hid, expected(needs_hidden_confirmation=True))
    assert [m.met_at for m in of(DeadlineMet, parts)] == [DUE]


def test_h2_what_is_missed_does_not_say_who_owed_it() -> None:
    """H2: of a child whose location is confidential only the role that owed it leaves, even if a sender named more."""
    _, view = hear(expected(location_confidential=True))
    missed, _ = ring(view)
    assert missed[0].owed_by is None
    assert SCHOOL not in written(missed)


def test_h2_a_confidential_health_record_is_confirmed_without_a_name() -> None:
    """H2: a receipt about a child whose location is confidential names nobody, and still ends the deadline."""
    record = expected(needs_hidden_confirmation=True, location_confidential=True)
    parts, _ = hear(record, read(DUE, hidden_from_online_access=True, practitioner=None))
    assert len(of(DeadlineMet, parts)) == 1


@pytest.mark.parametrize("first", ["set", "met"])
def test_whoever_set_it_may_end_it(first: str) -> None:
    """The room that set a deadline says that it is met, before or after; that is not said a second time."""
    answer = expected(kind=DeadlineKind.INFORMATION_RESPONSE, disclosure_id=None)
    met = said(
        DeadlineMet(deadline_id=ALERT, child_id=CHILD, kind=answer.kind, due_by=DUE, met_at=FRIDAY_EVENING, late=False),
        by=SERVICE.name,
        id="met",
        source="urn:safebus:mash-outcomes",
    )
    assert Deadline.key_of(met) == Deadline.key_of(answer)
    parts, view = hear(*([answer, met] if first == "set" else [met, answer]))
    assert (parts, view.alarm) == ([], None)


def test_its_own_words_are_not_remembered_twice() -> None:
    """What this room has said itself comes back on its topic and changes nothing."""
    (met,), _ = hear(expected(), read(DUE))
    assert Deadline.key_of(met) is None


def test_reading_a_question_does_not_answer_it() -> None:
    """A deadline that ends with no receipt stays open when its disclosure is read."""
    parts, view = hear(expected(kind=DeadlineKind.INFORMATION_RESPONSE, disclosure_id=None), read(FRIDAY_EVENING))
    assert (parts, view.alarm) == ([], DUE)


@pytest.mark.parametrize("practitioner", [None, "", " "])
def test_nobody_in_particular_has_not_read(practitioner: str | None) -> None:
    """N1: an acknowledgement names who read; without a name the deadline stays open and escalates."""
    parts, view = hear(expected(), read(DUE - timedelta(hours=1), practitioner=practitioner))
    assert (parts, view.alarm) == ([], DUE)
    parts, _ = hear(expected(location_confidential=True), read(DUE, practitioner=practitioner))
    assert len(of(DeadlineMet, parts)) == 1, "of a child in hiding the receipt may not name the reader (H2)"


def test_it_is_told_in_the_role_of_the_one_who_is_told() -> None:
    """A deadline may name a duty team; it is not told as if it were the authority."""
    _, view = hear(expected(escalate_to="duty:825", location_confidential=True))
    (missed,), _ = ring(view, organisation("duty:825", kind=Role.OUT_OF_HOURS))
    assert (missed.disclosure.recipient, missed.disclosure.recipient_role) == ("duty:825", Role.OUT_OF_HOURS)
    assert missed.disclosure.location_confidential, "so that its receipt names nobody (H2)"


@pytest.mark.parametrize("known", [organisation(status=RecordStatus.CLOSED), organisation("la:other")])
def test_who_is_not_there_any_more_is_not_told_in_silence(known: OrganisationRecorded) -> None:
    """H7: a closed authority reads nothing, so a person sees that the deadline was missed."""
    _, view = hear(expected())
    parts, view = rung(view, known)
    assert (parts, view.alarm) == ([Held("H7", str(ALERT))], None)


def test_h3_a_receipt_whose_deadline_never_comes_is_seen_by_a_person() -> None:
    """H3: its deadline may have been held since an adult of concern works at the authority: that is not told, then.

    A deadline that comes after all is watched.
    """
    parts, view = hear(read(FRIDAY_EVENING))
    assert (parts, view.alarm) == ([], FRIDAY_EVENING + UNCLAIMED_AFTER)
    parts_rung, view = rung(view)
    assert (parts_rung, view.alarm) == ([Held("H7", str(ALERT))], None)
    _, set_late = decide(SERVICE, expected(needs_hidden_confirmation=True), view=view)
    assert set_late
    assert set_late.alarm == DUE


@pytest.mark.parametrize("role", [Role.LOCAL_AUTHORITY, Role.MASH, Role.OUT_OF_HOURS])
def test_a_receipt_of_what_nobody_had_to_read_waits_quietly(role: Role) -> None:
    """Escalations are read without any deadline to have read them: nobody is asked about that."""
    _, view = hear(read(FRIDAY_EVENING, role=role))
    assert view.alarm is None


def test_a_deadline_without_an_escalation_is_refused() -> None:
    """A deadline that would be missed in silence becomes a dead letter at once."""
    with pytest.raises(NobodyToEscalateTo):
        hear(expected(escalate_to=" "))


def test_a_second_deadline_of_one_disclosure_is_refused() -> None:
    """Two deadlines cannot wait for one receipt: the second is refused rather than forgotten."""
    other = expected(id="other", deadline_id=uuid5(NAMESPACE, "other"))
    assert Deadline.key_of(other) == Deadline.key_of(expected())
    with pytest.raises(DisclosureHasADeadline):
        hear(expected(), other)


def test_the_chain_is_kept() -> None:
    """What an alarm says belongs to the chain of what set the deadline."""
    event = expected()
    _, view = hear(event.enveloped(Envelope(
        id="set", source="urn:test", type=event.topic, time=FRIDAY_EVENING, correlation_id="urn:police 7", heard_by="-",
    )))  # fmt: skip
    assert view.correlation_id == "urn:police 7"
