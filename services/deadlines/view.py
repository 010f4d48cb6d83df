"""What is known of one deadline, whichever comes first: that it was set, or that what it expects was done."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from pydantic import AwareDatetime

from services.bus.envelope import Alarm, Event, Model
from services.bus.events import (
    DeadlineKind,
    DeadlineMet,
    DeadlineSet,
    DisclosureRead,
    ReceiptState,
    Role,
)
from services.bus.service import View

OURSELVES = "urn:safebus:deadlines"

UNCLAIMED_AFTER = timedelta(days=7)
"""So long a receipt waits for its deadline before a person is asked where that is."""

ALSO_READ_WITHOUT_ONE = (Role.LOCAL_AUTHORITY, Role.MASH, Role.OUT_OF_HOURS)
"""They read escalations, which no deadline asks anybody to have read."""


class Receipt(Model):
    """As much of a receipt as a deadline asks about: when, whether by a named person, and whether hidden (H11)."""

    happened_at: AwareDatetime
    hidden: bool = False
    named: bool = False


class Deadline(View):
    """One deadline. `due_by` is None until it is set, `met_at` until it is done."""

    correlation_id: str = ""
    deadline_id: UUID | None = None
    child_id: str = ""
    kind: DeadlineKind = DeadlineKind.UNKNOWN
    owed_role: Role = Role.UNKNOWN
    owed_by: str | None = None
    escalate_to: str = ""
    ends_with_receipt: bool = False
    needs_hidden_confirmation: bool = False
    location_confidential: bool = False
    declare_no_conflict: bool = False
    due_by: AwareDatetime | None = None
    met_at: AwareDatetime | None = None
    missed: bool = False
    receipts: tuple[Receipt, ...] = ()
    """Those that came before the deadline."""
    awaited_from: AwareDatetime | None = None
    """Since when a receipt has waited for its deadline."""
    unclaimed: bool = False
    """Somebody was asked about a receipt without a deadline."""

    @classmethod
    def key_of(cls, event: Event) -> str | None:
        """By the disclosure that must be read, so that its receipt finds it; else by the deadline's own id."""
        match event:
            case DeadlineSet():
                return str(event.disclosure_id or event.deadline_id)
            case DeadlineMet() if event.envelope.source != OURSELVES:
                return str(event.deadline_id)
            case DisclosureRead():
                return str(event.disclosure_id)
        return None

    def evolve(self, event: Event) -> Self:
        match event:
            case DeadlineSet():
                return self._set(event)._ended()
            case DisclosureRead():
                return self._read(event)
            case DeadlineMet() if not self.met_at:
                return self._with(met_at=event.met_at, receipts=())
        return self

    @property
    def alarm(self) -> datetime | None:
        """When it is due; without it, when a receipt will have waited too long."""
        if self.met_at or (self.due_by and self.missed):
            return None
        if self.due_by:
            return self.due_by
        if self.awaited_from and not self.unclaimed and self.owed_role not in ALSO_READ_WITHOUT_ONE:
            return self.awaited_from + UNCLAIMED_AFTER
        return None

    def rung(self, alarm: Alarm) -> Self:
        return self._with(missed=True) if self.due_by else self._with(unclaimed=True)

    def _set(self, expected: DeadlineSet) -> Self:
        """The first setting stands: a contact that joins an enquiry moves nobody's deadline (H14).

        Who owes it is not even remembered where that would show a place (H2).
        """
        if self.due_by:
            return self
        return self._with(
            correlation_id=expected.envelope.correlation_id,
            deadline_id=expected.deadline_id,
            child_id=expected.child_id,
            kind=expected.kind,
            owed_role=expected.owed_role,
            owed_by=None if expected.location_confidential else expected.owed_by,
            escalate_to=expected.escalate_to,
            ends_with_receipt=expected.disclosure_id is not None,
            needs_hidden_confirmation=expected.needs_hidden_confirmation,
            location_confidential=expected.location_confidential,
            declare_no_conflict=expected.declare_no_conflict,
            due_by=expected.due_by,
        )

    def _read(self, read: DisclosureRead) -> Self:
        """A state that this version of the contract does not name says nothing about what was done."""
        if self.met_at or read.state is ReceiptState.UNKNOWN:
            return self
        receipt = Receipt(
            # A clock that runs ahead cannot have seen what has not happened yet.
            happened_at=min(read.happened_at, read.at),
            hidden=read.hidden_from_online_access is True,
            named=bool((read.practitioner or "").strip()),
        )
        if self.due_by:
            return self._ended(receipt)
        if any((kept.hidden, kept.named) == (receipt.hidden, receipt.named) for kept in self.receipts):
            return self
        return self._with(
            receipts=(*self.receipts, receipt),
            awaited_from=self.awaited_from or read.at,
            deadline_id=read.disclosure_id,
            child_id=read.child_id,
            owed_role=read.role,
            correlation_id=read.envelope.correlation_id,
        )

    def _ended(self, *latest: Receipt) -> Self:
        """Met, if it is set and what it expects was done."""
        if not self.due_by or self.met_at:
            return self
        done = [receipt.happened_at for receipt in (*self.receipts, *latest) if self._ends_with(receipt)]
        return self._with(met_at=min(done), receipts=()) if done else self

    def _ends_with(self, receipt: Receipt) -> bool:
        """N1: a named person has read it; H11: and hidden a health record from online access.

        For a child whose location is confidential the receipt may not name the person (H2).
        """
        named = receipt.named or self.location_confidential
        hidden = receipt.hidden or not self.needs_hidden_confirmation
        return self.ends_with_receipt and named and hidden

    def _with(self, **changed: Any) -> Self:
        return self.model_copy(update=changed)
