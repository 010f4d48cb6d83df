"""An example of each event: made from its schema, always the same, and about nobody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from services.bus.contract.identifiers import PROPERTY
from services.partner_gateway.reference.words import WORDS

_ABSENT = object()
_EPOCH = date(1970, 1, 1)
_IDENTIFIERS = {"nhs-number": "9990000018", "upn": "G999901000017", "urn": "999901", "ods-code": "X99901"}
_PRIMITIVE: Mapping[str, Any] = {"boolean": False, "int": 1, "long": 1, "null": None, "bytes": ""}
_LOGICAL = {"date": "2026-11-20", "timestamp-micros": "2026-11-20T16:05:00Z"}


def example(definition: Mapping[str, Any], words: Mapping[str, Any] = WORDS) -> dict[str, Any]:
    """The content of one event as JSON, as it is posted and given."""
    found: dict[str, Any] = _Builder(definition, words).value(definition, (definition["name"],), "")
    return found


def avro_example(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The same, as Avro's own types have it: moments as µs and days as days since 1970-01-01."""
    found: dict[str, Any] = _avro(definition, example(definition), _types(definition))
    return found


class _Builder:
    def __init__(self, definition: Mapping[str, Any], words: Mapping[str, Any]) -> None:
        self._named, self._words = _types(definition), words

    def value(self, kind: Any, way: tuple[str, ...], record: str) -> Any:
        """`way`: the names from the event's record to here; `record`: the one that the last of them is a field of."""
        word = self._word(way, record) if record else _ABSENT
        if word is not _ABSENT and self._fits(kind, word):
            return word
        if isinstance(kind, str):
            return self.value(self._named[kind], way, "") if kind in self._named else self._primitive(kind, way)
        if isinstance(kind, list):
            return self.value(next(branch for branch in kind if branch != "null"), way, "")
        if PROPERTY in kind:
            return _IDENTIFIERS[kind[PROPERTY]]
        if "logicalType" in kind:
            return _LOGICAL.get(kind["logicalType"]) or str(uuid5(NAMESPACE_URL, ".".join(way)))
        if kind["type"] == "record":
            return self._record(kind, way)
        if kind["type"] == "enum":
            return next((symbol for symbol in kind["symbols"] if symbol != "UNKNOWN"), kind["symbols"][0])
        if kind["type"] == "array":
            return [self.value(kind["items"], way, "")]
        return self.value(kind["type"], way, "")

    def _record(self, kind: Mapping[str, Any], way: tuple[str, ...]) -> dict[str, Any]:
        fields = {}
        for field in kind["fields"]:
            further = (*way, field["name"])
            if "default" in field and self._word(further, kind["name"]) in (_ABSENT, None):
                continue
            fields[field["name"]] = self.value(field["type"], further, kind["name"])
        return fields

    def _fits(self, kind: Any, word: Any) -> bool:
        """Whether it is a symbol of the enum, if the field is one: another record's field may have the same name."""
        named = self._named.get(kind) if isinstance(kind, str) else kind
        return not (isinstance(named, Mapping) and named.get("type") == "enum") or word in named["symbols"]

    def _word(self, way: tuple[str, ...], record: str) -> Any:
        for key in (".".join(way), f"{record}.{way[-1]}", way[-1]):
            if key in self._words:
                return self._words[key]
        return _ABSENT

    @staticmethod
    def _primitive(kind: str, way: tuple[str, ...]) -> Any:
        return way[-1].replace("_", " ") if kind == "string" else _PRIMITIVE[kind]


def _types(definition: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Every named type of a definition, by full and by short name."""
    found: dict[str, Mapping[str, Any]] = {}

    def visit(node: Any, namespace: str) -> None:
        if isinstance(node, list):
            for item in node:
                visit(item, namespace)
        elif isinstance(node, dict):
            namespace = node.get("namespace", namespace)
            if "name" in node and node.get("type") in ("record", "enum"):
                found[node["name"]] = found[f"{namespace}.{node['name']}"] = node
            for part in ("type", "items", "fields"):
                visit(node.get(part), namespace)

    visit(definition, "")
    return found


def _avro(kind: Any, value: Any, named: Mapping[str, Mapping[str, Any]]) -> Any:
    if value is None:
        return None
    if isinstance(kind, str):
        return _avro(named[kind], value, named) if kind in named else value
    if isinstance(kind, list):
        return _avro(next(branch for branch in kind if branch != "null"), value, named)
    match kind.get("logicalType"):
        case "timestamp-micros":
            return round(datetime.fromisoformat(value).timestamp() * 1_000_000)
        case "date":
            return (date.fromisoformat(value) - _EPOCH).days
    if kind["type"] == "record":
        # Avro knows no field that is left out: it has its default.
        return {f["name"]: _avro(f["type"], value.get(f["name"], f.get("default")), named) for f in kind["fields"]}
    if kind["type"] == "array":
        return [_avro(kind["items"], item, named) for item in value]
    return value
