"""Following a topic or a child live: decoded, masked unless it was logged that it is revealed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from services.bus.events import ChildRecorded, DeadLetter
from services.bus.heard import Heard
from services.operating.masking import hides, masked_or_fault, opaque, revealed, source
from services.operating.reading import Log, Read
from services.operating.tree import words


@dataclass(frozen=True, slots=True)
class Seen:
    """One record as it is shown."""

    topic: str
    partition: int
    offset: int
    key: str
    id: str
    source: str
    taken_at: datetime
    """When the broker took it, UTC."""
    words: str
    content: dict[str, Any]
    """Masked, unless it is revealed; where it cannot be decoded, `fault` says why."""
    readable: bool

    def as_object(self) -> dict[str, Any]:
        """For a program."""
        return {
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "key": self.key,
            "id": self.id,
            "source": self.source,
            "taken_at": self.taken_at.isoformat(),
            "words": self.words,
            "content": self.content,
        }


class Following:
    """What comes, as it may be seen."""

    def __init__(self, log: Log, *, child: str | None = None, reveal: bool = False) -> None:
        self._log, self._child, self._reveal = log, child, reveal
        self._hiding: dict[bytes, bool] = {}
        """By key, what the last event of it that said so says of its child's location (H2)."""

    async def seen(self, topics: Iterable[str], since: datetime | None) -> AsyncIterator[Seen]:
        """One after the other, until cancelled; of a child alone, if one was asked for."""
        if self._child is not None:
            await self._look_up(self._child)
        child = None if self._child is None else self._child
        async for records in self._log.follow(topics, since=since):
            for heard in await self._log.decoded(records):
                self._note(heard)
                if child is None or concerns(heard, child):
                    yield self._shown(heard)

    async def _look_up(self, child: str) -> None:
        """Whether the directory says that the child's location is confidential."""
        last: Read | None = None
        async for records in self._log.to_the_end([ChildRecorded.topic], child=child):
            last = next((record for record in reversed(records) if record.key == child.encode()), last)
        if last is not None:
            for heard in await self._log.decoded([last]):
                self._note(heard)

    def _note(self, heard: Heard) -> None:
        said = hides(heard.event.model_dump()) if heard.event else None
        key = heard.record.key
        if said is not None and key is not None and len(self._hiding) < _MOST_KEYS:
            self._hiding[key] = said

    def _shown(self, heard: Heard) -> Seen:
        record, envelope = heard.record, heard.envelope
        hidden = self._hiding.get(record.key or b"")
        masked = masked_or_fault(heard.event, heard.fault, confidential=hidden)
        open_ = self._reveal and heard.event is not None
        return Seen(
            record.topic,
            record.partition,
            record.offset,
            opaque((record.key or b"").decode("utf-8", "replace")),
            opaque(envelope.id) if envelope else "",
            source(envelope.source, confidential=hidden) if envelope else "",
            datetime.fromtimestamp(record.timestamp / 1000, UTC),
            words(heard, masked, self._log.catalogue),
            revealed(heard.event) if open_ and heard.event else masked,
            heard.event is not None,
        )


_MOST_KEYS: Final = 100_000


def concerns(heard: Heard, child: str) -> bool:
    """Whether a record is about this child: it has its key, or names it. A dead letter has its origin's key."""
    event = heard.event
    if heard.record.key == child.encode():
        return True
    if isinstance(event, DeadLetter):
        return child in (event.subject, (event.key or b"").decode("utf-8", "replace"))
    return child == getattr(event, "child_id", None) or child in (getattr(event, "child_ids", None) or ())
