"""The pages at /docs: style and script are files of their own, and nothing comes from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from services.partner_gateway.reference.data_schemas import json_schemas
from services.partner_gateway.reference.examples import example
from services.partner_gateway.reference.kinds import EventType, EventTypes


@dataclass(frozen=True, slots=True)
class Field:
    """One line of an event's table."""

    name: str
    """With its way from the record: `children[].identity.upn`."""
    kind: str
    required: bool
    doc: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """One event type as the page shows it."""

    kind: EventType
    how: tuple[str, ...]
    """In words, who does what with it."""
    fields: tuple[Field, ...]
    example: str


def docs_page() -> str:
    """The HTTP API, in Swagger UI."""
    return _template("docs.html").render()


def events_page(types: EventTypes, document: Mapping[str, Any]) -> str:
    """Each event with its fields, docs and example, and the channels of the AsyncAPI document."""
    shown = [
        Shown(kind, tuple(_how(kind, types)), tuple(fields_of(kind)), _indented(example(kind.schema.definition)))
        for kind in types.all
    ]
    return _template("events.html").render(events=shown, api=document)


@cache
def _template(name: str) -> Template:
    folder = FileSystemLoader(Path(__file__).parent / "templates")
    return Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True).get_template(name)


def _indented(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _how(kind: EventType, types: EventTypes) -> Iterator[str]:
    if kind in types.posted:
        yield f"Post it to /v1/events/{kind.name}, with the scope {kind.name}."
    if kind in types.told:
        yield "It may come into your inbox."
    if writers := types.writers(kind):
        yield f"By Kafka it is written by: {', '.join(writers)}."
    if readers := types.readers(kind):
        yield f"By Kafka it is read by: {', '.join(readers)}."


def fields_of(kind: EventType) -> Iterator[Field]:
    """Every field, records within records included, in the schema's order."""
    yield from _fields(kind.record, json_schemas(kind.schema.definition, where=""), "")


def _fields(record: str, schemas: Mapping[str, Any], way: str) -> Iterator[Field]:
    schema = schemas[record]
    for name, said in schema["properties"].items():
        inner, array = _inner(said)
        named = schemas.get(inner.get("$ref", ""), inner)
        here = f"{way}{name}" + ("[]" if array else "")
        yield Field(here, _words(named, array=array), name in schema.get("required", ()), said["description"],
                    tuple(named.get("enum", ())))  # fmt: skip
        if "properties" in named:
            yield from _fields(inner["$ref"], schemas, f"{here}.")


def _inner(said: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """What a field is, without its being optional; and whether it is an array of that."""
    if "anyOf" in said:
        said = said["anyOf"][0]
    kind = said.get("type")
    array = kind == "array" or (isinstance(kind, list) and "array" in kind)
    return (said["items"], True) if array else (said, False)


def _words(schema: Mapping[str, Any], *, array: bool) -> str:
    kind = schema.get("type", "object")
    one = next(k for k in ([kind] if isinstance(kind, str) else kind) if k != "null")
    word = "one of" if "enum" in schema else schema.get("format", one)
    return f"list of {word}" if array else str(word)
