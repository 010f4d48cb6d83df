"""What could not be processed, kept whole and put before a person (DESIGN.md §1, rule 7).

The origin's bytes and headers are kept, by claim check if they are large. The explanation names fields, never values.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic_core import to_json

from services.bus.broker import Header, Record
from services.bus.claims import Claims
from services.bus.envelope import Alarm, Envelope, Held, same_cause_same_id
from services.bus.errors import Unfit
from services.bus.events import DeadLetter

LARGE = 256_000
"""A body of more bytes than this goes by claim check."""

WHOLE_RECORD = "application/vnd.safebus.record+json"
"""A record as JSON: key, value, and headers as [name, value]; names are text, the rest is base64 or null."""

HELD = "held"


def dead_letter(
    record: Record,
    topic_id: str,
    fault: Unfit | Held,
    *,
    service: str,
    envelope: Envelope | None,
    now: datetime,
    claims: Claims,
    by_claim: bool = False,
) -> DeadLetter:
    """The dead letter of one record, or of one held part of a decision about it.

    `by_claim` puts the whole record, with its key, headers and ids, where the claim check says: for a record that has
    something else than its body that is too large.

    Raises:
        Surroundings: the store of large documents is away.
    """
    held = fault if isinstance(fault, Held) else None
    unfit = fault if isinstance(fault, Unfit) else None
    code = unfit.code if unfit else HELD
    rule, recipient, subject = (held.rule, held.recipient, held.subject) if held else (None, None, None)
    # A retry stands at another offset, so it is another dead letter; a redelivery is the same one.
    letter_id = same_cause_same_id(
        service, topic_id, str(record.partition), str(record.offset), code, rule, recipient, subject
    )
    body = None if by_claim else record.value
    claim = claims.put(body, "application/octet-stream") if body and len(body) > LARGE else None
    if by_claim:
        claim = claims.put(_whole(record), WHOLE_RECORD)
        envelope = subject = recipient = None
    letter = DeadLetter(
        dead_letter_id=letter_id,
        service=service,
        reason_code=code,
        rule=rule,
        field=unfit.field if unfit else None,
        explanation=str(unfit) if unfit else f"rule {rule} asks for a person here; nothing was disclosed",
        origin_topic=record.topic,
        origin_partition=record.partition,
        origin_offset=record.offset,
        origin_time=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        event_id=envelope.id if envelope else None,
        event_source=envelope.source if envelope else None,
        body=None if claim else body,
        headers=[] if by_claim else [{"name": name, "value": value} for name, value in record.headers],
        body_claim=claim,
        key=None if by_claim else record.key,
        subject=subject,
        recipient=recipient,
        happened_at=now,
    )
    said = Envelope(
        id=str(letter_id),
        source=f"urn:safebus:{service}",
        type=DeadLetter.topic,
        time=now,
        cause_id=envelope.id if envelope else None,
        cause_source=envelope.source if envelope else None,
        correlation_id=(envelope.correlation_id or f"{envelope.source} {envelope.id}") if envelope else "",
        heard_by=service,
    )
    return letter.enveloped(said)


def held_by_alarm(alarm: Alarm, held: Held, *, key: str, claims: Claims) -> DeadLetter:
    """The dead letter of a held part of what an alarm led to: its origin is no event, but a moment that was waited for.

    Rung again after a recovery, it is the same one.
    """
    said = alarm.envelope
    moment = _Moment(said.type, key.encode(), int(said.time.timestamp() * 1000))
    return dead_letter(moment, said.id, held, service=said.heard_by, envelope=said, now=said.time, claims=claims)


class _Moment(NamedTuple):
    """An alarm in the place of a record: it stands nowhere."""

    topic: str
    key: bytes
    timestamp: int
    partition: int = 0
    offset: int = -1
    value: bytes | None = None
    headers: Sequence[Header] = ()


def _whole(record: Record) -> bytes:
    pairs = [(name, _base64(value)) for name, value in record.headers]
    return to_json({"key": _base64(record.key), "value": _base64(record.value), "headers": pairs})


def _base64(value: bytes | None) -> str | None:
    return None if value is None else b64encode(value).decode()
