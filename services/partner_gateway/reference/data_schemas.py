"""Avro → JSON Schema 2020-12 of the same content as JSON, as the door takes it and the inbox gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from services.bus.contract.identifiers import PROPERTY

JsonSchema: TypeAlias = dict[str, Any]

_PRIMITIVE: Mapping[str, JsonSchema] = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "int": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "long": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "null": {"type": "null"},
}
_LOGICAL: Mapping[str, JsonSchema] = {
    "uuid": {"type": "string", "format": "uuid"},
    "date": {"type": "string", "format": "date"},
    "timestamp-micros": {"type": "string", "format": "date-time"},
}
_IDENTIFIER: Mapping[str, str] = {
    "nhs-number": "10 digits with a check digit (modulus 11)",
    "upn": "a check letter and 12 characters",
    "urn": "6 digits",
    "ods-code": "1 to 9 letters and digits",
}


def json_schemas(definition: Mapping[str, Any], where: str = "#/components/schemas/") -> dict[str, JsonSchema]:
    """The record's JSON schema and those of the types in it, by short name; they refer to one another below `where`."""
    found: dict[str, JsonSchema] = {}
    _named(definition, found, where)
    return found


def _named(kind: Mapping[str, Any], found: dict[str, JsonSchema], where: str) -> JsonSchema:
    """A reference to a record or an enum, whose schema is added to `found`."""
    name = _short(kind["name"])
    if name not in found:
        found[name] = {}
        found[name] = _enum(kind) if kind["type"] == "enum" else _record(kind, found, where)
    return {"$ref": where + name}


def _record(record: Mapping[str, Any], found: dict[str, JsonSchema], where: str) -> JsonSchema:
    properties = {}
    for field in record["fields"]:
        schema = _of(field["type"], found, where)
        properties[field["name"]] = schema | {"description": _described(field, schema)}
        if field.get("default") is not None:
            properties[field["name"]]["default"] = field["default"]
    schema = {"type": "object", "description": record["doc"], "properties": properties, "additionalProperties": False}
    if required := [field["name"] for field in record["fields"] if "default" not in field]:
        schema["required"] = required
    return schema


def _described(field: Mapping[str, Any], schema: JsonSchema) -> str:
    form = _IDENTIFIER.get(schema.get("format", ""))
    return str(field["doc"]) + (f" Form: {form}." if form else "")


def _enum(kind: Mapping[str, Any]) -> JsonSchema:
    return {"type": "string", "description": kind["doc"], "enum": list(kind["symbols"])}


def _of(kind: Any, found: dict[str, JsonSchema], where: str) -> JsonSchema:
    if isinstance(kind, str):
        return dict(_PRIMITIVE[kind]) if kind in _PRIMITIVE else {"$ref": where + _short(kind)}
    if isinstance(kind, list):
        return _optional([_of(branch, found, where) for branch in kind if branch != "null"])
    if PROPERTY in kind:
        return {"type": "string", "format": kind[PROPERTY]}
    if "logicalType" in kind:
        return dict(_LOGICAL[kind["logicalType"]])
    if kind["type"] in ("record", "enum"):
        return _named(kind, found, where)
    if kind["type"] == "array":
        return {"type": "array", "items": _of(kind["items"], found, where)}
    return _of(kind["type"], found, where)


def _optional(branches: list[JsonSchema]) -> JsonSchema:
    """What may be left out may also be null."""
    if len(branches) == 1 and isinstance(branches[0].get("type"), str):
        return branches[0] | {"type": [branches[0]["type"], "null"]}
    return {"anyOf": [*branches, {"type": "null"}]}


def _short(name: str) -> str:
    return name.rpartition(".")[2]
