"""How one recipient is told of a decision: an outcome with the reason for its class, or a cue to a health role."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from services.bus.calendar import local_day, working_days_after
from services.bus.directory import Directory
from services.bus.disclosing import conflict, deadline_id, expect, held_or, met, registered
from services.bus.envelope import Event, Held, Recipient, same_cause_same_id
from services.bus.events import (
    ChildIdentity,
    ChildRecorded,
    DeadlineKind,
    DeadlineMet,
    DecisionMade,
    HealthMatter,
    HealthToBeTold,
    LawfulBasis,
    Outcome,
    OutcomeShared,
    Purpose,
    RecipientClass,
    YesNoUnknown,
)
from services.mash_outcomes.recipients import EDUCATION, HEALTH, Listener, health_roles, reason_for
from services.mash_outcomes.view import Contact

READ_WITHIN = 1
"""Working days in which a partner reads an outcome."""


@dataclass(frozen=True, slots=True)
class Telling:
    """One decision, as it is told because of `cause`: the decision itself, or the contact that came after it."""

    cause: Event
    made: DecisionMade
    child: ChildRecorded | None
    confidential: bool
    directory: Directory

    def hold(self, held: Held) -> Held:
        """H2: of a child whose location is confidential a hold names no recipient."""
        return replace(held, recipient=None) if self.confidential else held


def share(telling: Telling, told: Iterable[Listener | Held]) -> Iterator[Event | Held]:
    """Each listener's outcome; held where an adult of concern is connected with it (H3)."""
    for listener in told:
        if isinstance(listener, Held):
            yield telling.hold(listener)
            continue
        yield from held_or(
            _outcome(telling, listener),
            adults=telling.made.adults_of_concern,
            recipient=listener.organisation.organisation_id,
            subject=telling.made.child_id,
            location_confidential=telling.confidential,
        )


def _outcome(telling: Telling, listener: Listener) -> Iterator[Event | Held]:
    """One organisation's outcome. A referrer who is not a professional gets the approved reason and nothing else."""
    made, told = telling.made, listener.organisation
    reason = reason_for(made, listener.classes)
    if reason is None and (made.closes or not listener.professional):
        yield telling.hold(Held("H5", made.child_id, told.organisation_id))
        return
    due_by = working_days_after(telling.cause.at, READ_WITHIN)
    shared = OutcomeShared.because(
        telling.cause,
        subject=made.child_id,
        to=Recipient(told.organisation_id, listener.role),
        disclosure={
            "purpose": Purpose.MASH_OUTCOME,
            "lawful_basis": LawfulBasis.PUBLIC_TASK_6_1_E,
            "due_by": due_by,
            "location_confidential": telling.confidential,
        },
        decision_id=made.decision_id,
        enquiry_id=made.enquiry_id,
        child_id=made.child_id,
        about=_about(telling.child, listener),
        outcome=made.outcome if listener.professional else Outcome.UNKNOWN,
        closes=made.closes,
        reason=reason,
        what_happens_next=made.what_happens_next if listener.professional else "",
        decided_at=made.decided_at,
    )
    yield shared
    yield expect(
        telling.cause,
        DeadlineKind.OUTCOME_READ,
        id=deadline_id(DeadlineKind.OUTCOME_READ, str(shared.disclosure.id)),
        disclosure_id=shared.disclosure.id,
        child_id=made.child_id,
        of=told,
        owed_role=listener.role,
        due_by=due_by,
        adults=made.adults_of_concern,
        location_confidential=telling.confidential,
        directory=telling.directory,
    )
    yield from (decided(telling, contact) for contact in listener.contacts)


def cue_health(telling: Telling, contacts: Iterable[Contact]) -> Iterator[Event | Held]:
    """One cue for each health role. It names no organisation: who is registered is asked when it is sent (H11)."""
    made = telling.made
    if telling.child:
        for role in health_roles(telling.child, made.at):
            yield HealthToBeTold.because(
                made,
                subject=f"{made.child_id} {role.value}",
                cue_id=same_cause_same_id("cue", made.decision_id, made.child_id, role.value),
                child_id=made.child_id,
                role=role,
                what=HealthMatter.ENQUIRY_OUTCOME,
                decision_id=made.decision_id,
                outcome=made.outcome,
                closes=made.closes,
                reason=reason_for(made, (RecipientClass.HEALTH,)),
                what_happens_next=made.what_happens_next,
                decided_at=made.decided_at,
                location_confidential=telling.confidential,
                adults_of_concern=made.adults_of_concern,
            )
    yield from told_by_cue(telling, [contact for contact in contacts if is_health(contact)])


def told_by_cue(telling: Telling, referrers: Iterable[Contact]) -> Iterator[Event | Held]:
    """A health referrer hears what its role is cued; one that is not registered for the child needs a person.

    So does one that the cue will not reach, since an adult of concern is connected with it (H3).
    """
    # The cue went out with the decision: one that is registered only since was not there to be told.
    days = {local_day(min(telling.made.decided_at, telling.cause.at)), local_day(telling.cause.at)}
    for contact in referrers:
        teams = [registered(telling.child, on, contact.role) for on in days] if telling.child else [[]]
        if any(contact.organisation_id not in [team.organisation_id for team in each] for each in teams):
            yield telling.hold(Held("H11", contact.reference, contact.organisation_id))
        elif conflict(telling.made.adults_of_concern, contact.organisation_id or "") is YesNoUnknown.YES:
            yield telling.hold(Held("H3", contact.reference, contact.organisation_id))
        else:
            yield decided(telling, contact)


def decided(telling: Telling, contact: Contact) -> DeadlineMet:
    """The contact is decided on, and its referrer told: only that ends its clock (H14)."""
    return met(
        telling.cause,
        DeadlineKind.FRONT_DOOR_DECISION,
        id=deadline_id(DeadlineKind.FRONT_DOOR_DECISION, contact.reference),
        child_id=telling.made.child_id,
        due_by=contact.due_by,
    )


def is_health(contact: Contact) -> bool:
    """Whether its referrer hears through a cue."""
    return contact.professional and contact.role in HEALTH


def _about(child: ChildRecorded | None, listener: Listener) -> ChildIdentity:
    """As much as the recipient needs: a school its pupil number too, a member of the public nothing (H5)."""
    if child is None or not listener.professional:
        return ChildIdentity(forenames="", family_name="")
    known = child.identity
    return ChildIdentity(
        forenames=known.forenames,
        family_name=known.family_name,
        date_of_birth=known.date_of_birth,
        upn=known.upn if listener.role in EDUCATION else None,
    )
