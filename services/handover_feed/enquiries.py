"""What is heard of the MASH's enquiries → facts: who is worried, what is asked of whom, what was decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from services.bus.disclosing import deadline_id
from services.bus.events import (
    ContactReceived,
    DeadlineKind,
    DecisionMade,
    FactKind,
    FamilyTold,
    InformationRequested,
    Outcome,
    Role,
)
from services.handover_feed.facts import Fact, fact
from services.handover_feed.sentences import joined, listed, word

FAMILY = {
    FamilyTold.TOLD: "The family knows.",
    FamilyTold.NOT_TOLD_UNSAFE: "The family has not been told, because that is unsafe",
    FamilyTold.NOT_YET: "The family has not been told yet.",
}
STRATEGY = (Outcome.STRATEGY_DISCUSSION, Outcome.SECTION_47_ENQUIRY)


def contact(received: ContactReceived) -> Iterator[Fact]:
    decision = str(deadline_id(DeadlineKind.FRONT_DOOR_DECISION, received.contact_id))
    told = FAMILY.get(received.family_told, "It was not said whether the family knows.")
    if received.family_told is FamilyTold.NOT_TOLD_UNSAFE:
        told = f"{told}: {received.family_not_told_reason or 'no reason given'}."
    graded = f"Graded {word(received.grading)}" if received.grading.value != "UNKNOWN" else "Not graded"
    yield fact(
        received,
        FactKind.CONTACT,
        happened_at=received.received_at,
        text=joined([f"{graded}; threshold {word(received.threshold)}.", received.concern, told]),
        voice=received.voice,
        said_by=received.referrer.organisation_id or "",
        role=received.referrer.role,
        enquiry_id=received.enquiry_id,
        ends=(decision,),
        deadlines=(decision,),
        grading=received.grading,
    )


def request(asked: InformationRequested) -> Iterator[Fact]:
    yield fact(
        asked,
        FactKind.INFORMATION_REQUESTED,
        text=f"Asked for: {listed(map(word, asked.categories))}; {word(asked.priority)} priority.",
        role=Role.MASH,
        owed_by=asked.disclosure.recipient,
        owed_role=asked.disclosure.recipient_role,
        enquiry_id=asked.enquiry_id,
        request_id=asked.request_id,
        due_by=asked.disclosure.due_by,
        ends=(str(asked.disclosure.id),),
        deadlines=(str(asked.disclosure.id),),
    )


def decision(made: DecisionMade) -> Iterator[Fact]:
    closes = "It ends the enquiry." if made.closes else "The enquiry goes on."
    known: dict[str, Any] = {"happened_at": made.decided_at, "said_by": made.decided_by, "enquiry_id": made.enquiry_id}
    yield fact(
        made,
        FactKind.DECISION,
        text=joined([f"{word(made.outcome).capitalize()}. {closes}", made.rationale or "", made.what_happens_next]),
        **known,
    )
    if made.outcome in STRATEGY and not made.closes:
        yield fact(
            made,
            FactKind.STRATEGY_DISCUSSION,
            suffix=":strategy",
            text=joined([f"Called: {word(made.outcome)}.", made.what_happens_next]),
            **known,
        )
