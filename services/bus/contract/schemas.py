"""schemas/<domain>/<Name>.avsc → one self-contained schema a topic.

A file holds one named type; what more than one file uses stands in schemas/common/ and is referred to by its full name.
A record with the property `safebus.topic` is an event, and its topic. Reading is cheap: nothing here is needed only to
generate the models.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType, to_parsing_canonical_form

from services.bus.errors import CatalogueInvalid

TOPIC = "safebus.topic"
HISTORY = "history"

Named = dict[str, Any]
"""One named Avro type as JSON."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The contract of one topic."""

    topic: str
    name: str
    """Full name of the record, such as safebus.police.IncidentReported."""
    file: str
    """Path below schemas/, such as police/IncidentReported.avsc."""
    document: Named
    """Self-contained: every named type stands in full where it is first used. This is what is registered."""
    parsed: Any
    """`document` as fastavro reads and writes it."""
    fingerprint: str
    """SHA-256 of the parsing canonical form, its first 16 hexadecimal digits.

    Blind to docs, defaults, logical types and our own properties, as that form is: `compatibility` sees those.
    """

    @property
    def text(self) -> str:
        """`document` as JSON on one line, always the same for the same contract."""
        return json.dumps(self.document, ensure_ascii=False, separators=(",", ":"))


def load(folder: Path) -> dict[str, Schema]:
    """Every event's schema by its topic.

    Raises:
        CatalogueInvalid: with all findings, each naming the file.
    """
    named = read(folder)
    events = {name: file for name, (file, body) in named.items() if TOPIC in body}
    bodies = {name: body for name, (_, body) in named.items()}
    schemas: dict[str, Schema] = {}
    findings = []
    for name, file in events.items():
        topic = bodies[name][TOPIC]
        if topic in schemas:
            findings.append(f"{file}: the topic {topic} is {schemas[topic].file}'s already; one record type a topic")
            continue
        try:
            schemas[topic] = self_contained(name, bodies, file)
        except (SchemaParseException, UnknownType) as error:
            findings.append(f"{file}: {_sentence(error)}")
    if findings:
        raise CatalogueInvalid(findings)
    return schemas


def read(folder: Path) -> dict[str, tuple[str, Named]]:
    """Each named type's file and body by its full name, every type after those that it uses.

    Raises:
        CatalogueInvalid: unreadable JSON, a name that differs from the file's, a name given twice.
    """
    named: dict[str, tuple[str, Named]] = {}
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
            findings.append(f"{file}: the type is named {name}; by its place it must be {expected}")
        named[name] = (file, body)
    if not named and not findings:
        findings.append(f"{folder}: no .avsc file")
    if findings:
        raise CatalogueInvalid(findings)
    return {name: named[name] for name in _dependencies_first({name: body for name, (_, body) in named.items()})}


def self_contained(name: str, bodies: dict[str, Named], file: str) -> Schema:
    """The schema of the record `name`, with every type that it uses in full at its first use."""
    document = _inline(bodies[name], bodies, seen={name})
    return of_document(document, file)


def of_document(document: Named, file: str) -> Schema:
    """A schema that is self-contained already, as in schemas/history/ or in a registry."""
    parsed = fastavro.parse_schema(copy.deepcopy(document))
    canonical = to_parsing_canonical_form(parsed)
    return Schema(
        topic=document.get(TOPIC, ""),
        name=f"{document['namespace']}.{document['name']}",
        file=file,
        document=document,
        parsed=parsed,
        fingerprint=hashlib.sha256(canonical.encode()).hexdigest()[:16],
    )


def _dependencies_first(bodies: dict[str, Named]) -> list[str]:
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in order:
            for used in _references(bodies[name], bodies):
                if used != name:
                    visit(used)
            order[name] = None

    for name in bodies:
        visit(name)
    return list(order)


def _references(node: Any, bodies: dict[str, Named]) -> Iterator[str]:
    if isinstance(node, str) and node in bodies:
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from _references(item, bodies)
    elif isinstance(node, dict):
        for key in ("type", "items", "values", "fields"):
            yield from _references(node.get(key), bodies)


def _inline(node: Any, bodies: dict[str, Named], seen: set[str]) -> Any:
    if isinstance(node, str) and node in bodies and node not in seen:
        seen.add(node)
        return _inline(bodies[node], bodies, seen)
    if isinstance(node, list):
        return [_inline(item, bodies, seen) for item in node]
    if isinstance(node, dict):
        nested = ("type", "items", "values", "fields")
        return {key: _inline(value, bodies, seen) if key in nested else value for key, value in node.items()}
    return node


def _sentence(error: Exception) -> str:
    if isinstance(error, UnknownType):
        return f"the type {error.name} is defined in no file"
    return str(error)
