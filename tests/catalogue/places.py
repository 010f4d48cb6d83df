"""A small catalogue with its schemas in a folder, for tests to spoil."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.bus.settings import Settings

CATALOGUE = """\
defaults:
  partitions: 2
  replication: 1
  retention: 30d
  config:
    min.insync.replicas: 2
    message.timestamp.type: LogAppendTime
topics:
  child.seen.v1:
    description: A child was seen.
    schema: child/ChildSeen.avsc
    key: child_id
    owner: front door
    controller: A Council
    written_by: [council]
    read_by: [teller]
  child.told.v1:
    description: To one recipient.
    schema: child/ChildTold.avsc
    key: child_id
    discloses: true
    owner: front door
    controller: A Council
    written_by: [teller]
    read_by: [reader]
  child.known.v1:
    description: What stands about a child.
    schema: child/ChildKnown.avsc
    key: child_id
    compaction: true
    owner: front door
    controller: A Council
    written_by: [council]
    read_by: [every-service]
  lost.v1:
    description: What could not be processed.
    schema: lost/Lost.avsc
    key: origin
    partitions: 1
    retention: 12h
    owner: operators
    controller: A Council
    written_by: [every-service]
    read_by: [operator]
deleted: []
principals:
  teller: {kind: service, description: Tells.}
  council: {kind: agency, description: A council.}
  reader: {kind: person, description: Reads for each recipient.}
  operator: {kind: operator, description: Looks after the bus.}
"""

_CHILD = {"name": "child_id", "type": "string", "doc": "The child."}
_DISCLOSURE = {"name": "disclosure", "type": "safebus.common.Disclosure", "doc": "To whom."}


def record(name: str, topic: str | None, *fields: dict[str, Any]) -> dict[str, Any]:
    """A record of the namespace safebus.child; an event if `topic` is given."""
    body = {"type": "record", "name": name, "namespace": "safebus.child", "doc": "Made up.", "fields": list(fields)}
    return body | ({"safebus.topic": topic} if topic else {})


SCHEMAS: dict[str, dict[str, Any]] = {
    "common/Disclosure.avsc": record("Disclosure", None, {"name": "recipient", "type": "string", "doc": "Whom."})
    | {"namespace": "safebus.common"},
    "child/ChildSeen.avsc": record("ChildSeen", "child.seen.v1", _CHILD),
    "child/ChildTold.avsc": record("ChildTold", "child.told.v1", _CHILD, _DISCLOSURE),
    "child/ChildKnown.avsc": record("ChildKnown", "child.known.v1", _CHILD),
    "lost/Lost.avsc": record("Lost", "lost.v1") | {"namespace": "safebus.lost"},
}


def lay_out(
    folder: Path, catalogue: str = CATALOGUE, schemas: Mapping[str, dict[str, Any] | str | None] | None = None
) -> Settings:
    """Write the catalogue and its schemas into `folder`; `schemas` replaces some (None: leaves one out)."""
    (folder / "topics.yaml").write_text(catalogue, "utf-8")
    for file, body in {**SCHEMAS, **(schemas or {})}.items():
        if body is not None:
            path = folder / "schemas" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body if isinstance(body, str) else json.dumps(body), "utf-8")
    return Settings(catalogue=folder / "topics.yaml", schemas=folder / "schemas", data_dir=folder / "data")


def line_of(catalogue: str, text: str, nth: int = 1) -> int:
    """The number of the line that holds `text` for the `nth` time."""
    return [number for number, line in enumerate(catalogue.splitlines(), 1) if text in line][nth - 1]
