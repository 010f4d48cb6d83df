"""Whether two versions of a schema can each read what the other wrote: FULL compatibility, and stricter.

Apache's checker is asked in both directions. It, like the registries, lets pass what does harm here: another logical
type (micros read as millis), a symbol taken away (old events turn into UNKNOWN), a type with another name. So no type
of a field may change at all.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import avro.schema
import fastavro
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from services.bus.contract.identifiers import PROPERTY
from services.bus.contract.schemas import TOPIC, Definition


def incompatibilities(older: Definition, newer: Definition) -> list[str]:
    """What keeps two self-contained definitions apart, a sentence each, naming the field; empty when nothing does."""
    return [*_ours(older, newer), *_apaches(older, newer)]


def _apaches(older: Definition, newer: Definition) -> Iterator[str]:
    parsed = {"older": avro.schema.parse(json.dumps(older)), "newer": avro.schema.parse(json.dumps(newer))}
    for reader, writer in (("newer", "older"), ("older", "newer")):
        result = ReaderWriterCompatibilityChecker().get_compatibility(parsed[reader], parsed[writer])
        if result.compatibility is not SchemaCompatibilityType.compatible:
            kinds = sorted({kind.value.replace("_", " ") for kind in result.incompatibilities})
            why = ", ".join([*kinds, *sorted(result.messages)])
            yield f"Apache Avro: the {reader} version cannot read what the {writer} wrote: {why}"


def _ours(older: Definition, newer: Definition) -> Iterator[str]:
    if older.get(TOPIC) != newer.get(TOPIC):
        yield f"the topic {older.get(TOPIC)} became {newer.get(TOPIC)}"
    before, after = _resolved(older), _resolved(newer)
    if before["name"] != after["name"]:
        yield f"the record {before['name']} was renamed to {after['name']}"
    types = dict(_named(after))
    for name, was in _named(before):
        if name in types and was["type"] == types[name]["type"]:
            yield from (_enums if was["type"] == "enum" else _records)(name, was, types[name])


def _resolved(definition: Definition) -> Any:
    """With every name and reference in full."""
    return fastavro.parse_schema(copy.deepcopy(definition), _force=True)


def _named(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, list):
        for item in node:
            yield from _named(item)
    elif isinstance(node, dict):
        if node.get("type") in ("record", "enum"):
            yield node["name"], node
        for key in ("type", "items", "fields"):
            yield from _named(node.get(key))


def _enums(name: str, was: Definition, now: Definition) -> Iterator[str]:
    yield from (f"{name}: the symbol {gone} was removed" for gone in was["symbols"] if gone not in now["symbols"])
    if was.get("default") != now.get("default"):
        yield f"{name}: the default changed from {was.get('default')} to {now.get('default')}"


def _records(name: str, was: Definition, now: Definition) -> Iterator[str]:
    before, after = ({field["name"]: field for field in record["fields"]} for record in (was, now))
    for field, old in before.items():
        if field not in after:
            if "default" not in old:
                yield f"{name}.{field} was removed although it had no default"
        elif (old_type := _spelt(old["type"])) != (new_type := _spelt(after[field]["type"])):
            yield f"{name}.{field} changed its type from {old_type} to {new_type}"
        elif "default" in old and "default" not in after[field]:
            yield f"{name}.{field} lost its default"
    for field, new in after.items():
        if field not in before and "default" not in new:
            yield f"{name}.{field} is new and has no default"


def _spelt(kind: Any) -> str:
    """A type in words, without docs; types that differ in anything else are spelt differently."""
    if isinstance(kind, str):
        return kind
    if isinstance(kind, list):
        return " or ".join(map(_spelt, kind))
    if kind["type"] in ("record", "enum"):
        return str(kind["name"])
    if kind["type"] == "array":
        return f"array of {_spelt(kind['items'])}"
    return " ".join(str(kind[key]) for key in ("type", "logicalType", PROPERTY) if key in kind)
