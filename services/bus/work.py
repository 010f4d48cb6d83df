"""One transaction of a service's database: guard rows, consumed ids, state and unsent outputs, written together.

Fenced twice: a guard row moves only from the offset this process last knew, and a state row only from the version that
was read. Either miss means that somebody else went on, and raises `Overtaken`: the whole transaction is undone and the
batch is read again (DESIGN.md §1, rule 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

import sqlalchemy as sa
from msgspec import Struct

from services.bus.errors import SafebusError
from services.bus.packs import Output, packed, unpacked
from services.bus.tables import dead, guard, outbox, recovering, seen, state, worded

AT_ONCE = 100
"""Rows in one statement. A statement lets go of the interpreter once for each row of `executemany`, and while another
thread works each of those turns costs up to the switch interval: measured, 96 µs a row against 17."""


ROWS_LEFT_OVER = 32
"""Of the outbox, read at once; each holds up to a megabyte and one output more, most of them a few kilobytes."""


class Overtaken(SafebusError):
    """What was to be written stands otherwise than was known, since another worker went on: undo, read the guard again,
    go on from there."""


class Repeated(Overtaken):
    """An id that was to be remembered stands already, though no other worker need have written it: undo, and look which
    ones do before deciding."""


class Place(NamedTuple):
    """One partition of one incarnation of a topic."""

    topic: str
    partition: int
    topic_id: str


class Guard(NamedTuple):
    """How far a partition was decided, and how often alarms of its views rang."""

    next_offset: int
    rings: int = 0


class Seen(Struct, frozen=True, gc=False):
    """What is known of a consumed event."""

    digest: bytes
    died: bool


class Died(NamedTuple):
    """What is known of an event that became a dead letter."""

    key_hash: bytes
    offset: int
    overtaken: bool
    """A later event of its key was decided."""
    retried: bool


class StateRow(Struct, frozen=True, gc=False):
    """One remembered view. `version` 0 means that the row is new; `alarm_us` is in microseconds since 1970, UTC."""

    key: str
    version: int
    body: bytes
    alarm_us: int | None = None
    topic: str = ""
    partition: int = 0


# What every batch asks is in the driver's own words: through SQLAlchemy each costs some 100 µs more, measured, which is
# most of a batch of one event.
_ADVANCE = (
    "UPDATE guard SET next_offset = ?, rings = ? "
    'WHERE cluster_id = ? AND topic_id = ? AND "partition" = ? AND next_offset = ? AND rings = ?'
)
_ANY_DEAD = "SELECT 1 FROM dead LIMIT 1"
_FORGET = 'DELETE FROM outbox WHERE topic = ? AND "partition" = ? AND ("offset" < ? OR ("offset" = ? AND ordinal <= ?))'
_NEXT_ALARM = "SELECT min(alarm_us) FROM state"
_OVERTAKE = (
    dead.update().where(dead.c.key_hash == sa.bindparam("k"), dead.c.offset < sa.bindparam("o")).values(overtaken=True)
)


@cache
def _selection(table: sa.Table, column: str, values: int, paramstyle: str) -> str:
    mark = "?" if paramstyle == "qmark" else "%s"
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return f'SELECT {names} FROM {table.name} WHERE "{column}" IN ({", ".join([mark] * values)})'  # noqa: S608 - ours


@cache
def _insertion(table: sa.Table, rows: int, paramstyle: str, clash: str) -> str:
    """The statement that inserts so many rows of every column, in the driver's own words."""
    mark = "?" if paramstyle == "qmark" else "%s"
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    row = f"({', '.join([mark] * len(table.columns))})"
    return f"INSERT INTO {table.name} ({names}) VALUES {', '.join([row] * rows)} {clash}"  # noqa: S608 - ours


