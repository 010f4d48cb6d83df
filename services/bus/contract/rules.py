"""What every schema must keep to, besides being Avro. Each finding is a sentence that names the file and the field."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.bus.contract.identifiers import KINDS, PROPERTY
from services.bus.contract.schemas import TOPIC, Definition, read
from services.bus.envelope import Event

TYPES = {"null", "boolean", "int", "long", "string", "bytes", "record", "enum", "array"}
LOGICAL = {("long", "timestamp-micros"), ("int", "date"), ("string", "uuid")}
UNKNOWN = "UNKNOWN"

_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_TOPIC = re.compile(r"[a-z]+([.-][a-z]+)*\.v[1-9][0-9]*")


def findings(folder: Path) -> list[str]:
    """Where the schemas break a rule; empty when none does.

    Raises:
        CatalogueInvalid: they cannot be read at all.
    """
    named = read(folder)
    found = [
        f"{file}: {fault}" for file, body in named.values() for fault in _of_type(body, str(body.get("name")), named)
    ]
    classes = Counter(name for _, body in named.values() for name in _names(body))
    return found + [f"the name {name} stands for {count} types" for name, count in classes.items() if count > 1]


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _names(item)
    elif isinstance(node, dict):
        if node.get("type") in ("record", "enum"):
            yield node["name"]
        for key in ("type", "items", "fields"):
            yield from _names(node.get(key))


def _of_type(kind: Any, where: str, named: Any) -> Iterator[str]:
    if isinstance(kind, str):
        if kind not in TYPES and kind not in named:
            yield f"{where} has the type {kind}, which is none of ours; a shared type is written with its full name"
    elif isinstance(kind, list):
        if len(kind) != 2 or kind[0] != "null":
            yield f'{where} is a union; the only one allowed is ["null", …]'
        for branch in kind:
            yield from _of_type(branch, where, named)
    elif kind.get("type") == "record":
        yield from _of_record(kind, named)
    elif kind.get("type") == "enum":
        yield from _of_enum(kind)
    elif kind.get("type") == "array":
        yield from _of_type(kind.get("items"), where, named)
    else:
        yield from _of_primitive(kind, where, named)


def _of_primitive(kind: Definition, where: str, named: Any) -> Iterator[str]:
    yield from _of_type(kind.get("type"), where, named)
    logical = kind.get("logicalType")
    if logical and (kind["type"], logical) not in LOGICAL:
        yield f"{where} has the logical type {logical}; moments are timestamp-micros, days date, ids uuid"
    if PROPERTY in kind and (kind[PROPERTY] not in KINDS or kind["type"] != "string"):
        yield f"{where} is no string with an identifier of these kinds: {', '.join(KINDS)}"


def _of_enum(enum: Definition) -> Iterator[str]:
    name, symbols = enum["name"], enum.get("symbols", [])
    if not enum.get("doc"):
        yield f"{name} has no doc"
    if not symbols or symbols[0] != UNKNOWN or enum.get("default") != UNKNOWN:
        yield f"{name} must begin with {UNKNOWN} and have it as its default, or it can never grow"
    yield from (f"{name}: the symbol {symbol} must be in capitals" for symbol in symbols if symbol != symbol.upper())


def _of_record(record: Definition, named: Any) -> Iterator[str]:
    name = record["name"]
    if not record.get("doc"):
        yield f"{name} has no doc"
    if TOPIC in record and not _TOPIC.fullmatch(str(record[TOPIC])):
        yield f"{name}: a topic is lower case and ends with its version, such as police.incidents.v1"
    for field in record.get("fields", []):
        yield from _of_field(field, f"{name}.{field.get('name')}", named)


def _of_field(field: Definition, where: str, named: Any) -> Iterator[str]:
    if not _SNAKE.fullmatch(str(field.get("name"))):
        yield f"{where} must be in snake_case"
    if hasattr(Event, str(field.get("name"))):
        yield f"{where} would hide what every event has under that name"
    doc = field.get("doc", "")
    if not doc.endswith((".", ")")):
        yield f"{where} needs a doc in whole sentences"
    if isinstance(field.get("type"), list):
        if "Absent" not in doc:
            yield f'{where} may be null, so its doc must say when: "Absent when …"'
        if field.get("default", ...) is not None:
            yield f"{where} may be null, so null must be its default"
    yield from _of_type(field.get("type"), where, named)
