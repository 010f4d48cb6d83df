"""Events to bytes and back: Avro in the Confluent wire format, CloudEvents attributes in the headers.

An id of the registry proves little, since a registry that was made anew numbers anew. So each record says in
`ce_dataschema` which schema wrote it, and a reader compares that with what the id leads to (DESIGN.md §3).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from hashlib import blake2b
from io import BytesIO
from typing import Any, Protocol

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from pydantic import ValidationError

from services.bus import events as generated
from services.bus.broker import Record
from services.bus.contract import Schema, load
from services.bus.contract.schemas import fingerprint_of
from services.bus.envelope import Envelope, Event
from services.bus.errors import Surroundings, Unfit

DATASCHEMA = "urn:safebus:{record}:{fingerprint}"
_HEAD = struct.Struct(">bI")
_MAGIC = 0

MANY = 1024
"""Ways to read that are remembered: a few for each schema, unless somebody plays with the header."""


class Schemas(Protocol):
    """What the codec asks of a registry."""

    async def schema(self, schema_id: int, *, fresh: bool = False) -> dict[str, Any] | None: ...
    async def id_of(self, subject: str, schema: Mapping[str, Any], fingerprint: str) -> int: ...


@cache
def event_types() -> Mapping[str, type[Event]]:
    """Every event type of the contract, by topic."""
    found = (kind for kind in vars(generated).values() if isinstance(kind, type) and issubclass(kind, Event))
    return {kind.topic: kind for kind in found if kind.topic}


@dataclass(frozen=True, slots=True)
class _Writer:
    """The schema that an id leads to, and whether it is word for word the one we read with."""

    record: str
    fingerprint: str
    parsed: Any
    same: bool


class Codec:
    """Encodes what one service emits and decodes what it hears."""

    def __init__(self, registry: Schemas, keys: Mapping[str, str]) -> None:
        """`keys` names, for each topic, the body's field that is its Kafka key (topics.yaml)."""
        self._registry = registry
        self._keys = keys
        self._schemas: Mapping[str, Schema] = load()
        self._ids: dict[str, tuple[bytes, bytes]] = {}
        self._writers: dict[tuple[str, int], _Writer | None] = {}
        self._proven: dict[tuple[str, bytes, bytes | None], tuple[Any, Any]] = {}
        """By topic, head of the body and what its header claims: the two schemas to read it with."""
        self._alike: dict[tuple[str, str], list[tuple[str, bytes]]] = {}

    async def prepare(self, topics: Iterable[str]) -> None:
        """Learn the ids of the schemas to write with.

        Raises:
            Surroundings: one of them cannot be had yet.
        """
        for topic in topics:
            schema = self._schema(topic)
            number = await self._registry.id_of(f"{topic}-value", schema.definition, schema.fingerprint)
            dataschema = DATASCHEMA.format(record=schema.record, fingerprint=schema.fingerprint)
            self._ids[topic] = (_HEAD.pack(_MAGIC, number), dataschema.encode())

    def encode(self, event: Event) -> bytes:
        """The event's body. `prepare` must have been awaited for its topic."""
        head, _ = self._ids[event.topic]
        out = BytesIO()
        out.write(head)
        # The serialiser itself, here and below: pydantic's methods around it cost as much again.
        content = event.__pydantic_serializer__.to_python(event, by_alias=True)
        schemaless_writer(out, self._schemas[event.topic].parsed, content)
        return out.getvalue()

    def key_of(self, event: Event) -> bytes:
        """The record's key. A dead letter has its origin's."""
        if isinstance(event, generated.DeadLetter):
            return event.key or b""
        return str(getattr(event, self._keys[event.topic])).encode()

    def headers(self, envelope: Envelope, time: bytes = b"") -> list[tuple[str, bytes]]:
        """The envelope as header names and values; `time`, ISO 8601, instead of its own, if given."""
        pairs = [
            *self._always(envelope.type, envelope.source),
            ("ce_id", envelope.id.encode()),
            ("ce_time", time or envelope.time.isoformat().encode()),
            ("ce_correlationid", envelope.correlation_id.encode()),
        ]
        if envelope.subject:
            pairs.append(("ce_subject", envelope.subject.encode()))
        if envelope.cause_id:
            pairs.append(("ce_causeid", envelope.cause_id.encode()))
            pairs.append(("ce_causesource", (envelope.cause_source or "").encode()))
        if envelope.traceparent:
            pairs.append(("traceparent", envelope.traceparent.encode()))
        return pairs

    def _always(self, topic: str, source: str) -> list[tuple[str, bytes]]:
        """What each event of one type and source has alike."""
        if (topic, source) not in self._alike:
            self._alike[topic, source] = [
                ("ce_specversion", b"1.0"),
                ("ce_source", source.encode()),
                ("ce_type", topic.encode()),
                ("ce_dataschema", self._ids[topic][1]),
                ("content-type", b"application/avro"),
            ]
        return self._alike[topic, source]

    async def learn(self, records: Iterable[Record]) -> None:
        """Fetch the writers' schemas that these records name and that are not known yet.

        Raises:
            Surroundings: the registry is away. Nothing is decided about these records until it answers.
        """
        asked: set[tuple[str, int, str | None]] = set()
        for record in records:
            value = record.value
            if value is None or len(value) < _HEAD.size or value[0] != _MAGIC:
                continue
            number = _HEAD.unpack_from(value)[1]
            claimed = _claimed(dict(record.headers).get("ce_dataschema"))
            at = (record.topic, number)
            known = self._writers.get(at)
            if (known is None or (claimed and claimed != known.fingerprint)) and (*at, claimed) not in asked:
                asked.add((*at, claimed))
                self._writers[at] = await self._fetch(record.topic, number, claimed)

    async def _fetch(self, topic: str, number: int, claimed: str | None) -> _Writer | None:
        definition = await self._registry.schema(number)
        found = self._writer(topic, definition)
        if definition is None or (claimed and (found is None or found.fingerprint != claimed)):
            found = self._writer(topic, await self._registry.schema(number, fresh=True))
        return found

    def _writer(self, topic: str, definition: dict[str, Any] | None) -> _Writer | None:
        if definition is None:
            return None
        try:
            fingerprint, parsed = fingerprint_of(definition), parse_schema(definition)
        except Exception:  # noqa: BLE001 - whatever else the registry holds, it is none of ours
            return _Writer("", "", None, same=False)
        record = str(definition.get("name", ""))
        if "." not in record and definition.get("namespace"):
            record = f"{definition['namespace']}.{record}"
        same = fingerprint == self._schema(topic).fingerprint
        return _Writer(record, fingerprint, self._schema(topic).parsed if same else parsed, same)

    def decode(self, record: Record, held: Mapping[str, bytes | None], heard_by: str) -> Event:
        """The event that a record carries, as `heard_by` hears it. `learn` must have been awaited for it.

        Args:
            held: the record's headers by name.

        Raises:
            Unfit: with the code no_identity, undecodable, unknown_schema, wrong_type or invalid.
        """
        topic, value = record.topic, record.value
        envelope = envelope_of(held, topic, heard_by)
        if value is None or len(value) < _HEAD.size or value[0] != _MAGIC:
            raise Unfit("the body is not in the Confluent wire format", code="undecodable")
        named = (topic, value[: _HEAD.size], held.get("ce_dataschema"))
        schemas = self._proven.get(named) or self._schemas_of(*named)
        if envelope.type != topic:
            raise Unfit(f"{topic} carries {self._schema(topic).record} only", code="wrong_type")
        body = BytesIO(value)
        body.seek(_HEAD.size)
        try:
            content = schemaless_reader(body, *schemas)
        except Exception:  # noqa: BLE001 - fastavro raises whatever the bytes lead it to; its text may hold content
            raise Unfit("the body does not follow its schema", code="undecodable") from None
        if body.tell() != len(value):
            raise Unfit("bytes are left over after the body", code="undecodable")
        return validated(topic, content).enveloped(envelope)

    def _schemas_of(self, topic: str, head: bytes, dataschema: bytes | None) -> tuple[Any, Any]:
        """With which schema such a body was written, and with which to read it if that is another."""
        writer = self._writers.get((topic, _HEAD.unpack(head)[1]))
        if writer is None:
            raise Unfit("the registry does not know the schema id", code="unknown_schema")
        schema, claimed = self._schema(topic), _claimed(dataschema)
        if writer.record != schema.record:
            raise Unfit(f"{topic} carries {schema.record} only", code="wrong_type")
        if claimed and claimed != writer.fingerprint:
            raise Unfit("the schema id leads to another schema than the one that wrote it", code="wrong_type")
        found = (writer.parsed, None if writer.same else schema.parsed)
        if claimed and len(self._proven) < MANY:  # else the id alone says it, and may lead elsewhere tomorrow
            self._proven[topic, head, dataschema] = found
        return found

    def _schema(self, topic: str) -> Schema:
        return self._schemas[topic]


