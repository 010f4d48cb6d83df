"""What a service keeps besides its views, in tables of its own, for people to read: inboxes, a board.

It is written in the batch's own transaction, so it holds an event exactly when the guard says that it was decided
(DESIGN.md §1). Whoever reads it has connections of their own (access.py) and never writes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, Protocol

import sqlalchemy as sa

from services.bus.broker import Sending
from services.bus.heard import Heard

IDENTITY = frozenset({"ce_id", "ce_source", "ce_type", "ce_time", "ce_specversion"})
"""The headers that say which event a record is, and neither what it is about nor what led to it."""


class Copy(NamedTuple):
    """A record that goes out again as it is, to another topic, because of what was heard."""

    because: Heard
    topic: str
    headers: Sequence[tuple[str, bytes]]
    """Besides those that it came with."""
    mark: bytes | None = None
    """Where given, the key of a mark in the copy's place: no body, and of the headers it came with only `IDENTITY`."""
    without: Collection[str] = ()
    """Headers that it came with and that are not for who reads the copy."""

    @property
    def sending(self) -> Sending:
        record, marked = self.because.record, self.mark is not None
        kept = [pair for pair in record.headers if (pair[0] in IDENTITY if marked else pair[0] not in self.without)]
        came = [(name, value or b"") for name, value in kept]
        pairs = [*came, *self.headers]
        return (
            Sending(record.key or b"", record.value or b"", pairs)
            if self.mark is None
            else Sending(self.mark, None, pairs)
        )


COPIED_BY = "safebus_copiedby"
"""The header of a copy with the name of the service that made it."""


class Projection(Protocol):
    """Tables that are a fold of the log: a recovery empties and fills them again."""

    tables: sa.MetaData

    @property
    def copies_to(self) -> Sequence[str]:
        """Every topic that a copy may go to."""
        ...

    def begin(self, connection: sa.Connection) -> None:
        """The tables are there; called at each start, and once they were emptied."""

    def record(self, connection: sa.Connection, done: Sequence[Heard]) -> Iterable[Copy]:
        """Write down what was decided: in order, each event once, neither repeats nor what died.

        Two workers may write at once: lock rows in one order.
        """

    def committed(self) -> None:
        """What was recorded last stands: tell whoever waits. Called in the loop's thread of the event loop."""
