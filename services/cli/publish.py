"""`safebus publish`: one event from a JSON file, checked before anything is sent."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from io import BytesIO
from pathlib import Path
from typing import Any

import typer
from fastavro import schemaless_writer
from pydantic import ValidationError

from services.bus.catalogue.cluster import Cluster
from services.bus.codec import event_types
from services.bus.contract import Schema, identifiers, load
from services.bus.contract.identifiers import Fault
from services.bus.envelope import Event
from services.bus.errors import NotPermitted, Surroundings, Unacknowledged, UserMistake
from services.bus.publish import Publisher
from services.bus.run import broker_for
from services.bus.settings import Settings, settings

ESCAPED = 8
"""A file may be so many times larger than its event, since JSON may write each character as \\uXXXX."""

_SENTENCES = {
    "missing": "is missing",
    "extra_forbidden": "is not a field",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "timezone_aware": "lacks its offset from UTC, such as Z or +01:00",
}
_KINDS = {
    "string": "must be a text",
    "bool": "must be true or false",
    "int": "must be a whole number",
    "float": "must be a number",
    "list": "must be a list",
    "uuid": "must be a UUID",
    "datetime": "must be an ISO 8601 time, such as 2026-11-20T19:40:00Z",
    "date": "must be an ISO 8601 date, such as 2026-11-20",
    "bytes": "must be base64",
    "model": "must be an object",
}


def publish(kind: str, file: Path, principal: str, event_id: str | None, as_json: bool) -> None:
    """Check it, send it, and say under which id it is known.

    Raises:
        UserMistake: no such type, the file cannot be read, or the event is wrong or too large; nothing was sent.
        NotPermitted: this principal may not say this.
        Surroundings: the broker or the registry is away.
        Unacknowledged: unknown whether it was taken; the same again, with the same id, does no harm.
    """
    at = settings()
    topic = topic_of(kind)
    if event_id is not None and not event_id.strip():
        raise UserMistake("--id needs a text; leave it out for a new id")
    event = read_event(topic, _text(file, at.max_event_bytes * ESCAPED))
    check_size(event, at.max_event_bytes)
    said = asyncio.run(_send(event, principal, event_id, at)).envelope
    if as_json:
        typer.echo(json.dumps({"id": said.id, "source": said.source, "type": said.type, "time": said.time.isoformat()}))
    else:
        typer.echo(f"{said.type} taken: id {said.id}, source {said.source}")


def topic_of(kind: str) -> str:
    """The topic of an event type that is named by its topic, with or without its version, or by its record.

    Raises:
        UserMistake: there is none of that name.
    """
    names: dict[str, str] = {}
    for topic, schema in load().items():
        names |= dict.fromkeys(
            (topic, topic.rpartition(".v")[0], schema.record, schema.record.rpartition(".")[2]), topic
        )
    if kind in names:
        return names[kind]
    near = get_close_matches(kind, names, 3, 0.5)
    advice = f"did you mean {' or '.join(near)}" if near else f"there are {', '.join(load())}"
    raise UserMistake(f"there is no event type {kind}; {advice}")


def read_event(topic: str, text: bytes) -> Event:
    """The event of that topic with this JSON body.

    Raises:
        UserMistake: every field that is wrong, by its JSON pointer, one a line; never its value.
    """
    try:
        event = event_types()[topic].model_validate_json(text)
    except ValidationError as error:
        faults = list(_faults(error))
        if error.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid":
            raise UserMistake(f"not sent, since the file is not JSON{_place(text)}") from None
        with suppress(
            ValueError, TypeError, AttributeError, RecursionError
        ):  # what was found before something of no shape stays
            faults.extend(identifiers.faults(json.loads(text), load()[topic].checks))
    else:
        faults = load()[topic].faults(event)
        if not faults:
            return event
    lines = (f"  {pointer or 'the file'} {reason}" for pointer, reason in faults)
    fields = "1 field is" if len(faults) == 1 else f"{len(faults)} fields are"
    raise UserMistake("\n".join((f"not sent, since {fields} wrong for {topic}:", *lines)))


def _place(text: bytes) -> str:
    """Where it stops being JSON, if that can be said."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f": see its line {error.lineno}, column {error.colno}" if text.strip() else ": it is empty"
    except RecursionError:
        return ": it is nested too deeply"
    except ValueError:
        pass
    return ""


def check_size(event: Event, most: int) -> None:
    """An event's body may have at most so many bytes.

    Raises:
        UserMistake: it has more; the sentence names its largest field.
    """
    schema = load()[event.topic]
    size = _encoded_size(schema, event)
    if size > most:
        held = {field: len(json.dumps(value, default=str)) for field, value in event.model_dump(mode="json").items()}
        largest = max(held, key=held.__getitem__)
        raise UserMistake(
            f"not sent, since it has {size} bytes and at most {most} are taken; /{largest} is the largest"
        )


def _encoded_size(schema: Schema, event: Event) -> int:
    out = BytesIO()
    schemaless_writer(out, schema.parsed, event.model_dump(by_alias=True))
    return out.tell()


def _text(file: Path, most: int) -> bytes:
    name = "standard input" if str(file) == "-" else str(file)
    try:
        if str(file) == "-":
            text = sys.stdin.buffer.read(most + 1)
        else:
            with file.open("rb") as opened:
                text = opened.read(most + 1)
    except OSError as error:
        raise UserMistake(f"{file} cannot be read: {error.strerror}") from None
    if len(text) > most:
        raise UserMistake(f"not sent, since {name} has more than {most} bytes")
    return text.removeprefix(b"\xef\xbb\xbf")


def _faults(error: ValidationError) -> Iterator[Fault]:
    for fault in error.errors(include_url=False, include_input=False):
        pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in fault["loc"])
        yield pointer, _sentence(fault["type"], fault.get("ctx", {}))


def _sentence(kind: str, context: dict[str, Any]) -> str:
    """pydantic's kind of fault in words of ours; its own may quote the value."""
    if kind in _SENTENCES:
        return _SENTENCES[kind].format_map(context)
    return _KINDS.get(kind.partition("_")[0], f"is wrong ({kind.replace('_', ' ')})")


async def _send(event: Event, principal: str, event_id: str | None, at: Settings) -> Event:
    try:
        async with Publisher(principal, at) as bus:
            return (await bus.publish([bus.envelope(event, event_id)]))[0]
    except (Surroundings, TimeoutError) as error:
        # aiokafka says the same of a wrong password and of a broker that is away; this says which it is.
        await asyncio.to_thread(Cluster(broker_for(at, principal).confluent()).cluster_id)
        raise error if isinstance(error, Surroundings) else Surroundings("Kafka did not take it in time") from None
    except Unacknowledged as error:
        # A topic that one may read but not write is refused only here.
        if "Authorization" in type(error.__cause__).__name__:
            raise NotPermitted(f"{principal} may not say {event.topic}: topics.yaml does not list it there") from None
        raise
