"""One child's case within one enquiry: who raised it, what was asked and answered, and what was decided."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import AwareDatetime, Field

from services.bus.calendar import add_hours, working_days_after
from services.bus.envelope import Event, Model
from services.bus.events import (
    Answer,
    AnswerState,
    Category,
    ContactReceived,
    DecisionMade,
    Grading,
    InformationRequested,
    InformationReturned,
    PoliceNotified,
    Role,
)
from services.bus.service import View

DECIDED_WITHIN = 1
"""Working days from a contact to the decision, and the referrer told (Working Together to Safeguard Children)."""

RED_WITHIN = 24.0
"""Hours by the clock, if that is sooner: a red contact does not wait for the office to open (H14)."""

RECORDED_WITHIN = 1
"""Working days that a decision waits for its contact, or an answer for its request, before that is escalated."""


class Contact(Model):
    """Who raised a concern. `reference` is the contact's id, or the disclosure's id of a police notification."""

    reference: str
    organisation_id: str | None
    role: Role
    professional: bool
    received_at: AwareDatetime
    due_by: AwareDatetime

    def same_referrer(self, other: Contact) -> bool:
        """Whether both came from one organisation; of a member of the public or the family that cannot be known."""
        both = self.professional and other.professional
        return both and self.organisation_id is not None and self.organisation_id == other.organisation_id


class Request(Model):
    """What one agency was asked, and has answered. Until the request is heard of, `asked_at` is None."""

    asked_at: AwareDatetime | None = None
    of: str = ""
    priority: Grading = Grading.UNKNOWN
    disclosure_id: UUID | None = None
    asked: list[Category] = Field(default_factory=list)
    answered: list[Category] = Field(default_factory=list)
    record_due_by: AwareDatetime | None = None

    @property
    def complete(self) -> bool:
        """Every category that was asked for has an answer; silence on one is no answer (N4)."""
        return self.asked_at is not None and set(self.asked) <= set(self.answered)


class Case(View):
    """`decision` is the latest, without its internal rationale, which is not kept (H5)."""

    contacts: list[Contact] = Field(default_factory=list)
    requests: dict[str, Request] = Field(default_factory=dict)
    """By request_id."""
    decision: DecisionMade | None = None
    decision_ids: list[str] = Field(default_factory=list)
    referrer_due_by: AwareDatetime | None = None
    """By when somebody must have recorded who raised a concern that was decided on; None if that is known."""
    location_confidential: bool = False

    @classmethod
    def key_of(cls, event: Event) -> str | None:
        """The enquiry and the child: siblings may share an enquiry, and each has decisions of its own (H14).

        An enquiry that a police incident opens bears the incident's id. Where the MASH numbers its own, it records a
        contact whose id is the notification's disclosure id: that is the same contact, with the same clock.
        """
        match event:
            case ContactReceived() | InformationRequested() | InformationReturned() | DecisionMade():
                return f"{event.enquiry_id} {event.child_id}"
            case PoliceNotified():
                return f"{event.incident_id} {event.child_id}"
        return None

    def evolve(self, event: Event) -> Self:
        match event:
            case ContactReceived() | PoliceNotified():
                return self._raised(contact_of(event), event.location_confidential)
            case InformationRequested() if not self.asked(event.request_id):
                return self._asked(event)
            case InformationReturned():
                return self._answered(event)
            case DecisionMade() if event.decision_id not in self.decision_ids:
                return self._decided(event)
        return self

    def asked(self, request_id: str) -> bool:
        """Whether a request was heard of, and not only its answer."""
        return request_id in self.requests and self.requests[request_id].asked_at is not None

    def knows(self, contact: Contact) -> bool:
        return any(known.reference == contact.reference for known in self.contacts)

    def answered_by(self, decision: DecisionMade) -> list[Contact]:
        """The contacts that a decision answers; one that was received later keeps its own clock (H14)."""
        return [contact for contact in self.contacts if contact.received_at <= decision.decided_at]

    def _raised(self, contact: Contact, confidential: bool) -> Self:
        if self.knows(contact):
            return self
        answered = self.decision is not None and contact.received_at <= self.decision.decided_at
        return self._with(
            contacts=[*self.contacts, contact],
            referrer_due_by=None if answered else self.referrer_due_by,
            location_confidential=self.location_confidential or confidential,
        )

    def _asked(self, requested: InformationRequested) -> Self:
        request = self.requests.get(requested.request_id, Request())
        asked = request.model_copy(
            update={
                "asked_at": requested.at,
                "of": requested.disclosure.recipient,
                "priority": requested.priority,
                "disclosure_id": requested.disclosure.id,
                "asked": requested.categories,
            }
        )
        return self._with(requests={**self.requests, requested.request_id: asked})

    def _answered(self, returned: InformationReturned) -> Self:
        request = self.requests.get(returned.request_id, Request())
        new = [answer.category for answer in returned.answers if _says_something(answer)]
        update: dict[str, Any] = {"answered": list(dict.fromkeys([*request.answered, *new]))}
        if request.asked_at is None and request.record_due_by is None:
            update["record_due_by"] = record_due(returned.at)
        return self._with(requests={**self.requests, returned.request_id: request.model_copy(update=update)})

    def _decided(self, made: DecisionMade) -> Self:
        untold = not self.answered_by(made) and not self.referrer_due_by
        kept = without_rationale(made)
        newest = self.decision is None or kept.decided_at >= self.decision.decided_at
        return self._with(
            decision=kept if newest else self.decision,
            decision_ids=[*self.decision_ids, made.decision_id],
            referrer_due_by=record_due(made.at) if untold else self.referrer_due_by,
            location_confidential=self.location_confidential or made.location_confidential,
        )

    def _with(self, **changed: Any) -> Self:
        return self.model_copy(update=changed)


def contact_of(event: ContactReceived | PoliceNotified) -> Contact:
    """A police notification is a contact whose referrer is the force."""
    if isinstance(event, PoliceNotified):
        return Contact(
            reference=str(event.disclosure.id),
            organisation_id=event.force,
            role=Role.POLICE,
            professional=True,
            received_at=event.at,
            due_by=working_days_after(event.at, DECIDED_WITHIN),
        )
    # A clock that runs ahead must not put a contact out of every decision's reach.
    received_at = min(event.received_at, event.at)
    return Contact(
        reference=event.contact_id,
        organisation_id=event.referrer.organisation_id,
        role=event.referrer.role,
        professional=event.referrer.professional,
        received_at=received_at,
        due_by=decision_due(received_at, event.grading),
    )


def decision_due(received_at: datetime, grading: Grading) -> datetime:
    """By when a contact is decided on and its referrer told. What nobody has graded counts as red (H7)."""
    due_by = working_days_after(received_at, DECIDED_WITHIN)
    return due_by if grading in (Grading.AMBER, Grading.GREEN) else min(due_by, add_hours(received_at, RED_WITHIN))


def record_due(at: datetime) -> datetime:
    """By when a record that others refer to must have come."""
    return working_days_after(at, RECORDED_WITHIN)


def without_rationale(made: DecisionMade) -> DecisionMade:
    """The decision as it may be kept: the internal rationale stays with the MASH (H5), the envelope is not needed.

    A clock that runs ahead must not make it the latest for ever.
    """
    changed = {"rationale": None, "decided_at": min(made.decided_at, made.at)}
    return DecisionMade.model_construct(**{**dict(made), **changed})


def _says_something(answer: Answer) -> bool:
    """Information, nothing known, or withheld with a reason (N4)."""
    match answer.state:
        case AnswerState.INFORMATION:
            return bool(answer.information)
        case AnswerState.WITHHELD:
            return bool(answer.withheld_reason)
    return answer.state is AnswerState.NOTHING_KNOWN
