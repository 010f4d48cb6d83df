"""schemas/<domain>/<Name>.avsc → one self-contained schema a topic.

A file holds one named type; what more than one file uses stands in schemas/common/ and is referred to by its full name.
A record with the property `safebus.topic` is an event, and that is its topic.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import fastavro
from fastavro.schema import SchemaParseException, UnknownType, to_parsing_canonical_form

from services.bus.contract.identifiers import Checks, Fault, checks, faults
from services.bus.errors import CatalogueInvalid
from services.bus.settings import settings

TOPIC = "safebus.topic"
HISTORY = "history"

Definition: TypeAlias = dict[str, Any]
"""A named Avro type, as its JSON is read."""

_NESTED = ("type", "items", "values", "fields")


@dataclass(frozen=True, slots=True)
class Schema:
    """The contract of one topic."""

    topic: str
    record: str
    """Full name of the record, such as safebus.police.IncidentReported."""
    file: str
    """Path below schemas/, such as police/IncidentReported.avsc."""
    definition: Definition
    """Self-contained: every named type stands in full where it is first used."""
    parsed: Any
    """The definition as fastavro reads and writes it."""
    fingerprint: str
    """See `fingerprint_of`."""
    checks: Checks = field(repr=False)
    """The way to each identifier."""

    @property
    def text(self) -> str:
        """The definition as JSON on one line: what is registered."""
        return json.dumps(self.definition, ensure_ascii=False, separators=(",", ":"))

    def faults(self, event: Any) -> list[Fault]:
        """JSON pointer and reason for each identifier that is not well formed, never its value.

        `event` is one of this schema's events, or its content as a dictionary.
        """
        return list(faults(event, self.checks)) if self.checks else []


def fingerprint_of(definition: Mapping[str, Any]) -> str:
    """SHA-256 of the parsing canonical form, its first 16 hexadecimal digits.

    That form knows no docs, defaults, logical types and properties of ours; what changes only there must be compared in
    full (`compatibility` does).
    """
    canonical = to_parsing_canonical_form(fastavro.parse_schema(copy.deepcopy(dict(definition)), _force=True))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def load(folder: Path | None = None) -> Mapping[str, Schema]:
    """Every event's schema by its topic: the settings', read once a process, or those in `folder`, read now.

    Raises:
        CatalogueInvalid: with all findings, each naming the file.
    """
    return _settled() if folder is None else _load(folder)


@cache
def _settled() -> Mapping[str, Schema]:
    return _load(settings().schemas)


def _load(folder: Path) -> Mapping[str, Schema]:
    named = read(folder)
    bodies = {name: body for name, (_, body) in named.items()}
    schemas: dict[str, Schema] = {}
    findings = []
    for name, (file, body) in named.items():
        if TOPIC not in body:
            continue
        if (topic := body[TOPIC]) in schemas:
            findings.append(f"{file}: {topic} is the topic of {schemas[topic].file} already; one record type a topic")
            continue
        try:
            schemas[topic] = of_definition(_inline(body, bodies, seen={name}), file)
        except UnknownType as error:
            findings.append(f"{file}: no file defines the type {error.name}")
        except (SchemaParseException, ValueError) as error:
            findings.append(f"{file}: {error}")
    if findings:
        raise CatalogueInvalid(findings)
    return schemas


def of_definition(definition: Definition, file: str) -> Schema:
    """The schema of a definition that is self-contained already, as in schemas/history/."""
    return Schema(
        topic=definition.get(TOPIC, ""),
        record=f"{definition['namespace']}.{definition['name']}",
        file=file,
        definition=definition,
        parsed=fastavro.parse_schema(copy.deepcopy(definition)),
        fingerprint=fingerprint_of(definition),
        checks=checks(definition),
    )


def read(folder: Path) -> dict[str, tuple[str, Definition]]:
    """Each named type's file and body by its full name, every type after those that it uses.

    Raises:
        CatalogueInvalid: unreadable JSON, a name other than the file's place says, a type that contains itself.
    """
    named: dict[str, tuple[str, Definition]] = {}
    findings = []
    for path in sorted(folder.rglob("*.avsc")):
        file = path.relative_to(folder).as_posix()
        if file.startswith(f"{HISTORY}/"):
            continue
        try:
            body = json.loads(path.read_text("utf-8"))
            name = f"{body['namespace']}.{body['name']}"
        except (ValueError, KeyError, TypeError):
            findings.append(f"{file}: not a JSON object with a name and a namespace")
            continue
        expected = f"safebus.{path.parent.name.replace('-', '_')}.{path.stem}"
        if name != expected:
            findings.append(f"{file}: the type is named {name}; in this place it must be {expected}")
        named[name] = (file, body)
    if not named and not findings:
        findings.append(f"{folder}: no .avsc file")
    if findings:
        raise CatalogueInvalid(findings)
    return {name: named[name] for name in _dependencies_first(named)}


def _dependencies_first(named: Mapping[str, tuple[str, Definition]]) -> list[str]:
    order: dict[str, None] = {}

    def visit(name: str, within: tuple[str, ...]) -> None:
        file, body = named[name]
        if name in within:
            raise CatalogueInvalid([f"{file}: {name} contains itself"])
        if name not in order:
            for used in _references(body, named):
                visit(used, (*within, name))
            order[name] = None

    for name in named:
        visit(name, ())
    return list(order)


def _references(node: Any, named: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(node, str) and node in named:
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from _references(item, named)
    elif isinstance(node, dict):
        for key in _NESTED:
            yield from _references(node.get(key), named)


def _inline(node: Any, bodies: Mapping[str, Definition], seen: set[str]) -> Any:
    if isinstance(node, str) and node in bodies and node not in seen:
        seen.add(node)
        return _inline(bodies[node], bodies, seen)
    if isinstance(node, list):
        return [_inline(item, bodies, seen) for item in node]
    if isinstance(node, dict):
        return {key: _inline(value, bodies, seen) if key in _NESTED else value for key, value in node.items()}
    return node
