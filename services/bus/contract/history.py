"""schemas/history/<topic>/<n>.avsc: what was promised, self-contained, numbered from 1.

A frozen version stays readable for as long as events of it may stand in a log: every version must be compatible with
every other and with the current schema (FULL_TRANSITIVE). What breaks that is a new topic, `.v2`. Before safebus 1.0 a
schema may change in place: `--freeze --in-place` then begins its history anew.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from services.bus.contract.compatibility import incompatibilities
from services.bus.contract.schemas import HISTORY, TOPIC, Definition, Schema, load
from services.bus.errors import UserMistake


def versions(folder: Path, topic: str) -> list[Definition]:
    """A topic's frozen versions, the oldest first.

    Raises:
        UserMistake: a number is missing or a file is not the topic's.
    """
    place = folder / HISTORY / topic
    found: list[Definition] = []
    for number in range(1, len(list(place.glob("*.avsc"))) + 1):
        path = place / f"{number}.avsc"
        definition = json.loads(path.read_text("utf-8")) if path.exists() else {}
        if definition.get(TOPIC) != topic:
            raise UserMistake(f"{HISTORY}/{topic} has no version {number} of that topic: restore what was committed")
        found.append(definition)
    return found


def broken_promises(folder: Path) -> list[str]:
    """Where a schema broke what a frozen version promised; empty when none did."""
    current = load(folder)
    return [finding for topic in _topics(folder) for finding in _of_topic(folder, topic, current.get(topic))]


def _topics(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / HISTORY).glob("*") if path.is_dir())


def _of_topic(folder: Path, topic: str, current: Schema | None) -> Iterator[str]:
    if current is None:
        yield f"{HISTORY}/{topic} has no current schema: restore it, or delete the history together with the topic"
        return
    every = [(f"version {number}", definition) for number, definition in enumerate(versions(folder, topic), 1)]
    every.append((f"the current {current.file}", current.definition))
    for (one, older), (other, newer) in combinations(every, 2):
        for reason in incompatibilities(older, newer):
            yield f"{topic}, {one} against {other}: {reason}"


def freeze(folder: Path, *, in_place: bool = False) -> list[str]:
    """Write every current schema that differs from its last frozen version, docs aside, as the next version.

    Args:
        in_place: begin the history anew where the current schema breaks it.

    Returns:
        The files written, below `folder`.

    Raises:
        UserMistake: a schema breaks its history, and `in_place` is not given. Then nothing is written.
    """
    broken = {topic: list(_of_topic(folder, topic, schema)) for topic, schema in load(folder).items()}
    if not in_place and (findings := [finding for reasons in broken.values() for finding in reasons]):
        raise UserMistake("\n".join(findings))
    written = []
    for topic, schema in load(folder).items():
        if broken[topic]:
            shutil.rmtree(folder / HISTORY / topic)
        frozen = versions(folder, topic)
        if not frozen or _without_docs(frozen[-1]) != _without_docs(schema.definition):
            path = folder / HISTORY / topic / f"{len(frozen) + 1}.avsc"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(schema.definition, ensure_ascii=False, indent=1) + "\n", "utf-8")
            written.append(path.relative_to(folder).as_posix())
    return written


def _without_docs(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_docs(item) for item in node]
    if isinstance(node, dict):
        return {key: _without_docs(value) for key, value in node.items() if key != "doc"}
    return node
