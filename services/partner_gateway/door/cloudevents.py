"""CloudEvents 1.0 over HTTP → events: structured and binary mode, and all that is wrong with one that is refused.

Pure. Pointers are into the event's structured form (`/id`, `/data/child_id`), in whichever mode it came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote_to_bytes

from services.bus.contract.identifiers import Fault
from services.bus.envelope import Envelope, Event
from services.bus.outside import Faulty, event_from_json, pointer_of
from services.partner_gateway.door.ground import without_ground
from services.web.problems import Problem

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
BINARY = "application/json"

LONGEST = 256
"""Characters of an id, a source or a subject."""

FUTURE = timedelta(days=1)
"""As the loop has it: what lies later is no time to decide by."""

MOST_FAULTS = 100
"""In one answer, which may not be many times longer than the request."""

_OURS = ("id", "source", "type", "specversion", "time", "subject", "datacontenttype", "dataschema", "traceparent")
_KNOWN = frozenset((*_OURS, "data", "data_base64"))
_SOURCE = re.compile(r"[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_NAME = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Said:
    """One CloudEvent as it came."""

    attributes: Mapping[str, Any]
    data: bytes | None
    """One JSON value, read strictly already."""
    faults: tuple[Fault, ...] = ()
    """What is wrong with its form."""

    @property
    def id(self) -> str | None:
        """If it has one that may be repeated in an answer."""
        found = self.attributes.get("id")
        return found if isinstance(found, str) and reason_against(found) is None else None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Who sends, and which times are near enough to decide by."""

    organisation: str
    now: datetime
    oldest: datetime


def json_of(text: bytes) -> Any:
    """The value of a JSON text, read strictly: UTF-8, no member twice, no NaN.

    Raises:
        Problem: 400 malformed-json.
    """
    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_never)
    except (ValueError, RecursionError):
        detail = "the body is not JSON in UTF-8, or an object in it has a member twice"
        raise Problem(400, "malformed-json", detail) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _never(_constant: str) -> None:
    raise ValueError


def structured(item: Any) -> Said:
    """An event that was sent whole as one JSON object, alone or in a batch."""
    if not isinstance(item, dict):
        return Said({}, None, (("", "must be an object"),))
    item = {name: value for name, value in item.items() if value is not None or name == "data"}  # null: not there
    faults = [(pointer_of(name), "must be a string") for name in _OURS if not isinstance(item.get(name, ""), str)]
    if "data_base64" in item:
        faults.append(("/data_base64", "is not taken: send the content as JSON in data"))
    faults += [
        (pointer_of(name) if len(name) <= LONGEST else "", "is no name of a CloudEvents attribute")
        for name in item
        if name not in _KNOWN and not _NAME.fullmatch(name)
    ]
    data = json.dumps(item["data"]).encode() if "data" in item else None
    return Said({name: value for name, value in item.items() if isinstance(value, str)}, data, tuple(faults))


