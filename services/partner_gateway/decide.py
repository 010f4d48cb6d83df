"""What a disclosure is to the inbox that it falls into. Telling it to nobody else is the whole decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.bus.envelope import Event, Held
from services.bus.events import Disclosure, DisclosureRead, MeetingRecorded, MinutesApproved


@dataclass(frozen=True, slots=True)
class Entry:
    """One disclosure as its recipient's inbox holds it, without its number."""

    organisation: str
    disclosure_id: UUID
    child_id: str
    """The child whose receipts it takes; of several, the first."""
    role: str
    due_by: datetime | None
    declare_no_conflict: bool
    location_confidential: bool


def deliver(told: Event) -> Iterator[Event | Held]:
    """Nothing is said on: what is told to a partner falls into its own inbox and nowhere else (inbox/projection.py)."""
    yield from ()


def note_reading(_receipt: DisclosureRead) -> Iterator[Event | Held]:
    """Nothing is said on: who sent it sees its state."""
    yield from ()


def note_entitlement(_said: MeetingRecorded | MinutesApproved) -> Iterator[Event | Held]:
    """Nothing is said on: who may have which document is asked at every fetch (H4)."""
    yield from ()


def entry_of(told: Event) -> Entry:
    """The inbox entry of an event that discloses."""
    disclosure: Disclosure = told.disclosure  # type: ignore[attr-defined]
    children: list[str] = getattr(told, "child_ids", None) or [getattr(told, "child_id", "")]
    return Entry(
        organisation=disclosure.recipient,
        disclosure_id=disclosure.id,
        child_id=children[0],
        role=disclosure.recipient_role.value,
        due_by=disclosure.due_by,
        declare_no_conflict=disclosure.declare_no_conflict,
        location_confidential=disclosure.location_confidential,
    )
