"""What a service remembers, in one database: guard rows, consumed ids, state, unsent outputs and the directory.

A batch is one transaction, fenced twice: a guard row moves only from the offset this process last knew, and a state
row only from the version that was read. Either miss means that somebody else went on, and raises `Overtaken`: the
whole transaction is undone and the batch is read again (DESIGN.md §1, rule 3).

SQLite: one process a service, its file locked. PostgreSQL: a schema for each service, any number of workers.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import exc

from services.bus.broker import Sending
from services.bus.errors import SafebusError, Surroundings, UserMistake
from services.bus.tables import dead, guard, metadata, outbox, recovering, seen, state


class Overtaken(SafebusError):
    """Another worker moved a guard or a state row first. Undo, read the guard again, go on from there."""


class Place(NamedTuple):
    """One partition of one incarnation of a topic."""

    topic: str
    partition: int
    topic_id: str


class Guard(NamedTuple):
    """How far a partition was decided, and how often alarms of its views rang."""

    next_offset: int
    rings: int = 0


class Seen(NamedTuple):
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


class StateRow(NamedTuple):
    """One remembered view. `version` 0 means that the row is new; `alarm_us` is in microseconds since 1970, UTC."""

    key: str
    version: int
    body: bytes
    alarm_us: int | None = None
    topic: str = ""
    partition: int = 0


class Output(NamedTuple):
    """Bytes that are to be sent, with the input (topic, partition, offset) that caused them and their order in it.

    `headers` is a JSON list of [name, value], both text.
    """

    topic: str
    partition: int
    offset: int
    ordinal: int
    to_topic: str
    key: bytes
    value: bytes
    headers: bytes
    id: str
    ready: Sending | None = None
    """The same for the broker, while it is in memory. Not stored."""


class Store:
    """One service's database. Synchronous; the loop calls it from one thread of its own."""

    def __init__(self, url: str, service: str, *, patience: float = 30.0) -> None:
        """
        Args:
            patience: seconds after which PostgreSQL undoes the transaction of a worker that says nothing more, such as
                one that was paused: the rows that it holds are what its successor waits for.
        """
        self.service = service
        self._url = sa.make_url(url)
        self._patience_ms = int(patience * 1000)
        self._lock: IO[str] | None = None
        self._engine: sa.Engine | None = None

    def open(self) -> None:
        """Connect, lock, and make the tables that are missing.

        Raises:
            Surroundings: the database does not answer.
            UserMistake: another process has this service's SQLite file.
        """
        if self._url.get_backend_name() == "sqlite":
            self._engine = self._open_sqlite()
        else:
            self._engine = self._open_postgres()
        try:
            with self._engine.begin() as connection:
                metadata.create_all(connection, checkfirst=True)
        except (exc.IntegrityError, exc.ProgrammingError):
            with self._engine.begin() as connection:  # two workers made the tables at once; the second look finds them
                metadata.create_all(connection, checkfirst=True)
        except exc.OperationalError as error:
            raise Surroundings(f"the database of {self.service} does not answer") from error

    def _open_sqlite(self) -> sa.Engine:
        if self._url.database not in (None, "", ":memory:"):
            path = Path(str(self._url.database))
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = path.with_suffix(".lock").open("a+")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                lock.close()
                raise UserMistake(f"{self.service} already runs on {path}; with SQLite it runs once") from error
            self._lock = lock
            path.touch(mode=0o600)
        engine = sa.create_engine(
            self._url, poolclass=sa.StaticPool, hide_parameters=True, connect_args={"check_same_thread": False}
        )

        @sa.event.listens_for(engine, "connect")
        def durable(dbapi: Any, _record: object) -> None:
            dbapi.isolation_level = None  # SQLAlchemy, not the driver, begins transactions
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-16384"):
                dbapi.execute(f"PRAGMA {pragma}")

        @sa.event.listens_for(engine, "begin")
        def immediate(connection: sa.Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        return engine

    def _open_postgres(self) -> sa.Engine:
        schema = self.service.replace("-", "_")
        options = f"-c search_path={schema} -c idle_in_transaction_session_timeout={self._patience_ms}"
        engine = sa.create_engine(
            self._url,
            pool_size=1,
            max_overflow=1,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"options": options, "connect_timeout": 5},
        )
        try:
            with engine.begin() as connection:
                connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
        except exc.IntegrityError:
            pass  # another worker made it in the same instant
        except exc.OperationalError as error:
            engine.dispose()
            raise Surroundings(f"the database of {self.service} does not answer") from error
        return engine

    @contextmanager
    def transaction(self) -> Iterator[Work]:
        """All or nothing.

        Raises:
            Overtaken: a guard, a state row or a consumed id was written by another worker meanwhile.
            Surroundings: the database went away; nothing is known to be committed.
        """
        assert self._engine is not None, "open() first"
        try:
            with self._engine.begin() as connection:
                yield Work(connection)
        except exc.IntegrityError:
            raise Overtaken("a row") from None  # PostgreSQL's text quotes the key
        except exc.SQLAlchemyError as error:
            if _conflict(error):
                raise Overtaken("a row") from None
            raise Surroundings(f"the database of {self.service} is away or refused a statement {_why(error)}") from None

    def close(self) -> None:
        """Let go of the database and its lock."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        if self._lock is not None:
            with suppress(OSError):
                self._lock.close()
            self._lock = None

    def reset(self) -> None:
        """Forget everything: the first step of a recovery, which is noted. SQLite's file stays, emptied."""
        with self.transaction() as work:
            for table in reversed(metadata.sorted_tables):
                work.connection.execute(table.delete())
            work.connection.execute(recovering.insert(), {"since": int(time.time())})


