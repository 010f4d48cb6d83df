"""What a practice or health team is sent, and that nobody else is."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bus.directory import Directory
from services.bus.envelope import NAMESPACE, Event, Held
from services.bus.events import (
    Circumstance,
    DeadlineKind,
    DeadlineSet,
    HealthMatter,
    HealthToBeTold,
    HealthUpdated,
    Outcome,
    Purpose,
    RecordStatus,
    Registration,
    Role,
    YesNoUnknown,
)
from services.gp_updates.refusals import NotAHealthRole, NothingToFile
from services.gp_updates.wiring import SERVICE
from tests.mash_outcomes.samples import (
    ADULT,
    AUTHORITY,
    CHILD,
    CLINIC,
    MONDAY,
    NHS_NUMBER,
    PRACTICE,
    SCHOOL,
    TEAM,
    UPN,
    adult,
    child,
    county,
    organisation,
)
from tests.rooms import decide, held, london, of, said, written

TODAY = date(2026, 11, 23)
HEALTH = [Role.GP_PRACTICE, Role.HEALTH_VISITING, Role.SCHOOL_NURSING, Role.MATERNITY]


def cue(role: Role = Role.GP_PRACTICE, *, id: str = "1", **changed: Any) -> HealthToBeTold:  # noqa: A002
    body = {
        "cue_id": uuid5(NAMESPACE, "a cue"),
        "child_id": CHILD,
        "what": HealthMatter.ENQUIRY_OUTCOME,
        "decision_id": "decision-1",
        "outcome": Outcome.EARLY_HELP,
        "closes": True,
        "reason": "the reason for health",
        "what_happens_next": "a family worker calls",
        "decided_at": MONDAY,
        "location_confidential": False,
        "adults_of_concern": [adult()],
    }
    return said(HealthToBeTold(role=role, **{**body, **changed}), by=SERVICE.name, at=MONDAY, id=id)


def after(event: HealthToBeTold, directory: Directory | None = None) -> list[Event | Held]:
    return decide(SERVICE, event, directory or county())[0]


def registered(*places: tuple[str, Role, date | None, date | None]) -> Directory:
    held_at = [Registration(organisation_id=o, role=r, since=since, until=until) for o, r, since, until in places]
    return county(child(registrations=held_at))


def test_the_practice_is_sent_what_it_can_file() -> None:
    """N1: outcome, reason and what happens next, with the NHS number, to the practice; due within a working day."""
    updated, deadline = after(cue())
    assert isinstance(updated, HealthUpdated)
    assert (updated.disclosure.recipient, updated.disclosure.recipient_role) == (PRACTICE, Role.GP_PRACTICE)
    assert (updated.disclosure.purpose, updated.outcome) == (Purpose.HEALTH_RECORD, Outcome.EARLY_HELP)
    assert updated.text == "Outcome: early help.\n\nthe reason for health\n\na family worker calls"
    assert (updated.about.nhs_number, updated.about.upn) == (NHS_NUMBER, None)
    assert isinstance(deadline, DeadlineSet)
    assert (deadline.kind, deadline.disclosure_id) == (DeadlineKind.HEALTH_RECORD_FILED, updated.disclosure.id)
    assert (deadline.owed_by, deadline.escalate_to) == (PRACTICE, AUTHORITY)
    assert deadline.due_by == updated.disclosure.due_by == london(2026, 11, 24, 17)


def test_the_health_team_is_sent_the_same() -> None:
    """A school nursing cue goes to the team, in its role."""
    (updated,) = of(HealthUpdated, after(cue(Role.SCHOOL_NURSING)))
    assert (updated.disclosure.recipient, updated.disclosure.recipient_role) == (TEAM, Role.SCHOOL_NURSING)


def test_h11_the_deadline_waits_for_a_confirmation_that_it_is_hidden() -> None:
    """H11: it must be hidden from online access, and only a confirmation of that ends its deadline."""
    updated, deadline = after(cue())
    assert isinstance(updated, HealthUpdated)
    assert isinstance(deadline, DeadlineSet)
    assert updated.hide_from_online_access
    assert deadline.needs_hidden_confirmation


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("what", list(HealthMatter))
def test_h11_a_title_tells_nothing_of_the_child(what: HealthMatter, outcome: Outcome) -> None:
    """H11: a title is shown where a document is hidden, so it is the same for every child and every outcome."""
    (one,) = of(HealthUpdated, after(cue(what=what, outcome=outcome)))
    (other,) = of(HealthUpdated, after(cue(what=what, reason="other", child_id=CHILD)))
    assert one.title == other.title
    assert "Maya" not in one.title


def test_h11_nothing_about_an_adult_leaves() -> None:
    """H11: adults of concern are read to bypass an inbox, and are in nothing that is sent."""
    assert ADULT in written([cue()])
    assert ADULT not in written(after(cue()))
    assert UPN not in written(after(cue()))


def test_h11_registration_is_checked_when_it_is_sent() -> None:
    """H11: whoever is registered on that day is told; who was before or will be later is not."""
    moved = registered(
        (PRACTICE, Role.GP_PRACTICE, None, TODAY - timedelta(days=1)),
        (CLINIC, Role.GP_PRACTICE, TODAY, None),
        (TEAM, Role.GP_PRACTICE, TODAY + timedelta(days=1), None),
    )
    assert [u.disclosure.recipient for u in of(HealthUpdated, after(cue(), moved))] == [CLINIC]


def test_h11_without_a_registration_a_person_decides() -> None:
    """H11: nobody registered, an unknown child, or a practice that closed without a successor is seen by a person."""
    assert after(cue(Role.HEALTH_VISITING)) == [Held("H11", CHILD)]
    assert after(cue(child_id="child-9")) == [Held("H11", "child-9")]
    assert after(cue(), county(organisation(PRACTICE, status=RecordStatus.CLOSED))) == [Held("H11", CHILD)]
    merged = county(organisation(PRACTICE, status=RecordStatus.CLOSED, successor=CLINIC))
    assert [u.disclosure.recipient for u in of(HealthUpdated, after(cue(), merged))] == [CLINIC]


def test_one_practice_that_closed_does_not_keep_the_other_from_hearing() -> None:
    """H11: of two registrations the open one is told and the closed one is seen by a person."""
    both = [Registration(organisation_id=o, role=Role.GP_PRACTICE) for o in (PRACTICE, CLINIC)]
    parts = after(cue(), county(child(registrations=both), organisation(PRACTICE, status=RecordStatus.CLOSED)))
    assert [u.disclosure.recipient for u in of(HealthUpdated, parts)] == [CLINIC]
    assert held(parts) == [Held("H11", CHILD)]


@pytest.mark.parametrize("who", ["cue", "directory"])
def test_h2_the_deadline_does_not_show_where_the_child_is_registered(who: str) -> None:
    """H2: a practice is a place; of a confidential child only the role is said, by whoever knows it."""
    kept = county(child(location_confidential=who == "directory"))
    parts = after(cue(location_confidential=who == "cue"), kept)
    (deadline,) = of(DeadlineSet, parts)
    assert (deadline.owed_by, deadline.location_confidential) == (None, True)
    assert PRACTICE not in written([deadline])
    assert all(updated.disclosure.location_confidential for updated in of(HealthUpdated, parts))


@pytest.mark.parametrize("confidential", [True, False])
def test_h3_a_conflicted_practice_is_bypassed(confidential: bool) -> None:
    """H3: where an adult of concern is connected with the practice, a person releases it."""
    adults = [adult("a"), adult(K82001=YesNoUnknown.YES)]
    parts = after(cue(adults_of_concern=adults, location_confidential=confidential))
    assert parts == [Held("H3", CHILD, None if confidential else PRACTICE)]


def test_h3_where_it_is_not_known_the_reader_declares_first() -> None:
    """H3: the practice has the document, and it opens to who says that no adult of concern is connected with them."""
    (updated,) = of(HealthUpdated, after(cue(adults_of_concern=[adult(K82001=YesNoUnknown.UNKNOWN)])))
    assert updated.disclosure.declare_no_conflict


def test_h1_h13_a_child_who_does_not_fit_goes_to_a_person() -> None:
    """H1, H13: a record that was closed since, and special circumstances, are nothing to file automatically."""
    assert after(cue(), county(child(status=RecordStatus.CLOSED))) == [Held("H1", CHILD)]
    assert after(cue(), county(child(circumstances=[Circumstance.UNBORN]))) == [Held("H13", CHILD)]


@pytest.mark.parametrize("role", [role for role in Role if role not in HEALTH])
def test_a_role_that_keeps_no_health_record_is_refused(role: Role) -> None:
    """A health document never reaches a school, the police or anybody of an unknown role."""
    with pytest.raises(NotAHealthRole):
        after(cue(role), registered((SCHOOL, role, None, None)))


@pytest.mark.parametrize("reason", [None, "", " "])
def test_h5_a_closure_without_the_reason_for_health_is_refused(reason: str | None) -> None:
    """H5, N2: a closure is filed with its reason, or not at all; an enquiry that goes on needs none."""
    with pytest.raises(NothingToFile):
        after(cue(reason=reason))
    (updated,) = of(HealthUpdated, after(cue(reason=reason, closes=False)))
    assert updated.text == "Outcome: early help.\n\na family worker calls"


def test_a_document_that_says_nothing_is_refused() -> None:
    """An empty document in a record looks as if somebody had been told something."""
    with pytest.raises(NothingToFile):
        after(cue(closes=False, outcome=Outcome.UNKNOWN, reason=" ", what_happens_next=" "))


@given(
    role=st.sampled_from(HEALTH),
    places=st.lists(st.tuples(st.sampled_from([PRACTICE, CLINIC, TEAM, "health:unknown"]), st.sampled_from(HEALTH))),
    confidential=st.booleans(),
)
def test_whoever_is_registered(role: Role, places: list[tuple[str, Role]], confidential: bool) -> None:
    """No recipient twice, nobody of another role, the same ids again, and somebody told or a person asked."""
    directory = registered(*((place, held_as, None, None) for place, held_as in places))
    parts = after(cue(role, location_confidential=confidential), directory)
    told = [updated.disclosure.recipient for updated in of(HealthUpdated, parts)]
    assert len(told) == len(set(told))
    assert set(told) == {place for place, held_as in places if held_as is role} - {"health:unknown"}
    assert told or held(parts)
    ids = [event.envelope.id for event in of(Event, parts)]
    assert len(ids) == len(set(ids))
    assert ids == [e.envelope.id for e in of(Event, after(cue(role, location_confidential=confidential), directory))]
    assert ADULT not in written(parts)
