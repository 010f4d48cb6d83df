"""What a service remembers, in one database: guard rows, consumed ids, state, unsent outputs and the directory.

A batch is one transaction (work.py). SQLite: one process a service, its file locked. PostgreSQL: a schema for each
service, any number of workers.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO

import sqlalchemy as sa
from sqlalchemy import exc

from services.bus import sqlite
from services.bus.errors import Surroundings, UserMistake
from services.bus.projection import Projection
from services.bus.tables import metadata, recovering, refuse_earlier
from services.bus.work import Overtaken, Work


class Store:
    """One service's database. Synchronous; the loop calls it from one thread of its own."""

    def __init__(self, url: str, service: str, *, patience: float = 30.0, projection: Projection | None = None) -> None:
        """
        Args:
            patience: seconds after which PostgreSQL undoes the transaction of a worker that says nothing more, such as
                one that was paused: the rows that it holds are what its successor waits for.
        """
        self.service = service
        self._projection = projection
        self._url = sa.make_url(url)
        self._patience_ms = int(patience * 1000)
        self._lock: IO[str] | None = None
        self._engine: sa.Engine | None = None
        self._turn: AbstractContextManager[object] = nullcontext()

    @property
    def is_alone(self) -> bool:
        """Whether no other process can write here while this one has it open."""
        return self._url.get_backend_name() == "sqlite"

    def open(self) -> None:
        """Connect, lock, and make the tables that are missing.

        Raises:
            Surroundings: the database does not answer.
            UserMistake: another process has this service's SQLite file.
        """
        if self.is_alone:
            self._engine = self._open_sqlite()
        else:
            self._engine = self._open_postgres()
        try:
            self._make_tables(self._engine)
        except (exc.IntegrityError, exc.ProgrammingError):
            self._make_tables(self._engine)  # two workers made them at once; the second look finds them
        except exc.OperationalError as error:
            raise Surroundings(f"the database of {self.service} does not answer") from error

    def _make_tables(self, engine: sa.Engine) -> None:
        with self._turn, engine.begin() as connection:
            for tables in self._tables():
                refuse_earlier(connection, tables, self.service)
                tables.create_all(connection, checkfirst=True)
            if self._projection:
                self._projection.begin(connection)

    def _tables(self) -> list[sa.MetaData]:
        return [metadata, *([self._projection.tables] if self._projection else [])]

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
        engine = sqlite.engine_for(self._url, cache_mib=16, poolclass=sa.StaticPool)
        self._turn = sqlite.turn(self._url)

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
            Overtaken: a guard or a state row was written by another worker meanwhile, or an id stands (`Repeated`).
            Surroundings: the database went away; nothing is known to be committed.
        """
        assert self._engine is not None, "open() first"
        try:
            with self._turn, self._engine.begin() as connection:
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
            for tables in self._tables():
                for table in reversed(tables.sorted_tables):
                    work.connection.execute(table.delete())
            if self._projection:
                self._projection.begin(work.connection)
            work.connection.execute(recovering.insert(), {"since": int(time.time())})


def _conflict(error: exc.SQLAlchemyError) -> bool:
    """A deadlock or a serialisation failure of PostgreSQL: undone, and worth another try at once."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) in {"40001", "40P01"}


def _why(error: exc.SQLAlchemyError) -> str:
    """The kind of error alone: its text may quote what was to be written."""
    cause = getattr(error, "orig", None) or error
    return f"({type(cause).__name__} {getattr(cause, 'sqlstate', None) or ''})".replace(" )", ")")
