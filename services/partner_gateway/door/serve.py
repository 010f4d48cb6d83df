"""Opens the gateway's door beside its loop."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import psutil
import structlog
import uvicorn
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateSchema

from services.bus.access import Access
from services.bus.catalogue import load
from services.bus.claims import Claims
from services.bus.clock import Clock
from services.bus.errors import Surroundings, UserMistake
from services.bus.http import QuietServer
from services.bus.run import codec_for
from services.bus.settings import Settings
from services.partner_gateway.door.app import application
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.limits import Unhurried
from services.partner_gateway.door.posting import Postbox
from services.partner_gateway.inbox.hub import Hub
from services.partner_gateway.inbox.projection import INBOXES
from services.partner_gateway.notices.postman import notices
from services.partner_gateway.partners.identify import Identifier
from services.partner_gateway.tables import metadata
from services.partner_gateway.webhooks.sender import Sender
from services.partner_gateway.wiring import SERVICE

DOOR = "door.json"
"""Below the data directory: where the gateway is, for commands on this machine."""

log = structlog.get_logger()

OWN_SCHEMA = CreateSchema(SERVICE.name.replace("-", "_"), if_not_exists=True)
"""On PostgreSQL, as the store has it (bus/store.py)."""


@asynccontextmanager
async def open_door(at: Settings) -> AsyncIterator[str]:
    """Serve until the block ends; the address it serves at.

    Raises:
        UserMistake: the port is taken, or there is a certificate without a key.
    """
    listening = _listen(at)
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(gateway_for(at))
        server = QuietServer(
            uvicorn.Config(
                application(gateway),
                http=Unhurried,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                ssl_certfile=at.gateway_tls_cert,
                ssl_keyfile=at.gateway_tls_key,
                h11_max_incomplete_event_size=32_768,
                timeout_keep_alive=15,
                timeout_graceful_shutdown=3,
            )
        )
        task = asyncio.create_task(server.serve(sockets=[listening]))
        scheme = "https" if at.gateway_tls_cert else "http"
        address = at.gateway_url or f"{scheme}://{at.gateway_host}:{listening.getsockname()[1]}"
        log.info("door_open", address=address)
        _tell_where(at, address)
        try:
            yield address
        finally:
            (at.data_dir / DOOR).unlink(missing_ok=True)
            server.should_exit = True
            await gateway.hub.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(task, 5)


@asynccontextmanager
async def gateway_for(at: Settings) -> AsyncIterator[Gateway]:
    """Everything that the routes work with, ended with the block.

    Raises:
        UserMistake: the settings for e-mail do not fit together.
    """
    access = Access(at, SERVICE.name)
    await _tables(access)
    clock, codec = Clock.of(at), codec_for(at)
    async with AsyncExitStack() as stack:
        stack.callback(access.close)
        hub = Hub(access, clock)
        postbox = await stack.enter_async_context(Postbox(at, access, clock))
        gateway = Gateway(
            settings=at,
            access=access,
            catalogue=load(at.catalogue),
            clock=clock,
            codec=codec,
            claims=Claims(at.claims),
            postbox=postbox,
            hub=hub,
            identifier=Identifier(at, access, clock),
        )
        INBOXES.listeners.append(hub.ring)
        stack.callback(INBOXES.listeners.remove, hub.ring)
        await stack.enter_async_context(hub)
        await stack.enter_async_context(Sender(gateway))
        await stack.enter_async_context(notices(gateway))
        yield gateway


async def _tables(access: Access) -> None:
    """Both kinds, as the loop may not have begun yet. Waits for the database; another process may make them too."""
    while True:
        try:
            if not access.is_sqlite:
                await access.write(lambda connection: connection.execute(OWN_SCHEMA))
            for tables in (INBOXES.tables, metadata):
                await access.write(tables.create_all)
            await access.write(INBOXES.begin)
        except (Surroundings, IntegrityError) as error:  # the latter when two make one table at once
            log.warning("waiting", reason=str(error) if isinstance(error, Surroundings) else "made at once by another")
            await asyncio.sleep(0.5)
        else:
            return


def where(at: Settings) -> str | None:
    """The address of the gateway that was opened last in this data directory; None if none is open."""
    try:
        said = json.loads((at.data_dir / DOOR).read_text("utf-8"))
        return str(said["address"]) if psutil.pid_exists(int(said["pid"])) else None
    except (OSError, ValueError, KeyError):
        return None


def _tell_where(at: Settings, address: str) -> None:
    path = at.data_dir / DOOR
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    half = path.with_suffix(".half")
    half.write_text(json.dumps({"address": address, "pid": os.getpid()}), "utf-8")
    half.replace(path)


def _listen(at: Settings) -> socket.socket:
    if bool(at.gateway_tls_cert) != bool(at.gateway_tls_key):
        raise UserMistake("SAFEBUS_GATEWAY_TLS_CERT and SAFEBUS_GATEWAY_TLS_KEY are given together or not at all")
    try:
        return socket.create_server((at.gateway_host, at.gateway_port), backlog=2048)
    except OSError as error:
        raise UserMistake(
            f"{at.gateway_host}:{at.gateway_port}, where the partner gateway would listen, cannot be had "
            f"({error.strerror}); choose another SAFEBUS_GATEWAY_PORT"
        ) from error
