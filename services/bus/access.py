"""More connections to a service's database, for what serves people beside its loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from services.bus import sqlite
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
        self._readers = self._writers = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix=f"{service}-access")
        self._turn: AbstractContextManager[object] = nullcontext()
        if self.is_sqlite:
            self.engine, self._turn = sqlite.engine_for(url, pool_size=CONNECTIONS + 1), sqlite.turn(url)
            self._writers = ThreadPoolExecutor(1, thread_name_prefix=f"{service}-writing")  # readers need not wait
        else:
            self.engine = self._postgres(url)

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
        return await asyncio.get_running_loop().run_in_executor(
            self._readers, partial(self._transact, use, reading=True)
        )

    async def write(self, use: Callable[[sa.Connection], T]) -> T:
        """`use`, all or nothing.

        Raises:
            Surroundings: the database is away, or too busy; nothing is known to be written.
        """
        return await asyncio.get_running_loop().run_in_executor(self._writers, self.run, use)

    def run(self, use: Callable[[sa.Connection], T]) -> T:
        """A write, in the thread that calls."""
        with self._turn:
            return self._transact(use, reading=False)

    def _transact(self, use: Callable[[sa.Connection], T], *, reading: bool) -> T:
        try:
            with self.engine.connect() as connection:
                if self.is_sqlite:
                    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
                elif reading:
                    connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                found = use(connection)
                connection.commit()
                return found
        except exc.IntegrityError:
            raise
        except exc.SQLAlchemyError as error:
            kind = type(getattr(error, "orig", None) or error).__name__
            raise Surroundings(f"the database of {self._service} is away or refused a statement ({kind})") from None

    def close(self) -> None:
        for threads in (self._readers, self._writers):
            threads.shutdown(wait=True)
        self.engine.dispose()
