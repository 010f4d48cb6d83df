"""A MASH decision → one outcome for each partner who must know, with the reason where it closes.

Health roles get a cue instead. A referrer is told whichever comes first, the decision or the record of its contact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from services.bus.directory import Directory
from services.bus.disclosing import deadline_id, expect, met
from services.bus.envelope import Event, Held
from services.bus.events import (
    ChildRecorded,
    ContactReceived,
    DeadlineKind,
    DecisionMade,
    OutcomeShared,
    PoliceNotified,
    RecipientClass,
    RecordStatus,
)
from services.mash_outcomes.recipients import Listener, front_door, listeners, reason_for
from services.mash_outcomes.refusals import ClosureWithoutRationale
from services.mash_outcomes.tell import Telling, cue_health, decided, is_health, share, told_by_cue
from services.mash_outcomes.view import Case, Contact, contact_of, record_due, without_rationale


def open_case(received: ContactReceived, case: Case, directory: Directory) -> Iterator[Event | Held]:
    """Start the contact's own clock (H14), whatever enquiry it joins. Tell its referrer if the decision came first."""
    contact = contact_of(received)
    if case.knows(contact):
        return
    child = directory.child(received.child_id)
    door = front_door(child, received.at, directory)
    if door is None:
        yield Held("H7", received.child_id)
    else:
        yield expect(
            received,
            DeadlineKind.FRONT_DOOR_DECISION,
            id=deadline_id(DeadlineKind.FRONT_DOOR_DECISION, contact.reference),
            child_id=received.child_id,
            of=door,
            due_by=contact.due_by,
            adults=received.adults_of_concern,
            location_confidential=_confidential(received.location_confidential, child, case),
            directory=directory,
        )
    yield from _tell_late_referrer(received, contact, case, directory)


def open_case_of_police(notified: PoliceNotified, case: Case, directory: Directory) -> Iterator[Event | Held]:
    """A notification needs no contact: the force is the referrer of the enquiry that bears its incident's id.

    Its clock has been running since the front door was notified.
    """
    yield from _tell_late_referrer(notified, contact_of(notified), case, directory)


def share_outcome(made: DecisionMade, case: Case, directory: Directory) -> Iterator[Event | Held]:
    """Tell everyone who holds a part of this child's care, and whoever raised the concern.

    The internal rationale never leaves (H5): each recipient gets the reason written for its class. Until the contact
    is known, school and health are told all the same, and the record of the contact is owed. A decision that comes
    again is told once; if it says something else now, a person decides about a recall (H16).

    Raises:
        ClosureWithoutRationale: the decision closes the enquiry and lacks a rationale, or a shareable reason for a
            class of recipient who must know. Then nobody is told.
    """
    child = directory.child(made.child_id)
    confidential = _confidential(made.location_confidential, child, case)
    if made.decision_id in case.decision_ids:
        if case.decision is None or dict(case.decision) != dict(without_rationale(made)):
            yield Held("H16", made.child_id)
        return
    contacts = case.answered_by(made)
    told = listeners(child, contacts, made.at, directory)
    _require_reasons(made, told)
    if rule := _needs_a_person(child):
        yield Held(rule, made.child_id)
        return
    telling = Telling(made, made, child, confidential, directory)
    if child is None:
        yield Held("H7", made.child_id)
    yield from share(telling, told)
    yield from cue_health(telling, contacts)
    if not contacts and not case.referrer_due_by:
        yield _await_contact(telling)


def _tell_late_referrer(
    cause: ContactReceived | PoliceNotified, contact: Contact, case: Case, directory: Directory
) -> Iterator[Event | Held]:
    """The decision came before its contact: this referrer hears it now, unless for an earlier contact it has.

    The child's own school hears it again: what it was told as its school cannot be known here. State folds inputs only,
    and the directory may have learnt of that school since. Twice is better than never.
    """
    made = case.decision
    if case.knows(contact) or made is None or contact.received_at > made.decided_at:
        return
    child = directory.child(made.child_id)
    if rule := _needs_a_person(child):
        yield Held(rule, made.child_id)
        return
    confidential = _confidential(made.location_confidential or cause.location_confidential, child, case)
    telling = Telling(cause, made, child, confidential, directory)
    if is_health(contact):
        yield from told_by_cue(telling, [contact])
    else:
        parts = list(share(telling, listeners(None, [contact], cause.at, directory)))
        heard = any(known.same_referrer(contact) for known in case.answered_by(made))
        # Whom it cannot be told now, it could not be told then: that one has not heard.
        if heard and any(isinstance(part, OutcomeShared) for part in parts):
            yield decided(telling, contact)
        else:
            yield from parts
    if case.referrer_due_by:
        yield met(
            cause,
            DeadlineKind.FRONT_DOOR_DECISION,
            id=deadline_id(DeadlineKind.FRONT_DOOR_DECISION, _record(made)),
            child_id=made.child_id,
            due_by=case.referrer_due_by,
        )


def _await_contact(telling: Telling) -> Event | Held:
    """Somebody raised the concern and has not heard: the front door owes the record of who it was."""
    made = telling.made
    door = front_door(telling.child, made.at, telling.directory)
    if door is None:
        return Held("H7", made.child_id)
    return expect(
        made,
        DeadlineKind.FRONT_DOOR_DECISION,
        id=deadline_id(DeadlineKind.FRONT_DOOR_DECISION, _record(made)),
        child_id=made.child_id,
        of=door,
        due_by=record_due(made.at),
        adults=made.adults_of_concern,
        location_confidential=telling.confidential,
        directory=telling.directory,
    )


def _record(made: DecisionMade) -> str:
    """What the record of an unknown contact is about."""
    return f"{made.enquiry_id} {made.child_id}"


def _require_reasons(made: DecisionMade, told: Iterable[Listener | Held]) -> None:
    """Refuse a closure whole before anybody is told half. Health must always know."""
    if not made.closes:
        return
    if not (made.rationale or "").strip():
        raise ClosureWithoutRationale(made.decision_id)
    professionals = [each.classes for each in told if isinstance(each, Listener) and each.professional]
    for classes in (*professionals, (RecipientClass.HEALTH,)):
        if reason_for(made, classes) is None:
            raise ClosureWithoutRationale(made.decision_id, classes[0])


def _needs_a_person(child: ChildRecorded | None) -> str | None:
    """The rule by which nobody is told automatically: a record that was closed (H1), a child who does not fit (H13)."""
    if child and child.status is not RecordStatus.OPEN:
        return "H1"
    return "H13" if child and child.circumstances else None


def _confidential(said: bool, child: ChildRecorded | None, case: Case) -> bool:
    """H2: whoever knows that it is."""
    return said or case.location_confidential or bool(child and child.location_confidential)
