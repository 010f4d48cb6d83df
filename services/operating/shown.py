"""A dead letter as an operator may see it: a JSON object, in which whatever may be personal is masked."""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Any, Final

from fastavro import parse_schema, schemaless_reader
from pydantic_core import to_jsonable_python

from services.bus.codec import event_types
from services.bus.errors import Surroundings, UserMistake
from services.bus.events import OperatorAct, OperatorActed
from services.bus.heard import Heard
from services.bus.registry import Registry
from services.bus.settings import Settings
from services.operating import masking
from services.operating.letters import Letter, Original, fetched, heard_original
from services.operating.meaning import meaning
from services.operating.reading import Log

_HEAD: Final = struct.Struct(">bI")


def summary(one: Letter, now: datetime) -> dict[str, Any]:
    """What lists show of it: ids, codes, times and our own words."""
    said = one.said
    return {
        "id": one.id,
        "state": one.state.value,
        "urgency": one.urgency.name.lower(),
        "reason": one.code,
        "service": said.service,
        "origin_topic": said.origin_topic,
        "happened_at": said.happened_at.isoformat(),
        "age_seconds": max(0, round((now - said.happened_at).total_seconds())),
        "became": one.became,
        "again": one.again,
        "retry": meaning(said).retry.value if not one.is_retry else "never",
    }


def whole(one: Letter, now: datetime, others: Sequence[Letter]) -> dict[str, Any]:
    """All of it but the original's content. `others` are dead letters of the same event."""
    said, what = one.said, meaning(one.said)
    return summary(one, now) | {
        "field": said.field,
        "explanation": said.explanation,
        "means": what.says,
        "do": what.do,
        "origin": {
            "topic": said.origin_topic,
            "partition": said.origin_partition,
            "offset": said.origin_offset,
            "time": said.origin_time.isoformat() if said.origin_time else None,
            "event_id": masking.opaque(said.event_id),
            "event_source": masking.source(said.event_source, confidential=None),
            "cause_id": masking.opaque(_header(one, "ce_causeid")),
            "bytes": said.body_claim.size if said.body_claim else len(said.body or b""),
            "by_claim_check": said.body_claim is not None,
        },
        "subject": masking.opaque(said.subject),
        "recipient": said.recipient,
        "is_retry": one.is_retry,
        "others": [{"id": other.id, "service": other.said.service, "reason": other.code} for other in others],
        "acts": [act_of(act) for act in _told(one.acts)],
    }


def _told(acts: Sequence[OperatorActed]) -> list[OperatorActed]:
    """Without the steps of a retry whose outcome is known."""
    steps = (OperatorAct.RETRYING, OperatorAct.RETRIED)
    known = any(act.act is OperatorAct.RETRIED and act.became for act in acts)
    return [act for act in acts if not (known and act.act in steps and not act.became)]


def act_of(act: OperatorActed) -> dict[str, Any]:
    """One act."""
    return {
        "act": act.act.value,
        "by": act.by,
        "at": act.acted_at.isoformat(),
        "reason": act.reason,
        "became": act.became,
    }


async def content(log: Log, one: Letter, at: Settings, *, reveal: bool) -> dict[str, Any]:
    """What the original says, masked unless it is to be revealed, which must stand in the log of acts by now."""
    try:
        came = await fetched(one.said, at)
        heard = await heard_original(log, one.said, came)
    except (Surroundings, UserMistake) as away:
        return {"unreadable": str(away)}
    if reveal:
        said: Any = masking.revealed(heard.event) if heard is not None and heard.event is not None else None
        said = said or await _by_its_schema(at, came.body) or _text(came.body)
        return {"key": _text(came.key), "headers": _headers(came), "content": said}
    return {"content": _masked(one, heard)}


def _masked(one: Letter, heard: Heard | None) -> dict[str, Any]:
    if heard is None or heard.event is None:
        code = heard.fault.code if heard and heard.fault else one.said.reason_code
        return {"unreadable": f"it is not shown, since it cannot be read as {one.said.origin_topic} ({code})"}
    return masking.masked(heard.event)


async def _by_its_schema(at: Settings, body: bytes | None) -> Any:
    """What a body says that is no valid event but can be read with the schema that it names; None if it cannot."""
    if not body or len(body) < _HEAD.size or body[0] != 0:
        return None
    try:
        definition = await Registry(at.registry_url, at.cache_dir).schema(_HEAD.unpack_from(body)[1])
        read = schemaless_reader(BytesIO(body[_HEAD.size :]), parse_schema(definition or {}), None)
    except Exception:  # noqa: BLE001 - fastavro raises whatever the bytes lead it to
        return None
    return to_jsonable_python(read, bytes_mode="base64")


def _headers(came: Original) -> list[list[str | None]]:
    return [[name, _text(value)] for name, value in came.headers]


def _text(value: bytes | None) -> str | None:
    """UTF-8 where it is, else base64 and said so."""
    if value is None:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"base64:{b64encode(value).decode()}"
    return text if text.isprintable() else f"base64:{b64encode(value).decode()}"


def _header(one: Letter, name: str) -> str | None:
    value = next((header.value for header in one.said.headers if header.name == name), None)
    return value.decode("utf-8", "replace") if value else None


def same_event(one: Letter, everything: Sequence[Letter]) -> list[Letter]:
    """Other dead letters about the same event, at any service."""
    ours = (one.said.origin_topic, one.said.event_source, one.said.event_id)
    if not one.said.event_id or one.said.origin_topic not in event_types():
        return []
    return [
        other
        for other in everything
        if other.id != one.id and (other.said.origin_topic, other.said.event_source, other.said.event_id) == ours
    ]
