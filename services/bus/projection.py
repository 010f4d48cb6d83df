"""What a service keeps besides its views, in tables of its own, for people to read: inboxes, a board.

It is written in the batch's own transaction, so it holds an event exactly when the guard says that it was decided
(DESIGN.md §1). Whoever reads it has connections of their own (access.py) and never writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import sqlalchemy as sa

from services.bus.heard import Heard


class Copy(NamedTuple):
    """A record that goes out again as it is, to another topic, because of what was heard."""

    because: Heard
    topic: str
    headers: Sequence[tuple[str, bytes]]
    """Besides those that it came with."""


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
