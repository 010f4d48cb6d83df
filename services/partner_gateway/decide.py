"""What a disclosure is to the inbox that it falls into. Telling it to nobody else is the whole decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.bus.envelope import Event, Held
from services.bus.events import (
    Disclosure,
    DisclosureRead,
    MeetingRecorded,
    MinutesApproved,
    PoliceNotified,
    YesNoUnknown,
)
from services.partner_gateway.refusals import DisclosureIdReused
from services.partner_gateway.view import Told


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
    in_danger: bool
    """Whether the child is, or for all that is known may be, in danger now (H7)."""


def deliver(told: Event, before: Told) -> Iterator[Event | Held]:
    """Nothing is said on: what is told to a partner falls into its own inbox and nowhere else (inbox/projection.py).

    Raises:
        DisclosureIdReused: another event has told a disclosure with that id, to whomever.
    """
    this = told.envelope
    if before.event_id and (before.source, before.event_id) != (this.source, this.id):
        raise DisclosureIdReused(this.id, before.event_id)
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
        in_danger=isinstance(told, PoliceNotified) and told.immediate_danger is not YesNoUnknown.NO,
    )
