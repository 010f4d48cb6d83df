"""One record as a service hears it: decoded, or with what is wrong with it, and by what it is known again."""

from __future__ import annotations

from hashlib import blake2b

from msgspec import Struct

from services.bus.broker import Record
from services.bus.codec import Codec, digest, envelope_of, identity
from services.bus.envelope import Envelope, Event
from services.bus.errors import Unfit

RETRY_HEADER = "safebus_retry"
"""A dead letter's original record, published again with this header, is decided once more."""


TO_BE_LEARNT = frozenset({"unknown_schema", "wrong_type"})
"""Reasons for which a record may only seem unfit: the registry has not been asked about its schema, or not lately."""


class Unlearnt(Exception):
    """Such a record is among them: ask the registry (`Codec.learn`), then hear them again."""


class Heard(Struct):
    """One record, decoded or not."""

    record: Record
    event: Event | None = None
    fault: Unfit | None = None
    envelope: Envelope | None = None
    id: bytes = b""
    digest: bytes = b""
    retry: bool = False
    was_done: bool = False
    """A recovery knows that it took effect: whatever would be decided about it today, it is not refused."""
    remembered_by: str | None = None
    """The key of the service's view, if the event has one."""

    @property
    def raw(self) -> bytes:
        """16 bytes of the body as it came: what is known of an event that could not be decoded."""
        return blake2b(self.record.value or b"", digest_size=16).digest()

    @property
    def key_hash(self) -> bytes:
        """16 bytes of topic and key: whose order a retry may not break."""
        return blake2b(self.record.topic.encode() + b"\0" + (self.record.key or b""), digest_size=16).digest()


def hear(record: Record, codec: Codec, service: str) -> Heard:
    """Decode; a fault is kept, not raised."""
    headers = dict(record.headers)
    heard = Heard(record, retry=RETRY_HEADER in headers)
    try:
        heard.event = codec.decode(record, headers, service)
        heard.envelope = heard.event.envelope
        heard.digest = digest(heard.event)
    except Unfit as fault:
        fault.__traceback__ = fault.__context__ = None  # they would hold the batch, in a cycle with it
        heard.fault = fault
        if fault.code != "no_identity":
            try:
                heard.envelope = envelope_of(headers, record.topic, service)
            except Unfit:
                return heard
        heard.digest = heard.raw
    if heard.envelope:
        heard.id = identity(heard.envelope)
    return heard