def binary(headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Said:
    """An event whose attributes came as `ce-` headers, percent-encoded, and whose body is its data.

    Raises:
        Problem: 400 malformed-json.
    """
    found: dict[str, Any] = {}
    faults: list[Fault] = []
    for raw, value in headers:
        name = raw.decode("latin-1").lower()
        if name == "traceparent" and _TRACEPARENT.fullmatch(given := value.decode("latin-1")):
            found[name] = given  # one that is none is left out: something on the way may have added it
        if not name.startswith("ce-"):
            continue
        name = name.removeprefix("ce-")
        if name in found:
            faults.append((pointer_of(name), "is there twice"))
        try:
            found[name] = unquote_to_bytes(value.decode("ascii")).decode("utf-8")
        except UnicodeError:
            faults.append((pointer_of(name), "is not percent-encoded UTF-8"))
            found.setdefault(name, "")
    if body:
        json_of(body)
    return Said(found, body or None, tuple(faults))


def event_of(said: Said, topic: str, bounds: Bounds) -> Event:
    """The event, with its envelope, ready to publish.

    Raises:
        Problem: 422 with everything that is wrong with it, or 403 for a source that is not the sender's own.
    """
    faults = [*said.faults, *_of_attributes(said.attributes, topic, {pointer for pointer, _ in said.faults})]
    source = said.attributes.get("source")
    own = f"urn:safebus:{bounds.organisation}"
    if isinstance(source, str) and source != own and not source.startswith((f"{own}/", f"{own}:")):
        detail = f"an event's source must be {own}, or begin with that and a slash or a colon"
        if not any(pointer == "/source" for pointer, _ in faults):
            raise Problem(403, "wrong-source", detail, errors=[("/source", "is not this organisation's")])
    time, late = _time(said.attributes.get("time"), bounds)
    event = None
    try:
        if said.data is None:
            faults.append(("/data", "is missing"))
        else:
            event = event_from_json(topic, said.data)
    except Faulty as faulty:
        faults += [(f"/data{pointer}", reason) for pointer, reason in faulty.faults]
    faults += [("/time", reason) for reason in late if not any(pointer == "/time" for pointer, _ in faults)]
    if faults or event is None:
        raise unfit(faults)
    without_ground(event)
    event_id = said.attributes["id"]
    return event.enveloped(
        Envelope(
            id=event_id,
            source=str(source),
            type=topic,
            time=time,
            subject=said.attributes.get("subject"),
            correlation_id=f"{source} {event_id}",
            traceparent=said.attributes.get("traceparent"),
        )
    )


def unfit(faults: list[Fault]) -> Problem:
    """The answer to an event that does not fit its schema or the form of CloudEvents."""
    shown = faults[:MOST_FAULTS]
    more = f"; the first {MOST_FAULTS} of {len(faults)} faults are listed" if len(faults) > MOST_FAULTS else ""
    return Problem(422, "invalid-event", f"the event is not as its type's schema has it{more}", errors=shown)


def _of_attributes(said: Mapping[str, Any], topic: str, known: set[str]) -> Iterable[Fault]:
    """What is wrong with the attributes, but for those that something is known against."""
    for name in ("id", "source", "specversion", "type"):
        if name not in said and f"/{name}" not in known:
            yield f"/{name}", "is missing"
    for name in ("id", "source", "subject"):
        if name in said and f"/{name}" not in known and (reason := reason_against(said[name])):
            yield f"/{name}", reason
    if said.get("id") in (".", ".."):
        yield "/id", "is no name: it cannot stand in an address"
    if (source := said.get("source")) and not _SOURCE.fullmatch(source) and "/source" not in known:
        yield "/source", "must be a URI"
    if said.get("specversion", "1.0") != "1.0":
        yield "/specversion", "must be 1.0"
    if said.get("type", topic) != topic:
        yield "/type", "must be the type that the address names"
    kind, _, parameters = said.get("datacontenttype", BINARY).partition(";")
    if kind.strip().lower() != BINARY or parameters.strip().lower() not in ("", "charset=utf-8"):
        yield "/datacontenttype", "must be application/json"
    if "traceparent" in said and not _TRACEPARENT.fullmatch(said["traceparent"]):
        yield "/traceparent", "is not as W3C Trace Context has it"


def reason_against(value: str) -> str | None:
    """Why this can be no id, source or subject, and so stands in no header, address or table; None when it can."""
    if not value.strip():
        return "may not be empty"
    if len(value) > LONGEST:
        return f"may have {LONGEST} characters at most"
    if value != value.strip() or not value.isprintable():
        return "may hold no control character and no space but the plain one, and not begin or end with that"
    return None


def _time(said: Any, bounds: Bounds) -> tuple[datetime, list[str]]:
    """When it was said; when that is not given, now. And what is wrong with it."""
    if not isinstance(said, str):
        return bounds.now, []
    try:
        time = datetime.fromisoformat(said)
        if time.tzinfo is None:
            return bounds.now, ["must have its offset from UTC, such as Z"]
        time = time.astimezone(UTC)
    except (ValueError, OverflowError):
        return bounds.now, ["must be an ISO 8601 time"]
    if time > bounds.now + FUTURE:
        return time, ["lies more than a day ahead"]
    if time < bounds.oldest:
        return time, ["lies further back than the bus remembers ids"]
    return time, []