def _conflict(error: exc.SQLAlchemyError) -> bool:
    """A deadlock or a serialisation failure of PostgreSQL: undone, and worth another try at once."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) in {"40001", "40P01"}


def _why(error: exc.SQLAlchemyError) -> str:
    """The kind of error alone: its text may quote what was to be written."""
    cause = getattr(error, "orig", None) or error
    return f"({type(cause).__name__} {getattr(cause, 'sqlstate', None) or ''})".replace(" )", ")")


_ADVANCE = (
    guard.update()
    .where(
        guard.c.cluster_id == sa.bindparam("cluster"),
        guard.c.topic_id == sa.bindparam("tid"),
        guard.c.partition == sa.bindparam("part"),
        guard.c.next_offset == sa.bindparam("known"),
        guard.c.rings == sa.bindparam("rung"),
    )
    .values(next_offset=sa.bindparam("new"), rings=sa.bindparam("rings"))
)
_OVERTAKE = (
    dead.update().where(dead.c.key_hash == sa.bindparam("k"), dead.c.offset < sa.bindparam("o")).values(overtaken=True)
)
_SEEN = sa.select(seen.c.id, seen.c.digest, seen.c.died).where(seen.c.id.in_(sa.bindparam("ids", expanding=True)))
_STATE = sa.select(state).where(state.c.key.in_(sa.bindparam("keys", expanding=True)))
_FORGET = outbox.delete().where(
    outbox.c.topic == sa.bindparam("t"),
    outbox.c.partition == sa.bindparam("p"),
    sa.or_(
        outbox.c.offset < sa.bindparam("o"),
        sa.and_(outbox.c.offset == sa.bindparam("o"), outbox.c.ordinal <= sa.bindparam("n")),
    ),
)


@cache
def _saving(paramstyle: str) -> str:
    mark = "?" if paramstyle == "qmark" else "%s"
    values = ", ".join(f'"{name}" = {mark}' for name in ("body", "alarm_us", "topic", "partition"))
    return f'UPDATE state SET "version" = "version" + 1, {values} WHERE "key" = {mark} AND "version" = {mark}'  # noqa: S608


@cache
def _insertion(table: sa.Table, paramstyle: str) -> str:
    mark = "?" if paramstyle == "qmark" else "%s"
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return f"INSERT INTO {table.name} ({names}) VALUES ({', '.join([mark] * len(table.columns))})"  # noqa: S608 - ours


class Work:
    """One open transaction: reads, and writes that take effect together."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self._run = connection.execute

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
        moved = self._run(_ADVANCE, {
            "cluster": cluster, "tid": place.topic_id, "part": place.partition,
            "known": known.next_offset, "rung": known.rings, "new": new.next_offset, "rings": new.rings,
        })  # fmt: skip
        if moved.rowcount != 1:
            raise Overtaken(f"guard of {place.topic}[{place.partition}]")

    # Consumed ids

    def seen(self, ids: Sequence[bytes]) -> dict[bytes, Seen]:
        return {r[0]: Seen(r[1], r[2]) for r in self._run(_SEEN, {"ids": list(ids)})} if ids else {}

    def remember(self, rows: Sequence[dict[str, Any]]) -> None:
        """Insert consumed ids: id and digest (16 bytes each), died, at (seconds since 1970)."""
        self._insert(seen, [(row["id"], row["digest"], row["died"], row["at"]) for row in rows])

    def forget_ids_before(self, seconds: int) -> int:
        """Drop ids of events older than that, unless their dead letter is still open."""
        still_open = sa.select(dead.c.id)
        gone = self._run(seen.delete().where(seen.c.at < seconds, seen.c.id.not_in(still_open)))
        return gone.rowcount

    def any_dead(self) -> bool:
        return self._run(sa.select(dead.c.id).limit(1)).first() is not None

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
        return {r[0]: StateRow(*r) for r in self._run(_STATE, {"keys": list(keys)})} if keys else {}

    def save(self, rows: Sequence[StateRow]) -> None:
        """Write views; `version` is the one that was read.

        Raises:
            Overtaken: another worker wrote one of them since.
        """
        new = [r for r in rows if r.version == 0]
        old = [r for r in rows if r.version]
        self._insert(state, [(r.key.encode(), 1, r.body, r.alarm_us, r.topic, r.partition) for r in new])
        if old:
            values = [(r.body, r.alarm_us, r.topic, r.partition, r.key.encode(), r.version) for r in old]
            changed = self.connection.exec_driver_sql(_saving(self.connection.dialect.paramstyle), values)
            if changed.rowcount != len(old):
                raise Overtaken("state")

    def alarms(self, until_us: int, places: Iterable[tuple[str, int]], limit: int) -> list[StateRow]:
        """Views whose moment came at or before `until_us`, of partitions this worker owns, oldest first."""
        mine = sa.tuple_(state.c.topic, state.c.partition).in_(list(places))
        query = sa.select(state).where(state.c.alarm_us <= until_us, mine).order_by(state.c.alarm_us).limit(limit)
        return [StateRow(*r) for r in self._run(query)]

    def next_alarm(self) -> int | None:
        """The earliest moment any view waits for, microseconds since 1970."""
        return self._run(sa.select(sa.func.min(state.c.alarm_us))).scalar()

    # Unsent outputs

    def queue(self, outputs: Sequence[Output]) -> None:
        self._insert(outbox, [output[:-1] for output in outputs])

    def _insert(self, table: sa.Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Rows in the order of the table's columns, by the driver's own way: SQLAlchemy's costs 5 µs more a row."""
        if rows:
            self.connection.exec_driver_sql(_insertion(table, self.connection.dialect.paramstyle), list(rows))

    def unsent(self, places: Iterable[tuple[str, int]], limit: int) -> list[Output]:
        """What these input partitions still owe, in the order it was decided."""
        mine = sa.tuple_(outbox.c.topic, outbox.c.partition).in_(list(places))
        query = sa.select(outbox).where(mine).order_by(*outbox.primary_key.columns).limit(limit)
        return [Output(*r) for r in self._run(query)]

    def forget(self, acknowledged: Mapping[tuple[str, int], tuple[int, int]]) -> None:
        """Everything of these input partitions up to that (offset, ordinal) is acknowledged."""
        for (topic, partition), (offset, ordinal) in acknowledged.items():
            self._run(_FORGET, {"t": topic, "p": partition, "o": offset, "n": ordinal})
