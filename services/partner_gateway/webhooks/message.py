"""What a webhook says: that something waits, and where. Signed as Standard Webhooks; no child's data (H10)."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json
from standardwebhooks import Webhook

from services.partner_gateway.inbox.reading import moment

LATE = "late"
"""Stands where an inbox's epoch stands in the id of a notice to a sender."""

ENTRY_KIND = "inbox.entry"
LATE_KIND = "sent.late"


@dataclass(frozen=True, slots=True)
class Notice:
    """One delivery, as far as its message depends on it."""

    epoch: str
    number: int
    kind: str
    """The entry's event type, or `sent.late`."""
    about: str
    made_us: int

    @property
    def id(self) -> str:
        """The same at every attempt; within one webhook no other notice has it."""
        return f"{self.epoch}.{self.number}"

    @property
    def type(self) -> str:
        return LATE_KIND if self.epoch == LATE else ENTRY_KIND

    @property
    def data(self) -> dict[str, Any]:
        """An entry's cursor, number and event type; of a late one its sender's id of it and a role."""
        if self.epoch == LATE:
            role, _disclosure_id, event_id = self.about.split(" ", 2)
            return {"id": event_id, "role": role}
        return {"cursor": self.id, "number": self.number, "kind": self.kind}

    def body(self) -> bytes:
        return to_json({"type": self.type, "timestamp": moment(self.made_us), "data": self.data})


def new_secret() -> str:
    """256 random bits, in the form that Standard Webhooks gives a secret."""
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()


def signed(notice: Notice, keys: Sequence[str]) -> tuple[dict[str, str], bytes]:
    """Headers and body of one attempt, with a signature by each of the webhook's secrets: a receiver needs one of them.

    Its timestamp is the real time, also in a demo: receivers refuse any other.
    """
    body, now = notice.body(), datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "safebus-webhooks/1",
        "webhook-id": notice.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(key).sign(notice.id, now, body.decode()) for key in keys),
    }
    return headers, body