def inserted(
    connection: sa.Connection, table: sa.Table, rows: Sequence[tuple[Any, ...]], clash: str = ""
) -> tuple[int, list[Any]]:
    """Insert rows in the order of the table's columns, by the driver's own way: SQLAlchemy's costs 5 µs more a row.

    Args:
        clash: what follows the values in the statement, such as ON CONFLICT and RETURNING.

    Returns:
        How many were written, and what the statement returns of them.
    """
    written, returned = 0, list[Any]()
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        statement = _insertion(table, len(some), connection.dialect.paramstyle, clash)
        done = connection.exec_driver_sql(statement, tuple(chain.from_iterable(some)))
        returned += done.all() if done.returns_rows else ()
        written += done.rowcount
    return written, returned


_UNLESS_OVERTAKEN = (
    "ON CONFLICT (key) DO UPDATE SET "
    + ", ".join(f'"{name}" = excluded."{name}"' for name in ("version", "body", "alarm_us", "topic", "partition"))
    + ' WHERE state."version" = excluded."version" - 1'
)


class Work:
    """One open transaction: reads, and writes that take effect together."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self._run = connection.execute
        self._style = connection.dialect.paramstyle

    def _do(self, statement: str, *values: object) -> sa.CursorResult[Any]:
        return self.connection.exec_driver_sql(worded(statement, self._style), values)

    # Guard rows

    def guards(self, cluster: str, topics: Iterable[str]) -> dict[Place, Guard]:
        """The guard of each guarded partition of these topics, whatever the topic's incarnation."""
        rows = self._run(sa.select(guard).where(guard.c.cluster_id == cluster, guard.c.topic.in_(list(topics))))
        return {Place(r.topic, r.partition, r.topic_id): Guard(r.next_offset, r.rings) for r in rows}

    def other_cluster(self, cluster: str) -> str | None:
        """The id of another cluster that this database has guarded, if it has."""
        return self._run(sa.select(guard.c.cluster_id).where(guard.c.cluster_id != cluster).limit(1)).scalar()

    def drop_other_incarnations(self, cluster: str, topic_ids: Mapping[str, str]) -> int:
        """Drop guards of topics that were deleted and made again; how many there were."""
        gone = self._run(
            guard.delete().where(
                guard.c.cluster_id == cluster,
                guard.c.topic.in_(list(topic_ids)),
                guard.c.topic_id.not_in(list(topic_ids.values())),
            )
        )
        return gone.rowcount

    def in_recovery(self) -> bool:
        """A recovery of this database began and has not come to its end."""
        return self._run(sa.select(recovering)).first() is not None

    def end_recovery(self) -> None:
        self._run(recovering.delete())

    def begin_at(self, cluster: str, place: Place, offset: int) -> None:
        """Guard a partition for the first time."""
        self._run(
            guard.insert().values(
                cluster_id=cluster,
                topic_id=place.topic_id,
                partition=place.partition,
                topic=place.topic,
                next_offset=offset,
                rings=0,
            )
        )

    def advance(self, cluster: str, place: Place, known: Guard, new: Guard) -> None:
        """Move a guard from `known` to `new`, which is another.

        Raises:
            Overtaken: the guard does not stand at `known`.
        """
        moved = self._do(_ADVANCE, *new, cluster, place.topic_id, place.partition, *known)
        if moved.rowcount != 1:
            raise Overtaken(f"guard of {place.topic}[{place.partition}]")

    # Consumed ids

    def seen(self, ids: Sequence[bytes]) -> dict[bytes, Seen]:
        return {r[0]: Seen(r[1], bool(r[2])) for r in self._among(seen, "id", ids)}

    def remember(self, rows: Sequence[tuple[bytes, bytes, bool, int]]) -> None:
        """Insert consumed ids: id and digest (16 bytes each), died, at (seconds since 1970).

        Raises:
            Repeated: one of them stands.
        """
        if self._insert(seen, sorted(rows), "ON CONFLICT DO NOTHING") != len(rows):  # sorted: fewer pages at a time
            raise Repeated("a consumed id")

    def forget_ids_before(self, seconds: int) -> int:
        """Drop ids of events older than that, unless their dead letter is still open."""
        still_open = sa.select(dead.c.id)
        gone = self._run(seen.delete().where(seen.c.at < seconds, seen.c.id.not_in(still_open)))
        return gone.rowcount

    def any_dead(self) -> bool:
        return self._do(_ANY_DEAD).first() is not None

    def dead(self, ids: Sequence[bytes]) -> dict[bytes, Died]:
        """What is known of each dead id among these."""
        rows = self._run(sa.select(dead).where(dead.c.id.in_(list(ids)))) if ids else ()
        return {r[0]: Died(*r[1:]) for r in rows}

    def bury(self, died: Mapping[bytes, Died]) -> None:
        """Note by their ids which events died."""
        if died:
            self._run(dead.insert(), [{"id": dead_id, **row._asdict()} for dead_id, row in died.items()])

    def overtake(self, later: Mapping[bytes, int]) -> None:
        """An event of that key (hashed) at that offset was decided: a retry of what died before it is a person's."""
        if later:
            self._run(_OVERTAKE, [{"k": key_hash, "o": offset} for key_hash, offset in later.items()])

    def retried(self, became: Mapping[bytes, bytes | None]) -> None:
        """Dead ids were tried once more: done, with the digest of what they said, or None: dead for good."""
        for dead_id, digest in became.items():
            if digest is None:
                self._run(dead.update().where(dead.c.id == dead_id).values(retried=True))
            else:
                self._run(dead.delete().where(dead.c.id == dead_id))
                self._run(seen.update().where(seen.c.id == dead_id).values(died=False, digest=digest))

    # State

    def load(self, keys: Sequence[str]) -> dict[str, StateRow]:
        found = self._among(state, "key", [key.encode() for key in keys])
        return {key: StateRow(key, *r[1:]) for r in found for key in [r[0].decode()]}

    def save(self, rows: Sequence[StateRow]) -> None:
        """Write views; `version` is the one that was read.

        Raises:
            Overtaken: another worker wrote one of them since.
        """
        values = [(r.key.encode(), r.version + 1, r.body, r.alarm_us, r.topic, r.partition) for r in rows]
        if self._insert(state, values, _UNLESS_OVERTAKEN) != len(rows):
            raise Overtaken("state")

    def alarms(self, until_us: int, places: Iterable[tuple[str, int]], limit: int) -> list[StateRow]:
        """Views whose moment came at or before `until_us`, of partitions this worker owns, oldest first."""
        mine = sa.tuple_(state.c.topic, state.c.partition).in_(list(places))
        query = sa.select(state).where(state.c.alarm_us <= until_us, mine).order_by(state.c.alarm_us).limit(limit)
        return [StateRow(*r) for r in self._run(query)]

    def next_alarm(self) -> int | None:
        """The earliest moment any view waits for, microseconds since 1970."""
        return self._do(_NEXT_ALARM).scalar()

    # Unsent outputs

    def queue(self, outputs: Sequence[Output]) -> None:
        self._insert(outbox, list(packed(outputs)))

    def _among(self, table: sa.Table, name: str, values: Sequence[bytes]) -> Iterator[Any]:
        """Rows whose column has one of these values, by the driver's own way."""
        for start in range(0, len(values), AT_ONCE):
            some = tuple(values[start : start + AT_ONCE])
            statement = _selection(table, name, len(some), self._style)
            yield from self.connection.exec_driver_sql(statement, some).fetchall()

    def _insert(self, table: sa.Table, rows: Sequence[tuple[Any, ...]], clash: str = "") -> int:
        """How many were written."""
        return inserted(self.connection, table, rows, clash)[0]

    def unsent(self, places: Iterable[tuple[str, int]]) -> list[Output]:
        """What these input partitions still owe, in the order it was decided: the first of it."""
        mine = sa.tuple_(outbox.c.topic, outbox.c.partition).in_(list(places))
        query = sa.select(outbox).where(mine).order_by(*outbox.primary_key.columns).limit(ROWS_LEFT_OVER)
        return [one for r in self._run(query) for one in unpacked(r.topic, r.partition, r.body)]

    def forget(self, acknowledged: Mapping[tuple[str, int], tuple[int, int]]) -> None:
        """Everything of these input partitions up to that (offset, ordinal) is acknowledged."""
        for (topic, partition), (offset, ordinal) in acknowledged.items():
            self._do(_FORGET, topic, partition, offset, offset, ordinal)
