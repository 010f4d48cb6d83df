"""What every event is: a body that a schema describes, and an envelope: who said it, when and because of what.

The envelope travels in a record's headers (CloudEvents 1.0, Kafka binary binding; the names are in codec.py). An
output's id follows from its cause: the same cause gives the same id however often it is decided (DESIGN.md §1, rule 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha1
from typing import TYPE_CHECKING, Any, ClassVar, Self
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json

NAMESPACE = UUID("5afeb05e-0000-5000-8000-000000000001")
_NAMESPACE_BYTES = NAMESPACE.bytes
_VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}


class Model(BaseModel):
    """Base of every generated record: immutable, and strict about unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_bytes="base64", val_json_bytes="base64")


class Envelope(Struct, frozen=True, gc=False):  # a third of a dataclass's cost, and two are made for each event
    """CloudEvents attributes and the causation extension. Ids only: nothing here may tell who a child is."""

    id: str
    source: str
    type: str
    time: datetime
    """UTC. A decision's "now" (DESIGN.md §3)."""
    subject: str | None = None
    cause_id: str | None = None
    cause_source: str | None = None
    correlation_id: str = ""
    """Source and id of the first event in the chain; the same for everything that follows from one incident."""
    traceparent: str | None = None
    heard_by: str = ""
    """The service that is deciding: part of the ids of what it yields. Never on the wire."""

    def changed(self, **attributes: Any) -> Self:
        """This one with some attributes other than they are."""
        return replace(self, **attributes)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is told: an organisation of the directory, in one role."""

    organisation_id: str
    role: str


class Event(Model):
    """A typed event. `topic` is also its CloudEvents type, since each topic carries one record type."""

    # A slot, since pydantic's private attributes cost ten times as much to read, and this one is read on every path.
    __slots__ = ("_envelope",)
    if TYPE_CHECKING:
        _envelope: Envelope

    topic: ClassVar[str] = ""

    @property
    def envelope(self) -> Envelope:
        try:
            return self._envelope
        except AttributeError:
            raise LookupError(f"this {type(self).__name__} has not been published or received") from None

    @property
    def is_said(self) -> bool:
        """Whether it has an envelope yet."""
        return hasattr(self, "_envelope")

    @property
    def at(self) -> datetime:
        """When it was said, UTC."""
        return self.envelope.time

    def enveloped(self, envelope: Envelope) -> Self:
        """This event with that envelope; the body is the same object's."""
        _put_envelope(self, envelope)
        return self

    @classmethod
    def because(
        cls,
        cause: Event | Alarm,
        *,
        subject: str,
        to: Recipient | None = None,
        disclosure: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> Self:
        """An event that follows from `cause`.

        Args:
            subject: the child, action or step it is about; two siblings in one incident are two ids.
            to: who is told. Required by a type that discloses, and then fills `disclosure.id` and its recipient.
            disclosure: the rest of the Disclosure block: purpose, lawful_basis, due_by, …
            fields: the body.

        Raises:
            pydantic.ValidationError: the body does not fit the schema.
        """
        told = to.organisation_id if to else None
        said = cause.envelope
        identity = _same_cause_same_id((said.source, said.id, said.heard_by, cls.topic, told, subject))
        if to is not None and "disclosure" in cls.model_fields:
            fields["disclosure"] = {
                "id": identity,
                "recipient": to.organisation_id,
                "recipient_role": to.role,
                **(disclosure or {}),
            }
        envelope = Envelope(
            id=identity,
            source=f"urn:safebus:{said.heard_by}",
            type=cls.topic,
            time=said.time,
            subject=subject,
            cause_id=said.id,
            cause_source=said.source,
            correlation_id=said.correlation_id or f"{said.source} {said.id}",
            traceparent=said.traceparent,
        )
        event: Self = cls.__pydantic_validator__.validate_python(fields)
        return event.enveloped(envelope)


_put_envelope = Event.__dict__["_envelope"].__set__
"""Past pydantic, which refuses to change an event. `object.__setattr__` would look for the slot each time."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A view's moment has come. The only cause whose "now" is a clock (DESIGN.md §1, rule 9)."""

    envelope: Envelope

    @property
    def at(self) -> datetime:
        return self.envelope.time


@dataclass(frozen=True, slots=True)
class Held:
    """A part of a decision that a person must take: it becomes a dead letter, and nothing is disclosed.

    `rule` is one of DOMAIN.md §4's (`H3`, …); `subject` an opaque id. The rest of the decision goes on.
    """

    rule: str
    subject: str
    recipient: str | None = None


def same_cause_same_id(*parts: str | None) -> UUID:
    """uuid5 over the canonical JSON of cause source, cause id, decider, type, recipient and subject."""
    return UUID(_same_cause_same_id(parts))


def _same_cause_same_id(parts: tuple[str | None, ...]) -> str:
    """uuid5 word for word (RFC 9562 §5.5), as text: making a UUID only to print it costs three times as much."""
    digits = sha1(_NAMESPACE_BYTES + to_json(parts), usedforsecurity=False).hexdigest()
    variant = _VARIANT[digits[16]]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


def heard(event: Event, by: str) -> Event:
    """`event` as the service `by` hears it."""
    return event.enveloped(event.envelope.changed(heard_by=by))
