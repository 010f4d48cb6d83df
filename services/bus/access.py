"""More connections to a service's database, for what serves people beside its loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from services.bus.errors import Surroundings
from services.bus.settings import Settings

T = TypeVar("T")
CONNECTIONS = 4


class Access:
    """Reads and short writes, each one transaction, off the event loop.

    SQLite lets everyone read while one writes; a writer waits for the loop's batch.
    """

    def __init__(self, settings: Settings, service: str) -> None:
        self._service = service
        url = sa.make_url(settings.store_for(service))
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix=f"{service}-access")
        self.engine = self._sqlite(url) if self.is_sqlite else self._postgres(url)

    @staticmethod
    def _sqlite(url: sa.URL) -> sa.Engine:
        path = Path(str(url.database))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)  # the door may open before the store does, and inboxes are their owner's alone to read
        engine = sa.create_engine(url, hide_parameters=True, pool_size=CONNECTIONS, connect_args={"timeout": 15})

        @sa.event.listens_for(engine, "connect")
        def durable(dbapi: object, _record: object) -> None:
            dbapi.isolation_level = None  # type: ignore[attr-defined]
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                dbapi.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]

        return engine

    def _postgres(self, url: sa.URL) -> sa.Engine:
        options = f"-c search_path={self._service.replace('-', '_')}"
        return sa.create_engine(
            url, hide_parameters=True, pool_size=CONNECTIONS, pool_pre_ping=True, connect_args={"options": options}
        )

    async def read(self, use: Callable[[sa.Connection], T]) -> T:
        """What `use` finds, all of it from one moment.

        Raises:
            Surroundings: the database is away.
        """
        return await self._run(use, "BEGIN" if self.is_sqlite else "")

    async def write(self, use: Callable[[sa.Connection], T]) -> T:
        """`use`, all or nothing.

        Raises:
            Surroundings: the database is away, or too busy; nothing is known to be written.
        """
        return await self._run(use, "BEGIN IMMEDIATE" if self.is_sqlite else "")

    async def _run(self, use: Callable[[sa.Connection], T], begin: str) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.run, use, begin)

    def run(self, use: Callable[[sa.Connection], T], begin: str = "BEGIN IMMEDIATE") -> T:
        """The same, in the thread that calls."""
        try:
            with self.engine.connect() as connection:
                if begin and self.is_sqlite:
                    connection.exec_driver_sql(begin)
                found = use(connection)
                connection.commit()
                return found
        except exc.IntegrityError:
            raise
        except exc.SQLAlchemyError as error:
            kind = type(getattr(error, "orig", None) or error).__name__
            raise Surroundings(f"the database of {self._service} is away or refused a statement ({kind})") from None

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        self.engine.dispose()
