"""What the client gives and takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from services.client.errors import BadAnswer, ClientError


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event to publish. What is left out is chosen: a new id, the client's source, the time now (UTC)."""

    data: Mapping[str, Any]
    id: str | None = None
    source: str | None = None
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What became of an event that was sent."""

    id: str
    source: str
    type: str
    state: str | None
    """`accepted`: it is durable and takes effect once. None: see `error`."""
    location: str | None
    """Path below the gateway's address at which to ask what became of it."""
    error: ClientError | None = None
    """Why it was not accepted: a Refused, or TryAgain where that is unknown. Only `publish_many` gives it."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document that the gateway has."""

    sha256: str
    size: int
    """Bytes."""
    media_type: str
    location: str
    """Path below the gateway's address at which those who may have it find it."""

    @property
    def claim(self) -> dict[str, Any]:
        """What stands for it in an event: its claim check, word for word."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Proof:
    """What stands in the own inbox: compare it with what you have."""

    epoch: str
    count: int
    first: int | None
    """Number of the first entry; None while the inbox is empty."""
    last: int | None


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One entry of the own inbox: something that your organisation is told."""

    epoch: str
    """Changes when the gateway's database was recovered; numbers then begin anew, disclosure ids stay."""
    number: int
    """1, 2, 3, …: none is left out and none comes twice in an epoch."""
    disclosure_id: str
    """The same for ever: file by it."""
    role: str
    """The role in which your organisation is told, such as SCHOOL."""
    due_by: datetime | None
    """Until when a named person should have read it, UTC. None: nothing is expected."""
    state: str
    """`unread`, `read` or `acted`."""
    late: bool
    type: str
    """The event's type, such as `encompass.alerts.v1`."""
    data: Mapping[str, Any] | None
    """The event's content, as /docs/events describes its type. None while it is withheld."""
    withheld: str | None
    """`declare-no-conflict`: a named person must first declare that no adult of concern is connected with them."""
    event: Mapping[str, Any]
    """The whole event, as CloudEvents JSON."""

    @property
    def cursor(self) -> str:
        """Where reading stands when this one is done: EPOCH.NUMBER."""
        return f"{self.epoch}.{self.number}"

    @classmethod
    def of(cls, entry: Any) -> Disclosure:
        """The disclosure that the gateway's JSON object of an entry stands for.

        Raises:
            BadAnswer: it stands for none.
        """
        try:
            epoch, number = cursor_parts(entry["cursor"])
            event = entry["event"]
            due_by = entry.get("due_by")
            found = cls(
                epoch=epoch,
                number=number,
                disclosure_id=str(entry["disclosure_id"]),
                role=str(entry["role"]),
                due_by=datetime.fromisoformat(due_by) if due_by else None,
                state=str(entry["state"]),
                late=bool(entry["late"]),
                type=str(event["type"]),
                data=event.get("data"),
                withheld=entry.get("withheld"),
                event=event,
            )
            agrees = number == entry["number"]
        except (KeyError, TypeError, ValueError, AttributeError):
            agrees = False
        if not agrees:
            raise BadAnswer("the inbox has an entry that is none")
        return found


def cursor_parts(cursor: str) -> tuple[str, int]:
    """Epoch and number of a cursor.

    Raises:
        ValueError: it is none.
    """
    epoch, point, number = cursor.rpartition(".")
    if not (epoch and point and number.isascii() and number.isdigit()):
        raise ValueError("a cursor is EPOCH.NUMBER")
    return epoch, int(number)
