"""A chain as a tree: each record under what led to it, with what it says in a few words and how long it took."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from services.bus.batch import STEP_HEADER
from services.bus.broker import Record
from services.bus.catalogue.model import Catalogue
from services.bus.events import DeadLetter, DeadlineMissed, DeadlineSet, DisclosureRead, OperatorActed
from services.bus.heard import RETRY_HEADER, Heard
from services.bus.projection import COPIED_BY
from services.operating.chain import Chain, subject_of
from services.operating.masking import masked_or_fault, moment, opaque, source
from services.operating.reading import Place

JOINED_BY: Final = {DisclosureRead.topic: "disclosure id", DeadlineMissed.topic: "deadline id"}
"""By what a record that names no event as its cause stands where it does."""


@dataclass(slots=True)
class Node:
    """One record in its place."""

    topic: str
    place: Place
    id: str
    source: str
    key: str
    said_at: str
    """Its own time, as its sender says it."""
    taken_at: datetime
    """When the broker took it, UTC."""
    after_ms: int | None
    """Since the broker took what led to it; None for a first one, and for one that waited for a moment."""
    content: Mapping[str, Any]
    """Masked."""
    words: str
    grave: bool
    """It is a dead letter, or says that something was missed."""
    joined_by: str = ""
    again: str = ""
    """`retried`, or `said again`: the same event stood before."""
    cause_gone: str = ""
    """Which cause it names that is nowhere."""
    asked: bool = False
    effects: list[Node] = field(default_factory=list)

    def walk(self) -> Iterator[Node]:
        yield self
        for effect in self.effects:
            yield from effect.walk()

    def as_object(self) -> dict[str, Any]:
        """For a program."""
        topic, partition, offset = self.place
        return {
            "id": self.id,
            "source": self.source,
            "topic": topic,
            "partition": partition,
            "offset": offset,
            "key": self.key,
            "said_at": self.said_at,
            "taken_at": self.taken_at.isoformat(),
            "after_ms": self.after_ms,
            "joined_by": self.joined_by or "cause",
            "again": self.again or None,
            "cause_gone": self.cause_gone or None,
            "asked": self.asked,
            "words": self.words,
            "content": self.content,
            "effects": [effect.as_object() for effect in self.effects],
        }


def trees(chain: Chain, known: Catalogue) -> list[Node]:
    """One tree for each record that nothing here led to, the earliest first."""
    return _Planting(chain, known).trees()


class _Planting:
    def __init__(self, chain: Chain, known: Catalogue) -> None:
        self._chain, self._known = chain, known
        self._order = sorted(chain.heard, key=lambda place: (chain.heard[place].record.timestamp, place))
        self._standing: dict[tuple[bytes, bytes], list[Place]] = {}
        for place in self._order:
            marks = chain.marks[place]
            self._standing.setdefault((marks.source, marks.id), []).append(place)
        self._about = {
            about: place
            for place in reversed(self._order)
            if chain.heard[place].record.topic == DeadlineSet.topic
            and (about := subject_of(chain.heard[place])) is not None
        }
        self._by_id = {chain.marks[place].id.decode("utf-8", "replace"): place for place in reversed(self._order)}

    def trees(self) -> list[Node]:
        nodes = {place: self._node(place) for place in self._order}
        roots = []
        for place, node in nodes.items():
            above, node.joined_by = self._above(place)
            if above is None or self._circular(place, above):
                node.cause_gone = self._gone(place)
                roots.append(node)
                continue
            if not self._chain.marks[place].of_a_moment:
                node.after_ms = self._chain.heard[place].record.timestamp - self._chain.heard[above].record.timestamp
            nodes[above].effects.append(node)
        return roots

    def _above(self, place: Place) -> tuple[Place | None, str]:
        """Under which record it stands, and by what if not by the cause that it names."""
        marks, heard = self._chain.marks[place], self._chain.heard[place]
        same = self._standing[marks.source, marks.id]
        if place != same[0]:
            return same[0], "id"
        if marks.cause_id and (above := self._standing.get((marks.cause_source or b"", marks.cause_id))):
            return self._that_led_to(heard.record, above), ""
        about = subject_of(heard)
        if heard.record.topic == DisclosureRead.topic and about in self._by_id:
            return self._by_id[about], JOINED_BY[DisclosureRead.topic]
        if heard.record.topic == DeadlineMissed.topic and about in self._about:
            return self._about[about], JOINED_BY[DeadlineMissed.topic]
        origin, _, first = marks.correlation.partition(b" ")
        if (origin, first) != (marks.source, marks.id) and (above := self._standing.get((origin, first))):
            return above[0], "correlation id"
        return None, ""

    def _that_led_to(self, record: Record, stands: list[Place]) -> Place:
        """Of a cause that stands in several places, the one that the record says it follows from."""
        step = (dict(record.headers).get(STEP_HEADER) or b"").rpartition(b" ")[2].split(b"/")
        return next((place for place in stands if [b"%d" % n for n in place[1:]] == step[-2:]), stands[0])

    def _circular(self, place: Place, above: Place) -> bool:
        """Whether it would stand under itself: senders may name anything as a cause."""
        seen = {place}
        at: Place | None = above
        while at is not None:
            if at in seen:
                return True
            seen.add(at)
            at = self._above(at)[0]
        return False

    def _gone(self, place: Place) -> str:
        marks = self._chain.marks[place]
        if marks.of_a_moment or not marks.cause_id or (marks.cause_source or b"", marks.cause_id) in self._standing:
            return ""
        return opaque(marks.cause_id.decode("utf-8", "replace"))

    def _node(self, place: Place) -> Node:
        heard, marks = self._chain.heard[place], self._chain.marks[place]
        record, hidden = heard.record, self._chain.confidential
        headers = dict(record.headers)
        first = self._standing[marks.source, marks.id][0] == place
        content = masked_or_fault(heard.event, heard.fault, confidential=hidden)
        return Node(
            topic=record.topic,
            place=place,
            id=marks.id.decode() if place in self._chain.asked else opaque(marks.id.decode("utf-8", "replace")),
            source=source(marks.source.decode("utf-8", "replace"), confidential=hidden),
            key=opaque((record.key or b"").decode("utf-8", "replace")),
            said_at=moment((headers.get("ce_time") or b"").decode("ascii", "replace")),
            taken_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
            after_ms=None,
            content=content,
            words=words(heard, content, self._known),
            grave=record.topic in (DeadLetter.topic, DeadlineMissed.topic) or heard.event is None,
            again="" if first else "retried" if RETRY_HEADER in headers else "said again",
            asked=place in self._chain.asked,
        )


def words(heard: Heard, content: Mapping[str, Any], known: Catalogue) -> str:
    """What one event says, in a few words of its masked content."""
    if heard.event is None:
        return f"cannot be read: {content.get('fault')}"
    if isinstance(heard.event, DeadLetter):
        why = f"rule {content['rule']}" if content["rule"] else content["explanation"]
        return f"{content['service']} gave up: {content['reason_code']}, {why}"
    if isinstance(heard.event, OperatorActed):
        return f"{content['by']} {str(content['act']).lower()} {content['about']}"
    said = [str(content[name]).replace("_", " ").lower() for name in _TELLING if isinstance(content.get(name), str)]
    if content.get("late") is not None:
        said.append("late" if content["late"] else "in time")
    if content.get("due_by"):
        said.append(f"due {_moment(content['due_by'])}")
    if told := content.get("disclosure"):
        said.append(_told(told, known, dict(heard.record.headers)))
    return ", ".join(said) or re.sub("(?<!^)(?=[A-Z])", " ", type(heard.event).__name__).lower()


_TELLING: Final = ("kind", "state", "act", "outcome", "grading", "why", "release", "role", "owed_role")
"""Fields that say most of an event, where it has them."""


def _told(told: Mapping[str, Any], known: Catalogue, headers: Mapping[str, bytes | None]) -> str:
    """To whom, by when, and whether a copy goes to a topic of the recipient's own."""
    to = f"to {told['recipient']} as {str(told['recipient_role']).replace('_', ' ').lower()}"
    due = f", due {_moment(told['due_by'])}" if told["due_by"] else ""
    inbox = known.inboxes.get(told["recipient"])
    copied = f", copied to {inbox.name}" if inbox is not None and COPIED_BY not in headers else ""
    return f"{to}{due}{copied}"


def _moment(said: str) -> str:
    return f"{datetime.fromisoformat(said).astimezone():%a %d %b %H:%M}"
