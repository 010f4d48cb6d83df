"""How long an event takes to reach many open streams beside a bare server that writes the same bytes, and what an open
stream costs; and whether a long inbox pages as fast as a short one.

`python -m tests.bench.gateway_streams` serves one side, for `streams` to measure: it prints its address, and on each
line that it reads it has one more event to tell; then it prints when it began to tell it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from uuid import uuid4

import psutil
import sqlalchemy as sa
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

from services.bus import events as e
from services.bus.access import Access
from services.bus.envelope import Envelope
from services.bus.heard import Heard
from services.bus.http import QuietServer
from services.bus.logs import configure
from services.bus.memory import MemoryRecord
from services.bus.run import tune_the_interpreter
from services.bus.settings import Settings, settings
from services.partner_gateway.door import serve
from services.partner_gateway.inbox import reading, urgency
from services.partner_gateway.inbox.hub import frame
from services.partner_gateway.inbox.projection import INBOXES
from services.partner_gateway.inbox.tables import counter, entry
from services.partner_gateway.partners import registry
from services.partner_gateway.tables import metadata

ORGANISATION = "la:825"
MARK = b"event: disclosure"
START = datetime(2026, 11, 13, 19, 40, tzinfo=UTC)


def told(n: int) -> Heard:
    """Something that discloses."""
    event = e.DeadlineMissed.model_validate(
        {
            "disclosure": {
                "id": uuid4(), "recipient": ORGANISATION, "recipient_role": "LOCAL_AUTHORITY",
                "purpose": "ESCALATION", "lawful_basis": "PUBLIC_TASK_6_1_E", "due_by": START + timedelta(days=1),
            },
            "deadline_id": uuid4(), "child_id": f"child-{n}", "kind": "SCHOOL_ALERT_READ", "due_by": START,
            "owed_role": "SCHOOL",
        }
    )  # fmt: skip
    envelope = Envelope(str(event.disclosure.id), "urn:safebus:deadlines", event.topic, START)
    event.enveloped(envelope)
    return Heard(MemoryRecord(event.topic, 0, n, b"", b"", [], 0), event=event, envelope=envelope)


def content() -> bytes:
    """The body of such an event, as it stands in an inbox."""
    event = told(1).event
    assert event is not None
    return event.model_dump_json(by_alias=True).encode()


# Two sides, each a process of its own


async def serve_whole(at: Settings) -> None:
    """The gateway without its loop: what the loop does with an event is done here, for each line."""
    configure(at)
    tune_the_interpreter()
    async with serve.open_door(at) as address:
        access = Access(at, "partner-gateway")
        say(f"{address} {await access.write(_admit)}")
        n = 0
        while await line():
            n += 1
            await access.write(partial(_record, done=[told(n)]))
            say(str(time.monotonic()))
            INBOXES.committed()


def _admit(connection: sa.Connection) -> str:
    registry.add_partner(connection, ORGANISATION, "local-authority", now_us=int(time.time() * 1e6))
    return registry.add_key(connection, ORGANISATION, {"inbox"}, now_us=int(time.time() * 1e6))


def _record(connection: sa.Connection, done: list[Heard]) -> None:
    list(INBOXES.record(connection, done))


async def serve_bare() -> None:
    """The same server library, and nothing but the bytes, which it has from the beginning."""
    tune_the_interpreter()
    row = reading.Row(
        ORGANISATION, 1, str(uuid4()), e.DeadlineMissed.topic, str(uuid4()), "urn:safebus:deadlines", 1, "child-1",
        "LOCAL_AUTHORITY", 1, False, False, content(), None, None, False, False,
    )  # fmt: skip
    frames, bell = frame(row, "0123abcd"), asyncio.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"retry: 2000\n\n", "more_body": True})
        while True:
            await bell.wait()
            await send({"type": "http.response.body", "body": frames, "more_body": True})

    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    server = QuietServer(uvicorn.Config(application, http="h11", log_config=None, access_log=False, lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    say(f"http://127.0.0.1:{listening.getsockname()[1]} none")
    while await line():
        say(str(time.monotonic()))
        bell.set()
        bell.clear()
    task.cancel()


def say(text: str) -> None:
    print(text, flush=True)


async def line() -> str:
    return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


# The side that measures


class Stream(asyncio.Protocol):
    """One client: counts what it is told."""

    def __init__(self, crowd: Crowd, head: bytes) -> None:
        self._crowd, self._head = crowd, head

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._head)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if b"retry:" in data:
            self._crowd.count("open")
        if MARK in data:
            self._crowd.count("told")


class Crowd:
    """All clients together."""

    def __init__(self, size: int) -> None:
        self._size, self._counts = size, {"open": 0, "told": 0}
        self._all = {"open": asyncio.Event(), "told": asyncio.Event()}
        self.at = 0.0

    def count(self, what: str) -> None:
        self._counts[what] += 1
        if self._counts[what] == self._size:
            self.at = time.monotonic()
            self._all[what].set()

    async def reached(self, what: str) -> None:
        await asyncio.wait_for(self._all[what].wait(), 60)

    def again(self) -> None:
        self._counts["told"] = 0
        self._all["told"].clear()


@asynccontextmanager
async def side(name: str, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.gateway_streams", name,
        env=os.environ | {"SAFEBUS_DATA_DIR": str(folder), "SAFEBUS_SECRETS_FILE": str(settings().secrets_path),
                          "SAFEBUS_LOG_LEVEL": "ERROR", "SAFEBUS_GATEWAY_PORT": "0",
                          "SAFEBUS_GATEWAY_BURST": "1000000", "SAFEBUS_GATEWAY_STREAMS": "1000000"},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def one_side(name: str, count: int, times: int, folder: Path) -> tuple[float, float]:
    """Milliseconds until an event has reached all of `count` streams, the median; and kB that each stream takes."""
    async with side(name, folder) as process:
        assert process.stdin
        assert process.stdout
        address, key = (await process.stdout.readline()).decode().split()
        port = int(address.rpartition(":")[2])
        head = f"GET /v1/inbox/stream HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        loop, crowd = asyncio.get_running_loop(), Crowd(count)
        server = psutil.Process(process.pid)
        before = server.memory_info().rss
        transports = []
        for _ in range(count):
            transport, _ = await loop.create_connection(lambda: Stream(crowd, head), "127.0.0.1", port)
            transports.append(transport)
        await crowd.reached("open")
        await asyncio.sleep(0.5)
        taken = []
        for _ in range(times):
            crowd.again()
            process.stdin.write(b"\n")
            began = float(await process.stdout.readline())
            await crowd.reached("told")
            taken.append((crowd.at - began) * 1000)
            await asyncio.sleep(0.2)
        size = (server.memory_info().rss - before) / count / 1000
        for transport in transports:
            transport.abort()
    return median(taken), size


async def streams(count: int = 2000, times: int = 15, repeats: int = 2) -> dict[str, float]:
    """`bare` and `whole`: milliseconds until an event has reached all; `kB`: what a stream takes. Best of the repeats.

    The sides take turns, so that what else the machine does meets both.
    """
    best: dict[str, float] = {}
    for _ in range(repeats):
        for name in ("bare", "whole"):
            with tempfile.TemporaryDirectory(prefix="safebus-streams-") as folder:
                taken, size = await one_side(name, count, times, Path(folder))
            best[name] = min(taken, best.get(name, taken))
            best[f"{name} kB"] = min(size, best.get(f"{name} kB", size))
    return best


# Long inboxes


async def pages(short: int = 1_000, long: int = 1_000_000, count: int = 200) -> dict[str, float]:
    """`short` and `long`: milliseconds to read a page of 100 out of an inbox of that size, the median of its length."""
    return await asyncio.to_thread(_pages, short, long, count)


def _pages(short: int, long: int, count: int) -> dict[str, float]:
    """Both stand in one database, so that the short one's pages are no nearer than the long one's."""
    sizes, taken = {"short": short, "long": long}, defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="safebus-pages-") as folder:
        access = Access(Settings(data_dir=Path(folder)), "partner-gateway")
        for tables in (INBOXES.tables, metadata):
            access.run(tables.create_all)
        access.run(INBOXES.begin)
        for name, size in sizes.items():
            access.run(partial(_fill, organisation=name, size=size))
        for n in range(count):
            for name, size in sizes.items():
                after = (size - 100) * n // count
                began = time.perf_counter()
                rows = access.run(partial(reading.entries, organisation=name, after=after, limit=100, now_us=1))
                taken[name].append((time.perf_counter() - began) * 1000)
                assert len(rows) == 100
        access.close()
    return {name: median(some) for name, some in taken.items()}


def _fill(connection: sa.Connection, organisation: str, size: int) -> None:
    same = (
        e.DeadlineMissed.topic, "id", "urn:safebus:deadlines", 1, "c", "child-1", "LOCAL_AUTHORITY", 2, False, False,
        content(), urgency.DUE, 2,
    )  # fmt: skip
    names = [column.name for column in entry.columns]
    insert = f"insert into {entry.name} ({', '.join(names)}) values ({', '.join('?' * len(names))})"
    for start in range(0, size, 10_000):
        numbers = range(start + 1, min(start + 10_000, size) + 1)
        connection.exec_driver_sql(insert, [(organisation, n, f"{organisation} {n:07d}", *same) for n in numbers])
    connection.execute(counter.insert(), {"organisation": organisation, "last": size, "unfinished": size})


if __name__ == "__main__":
    given = argparse.ArgumentParser()
    given.add_argument("side", choices=["bare", "whole"])
    uvloop.run(serve_bare() if given.parse_args().side == "bare" else serve_whole(Settings()))
