"""Serving an application beside a service's loop, and telling commands on this machine where it is."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil
import sqlalchemy as sa
import structlog
import uvicorn
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateSchema
from starlette.types import ASGIApp

from services.bus.access import Access
from services.bus.errors import Surroundings, UserMistake
from services.bus.http import QuietServer
from services.bus.projection import Projection
from services.bus.tables import refuse_earlier
from services.web.limits import Unhurried

log = structlog.get_logger()


class Place(NamedTuple):
    """Where a room's door is to be, as its settings say."""

    what: str
    """In words, as in `the partner gateway`."""
    setting: str
    """What its settings' names begin with, as in `GATEWAY`."""
    host: str
    port: int
    url: str | None
    """Its address as others see it, if that is another."""
    cert: Path | None
    key: Path | None
    file: Path
    """What tells commands on this machine where it is."""


def listen(place: Place) -> socket.socket:
    """Its listening socket.

    Raises:
        UserMistake: the port is taken, or there is a certificate without a key.
    """
    if bool(place.cert) != bool(place.key):
        names = f"SAFEBUS_{place.setting}_TLS_CERT and SAFEBUS_{place.setting}_TLS_KEY"
        raise UserMistake(f"{names} are given together or not at all")
    try:
        return socket.create_server((place.host, place.port), backlog=2048)
    except OSError as error:
        raise UserMistake(
            f"{place.host}:{place.port}, where {place.what} would listen, cannot be had ({error.strerror}); "
            f"choose another SAFEBUS_{place.setting}_PORT"
        ) from error


@asynccontextmanager
async def serving(
    app: ASGIApp, listening: socket.socket, place: Place, close: Callable[[], Awaitable[None]]
) -> AsyncIterator[str]:
    """Serve until the block ends; the address it serves at.

    Args:
        close: ends every open stream, before the server waits for what is still being answered.
    """
    server = QuietServer(
        uvicorn.Config(
            app,
            http=Unhurried,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            ssl_certfile=place.cert,
            ssl_keyfile=place.key,
            h11_max_incomplete_event_size=32_768,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=3,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[listening]))
    scheme = "https" if place.cert else "http"
    address = place.url or f"{scheme}://{place.host}:{listening.getsockname()[1]}"
    log.info("door_open", address=address)
    told = _tell_where(place.file, address)
    try:
        yield address
    finally:
        _forget_where(place.file, told)
        server.should_exit = True
        await close()
        with suppress(TimeoutError):
            await asyncio.wait_for(task, 5)


def where(file: Path) -> str | None:
    """The address of the door that was opened last, by its file; None if none is open."""
    try:
        said = json.loads(file.read_text("utf-8"))
        return str(said["address"]) if psutil.pid_exists(int(said["pid"])) else None
    except (OSError, ValueError, KeyError):
        return None


class _Told(NamedTuple):
    """What the file says now, and what another process said in it before."""

    now: str
    before: str | None


def _tell_where(file: Path, address: str) -> _Told:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = file.read_text("utf-8") if where(file) else None
    told = json.dumps({"address": address, "pid": os.getpid()})
    _write(file, told)
    return _Told(told, before if before and json.loads(before)["pid"] != os.getpid() else None)


def _forget_where(file: Path, told: _Told) -> None:
    """Another door that was opened here since stays where it said; one from before that stands still is found again."""
    with suppress(OSError):
        if file.read_text("utf-8") != told.now:
            return
        if told.before:
            _write(file, told.before)
        if not told.before or not where(file):
            file.unlink(missing_ok=True)


def _write(file: Path, text: str) -> None:
    half = file.with_suffix(".half")
    half.write_text(text, "utf-8")
    half.replace(file)


async def make_tables(access: Access, service: str, projection: Projection, own: Iterable[sa.MetaData]) -> None:
    """The projection's and the room's own, as the loop may not have begun yet.

    Waits for the database; another process may make them too.

    Raises:
        UserMistake: an earlier version made them otherwise.
    """
    schema = CreateSchema(service.replace("-", "_"), if_not_exists=True)  # as the store has it (bus/store.py)
    while True:
        try:
            if not access.is_sqlite:
                await access.write(lambda connection: connection.execute(schema))
            for tables in (projection.tables, *own):
                await access.read(partial(refuse_earlier, tables=tables, service=service))
                await access.write(tables.create_all)
            await access.write(projection.begin)
        except (Surroundings, IntegrityError) as error:  # the latter when two make one table at once
            log.warning("waiting", reason=str(error) if isinstance(error, Surroundings) else "made at once by another")
            await asyncio.sleep(0.5)
        else:
            return