def validated(topic: str, content: Mapping[str, Any]) -> Event:
    """The event of that topic with this content.

    Raises:
        Unfit: `invalid`, with the JSON pointer of the first field that is wrong, never its value.
    """
    try:
        event = event_types()[topic].__pydantic_validator__.validate_python(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        pointer = "".join(f"/{part}" for part in first["loc"])
        raise Unfit(f"{pointer}: {_sentence(first['type'])}", code="invalid", field=pointer) from None
    for pointer, reason in load()[topic].faults(event):
        raise Unfit(f"{pointer}: {reason}", code="invalid", field=pointer)
    return event  # type: ignore[no-any-return]


def _sentence(kind: str) -> str:
    """pydantic's error kind in words; its own message may quote the value."""
    return {"missing": "is missing", "extra_forbidden": "is not a field"}.get(kind, kind.replace("_", " "))


_ATTRIBUTES = (
    "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_causeid", "ce_causesource", "ce_correlationid",
    "traceparent",
)  # fmt: skip


def envelope_of(held: Mapping[str, bytes | None], topic: str, heard_by: str) -> Envelope:
    """The CloudEvents attributes of a record, from its headers by name.

    Raises:
        Unfit: `no_identity` without id or source; `invalid` with a time that is none.
    """

    get = held.get
    try:
        event_id, source, kind, time, subject, cause_id, cause_source, correlation, traceparent = [
            value.decode() if (value := get(name)) else None for name in _ATTRIBUTES
        ]
    except UnicodeDecodeError:
        raise Unfit("a header is not UTF-8", code="no_identity", field="headers") from None
    if not (event_id and source):
        raise Unfit("an event needs the headers ce_id and ce_source", code="no_identity", field="headers")
    return Envelope(
        event_id,
        source,
        kind or topic,
        _moment(time),
        subject,
        cause_id,
        cause_source,
        correlation or "",
        traceparent,
        heard_by,
    )


def _moment(said: str | None) -> datetime:
    try:
        time = datetime.fromisoformat(said or "")
        utc = time if time.tzinfo is UTC else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unfit("the header ce_time is not an ISO 8601 time", code="invalid", field="ce_time") from None
    if time.tzinfo is None:
        raise Unfit("the header ce_time lacks its offset from UTC", code="invalid", field="ce_time")
    return utc


@lru_cache(maxsize=1024)
def _claimed(dataschema: bytes | None) -> str | None:
    """The fingerprint of the schema that a record says it was written with."""
    if dataschema and dataschema.startswith(b"urn:safebus:"):
        return dataschema.rpartition(b":")[2].decode("ascii", "replace")
    return None


def identity(envelope: Envelope) -> bytes:
    """16 bytes of source and id together: what "the same event" means."""
    return blake2b(f"{envelope.source}\0{envelope.id}".encode(), digest_size=16).digest()


def digest(event: Event) -> bytes:
    """16 bytes of the decoded content. Defaults are left out, so a field that is added later changes nothing."""
    content = event.__pydantic_serializer__.to_json(event, exclude_defaults=True)
    return blake2b(content, digest_size=16).digest()


async def wait_prepared(codec: Codec, topics: Collection[str], waiting: Any) -> None:
    """Prepare with backoff until the registry answers; `waiting(reason)` is told why each time."""
    delay = 0.2
    while True:
        try:
            return await codec.prepare(topics)
        except Surroundings as error:
            waiting(str(error))
            await asyncio.sleep(delay)
            delay = min(delay * 2, 10)
