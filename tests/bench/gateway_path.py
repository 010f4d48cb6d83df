"""POST → the recipient's stream through two services and the gateway, beside one bare Kafka round trip, at one rate."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from services.bus.access import Access
from services.bus.catalogue import load
from services.bus.events import IncidentReported
from services.bus.run import broker_for
from services.bus.settings import settings
from services.partner_gateway.door.serve import where
from services.partner_gateway.partners.registry import add_key, add_partner, scopes_of
from tests.bench import made_up

FORCE, SCHOOL = "police:thames-valley", "school:990000"
CONNECTIONS = 32
Send = Callable[[int], Coroutine[Any, Any, None]]


async def at_rate(send: Send, count: int, rate: float) -> None:
    """Begin one every 1/rate seconds, however long each takes."""
    began, sends = time.perf_counter(), list[asyncio.Task[None]]()
    for n in range(count):
        await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
        sends.append(asyncio.create_task(send(n)))
    await asyncio.gather(*sends)


def percentiles(name: str, sent: dict[int, float], got: dict[int, float]) -> dict[str, float]:
    """p50 and p99 in milliseconds.

    Raises:
        SystemExit: something did not arrive.
    """
    if missing := len(sent.keys() - got.keys()):
        raise SystemExit(f"{missing} of {len(sent)} did not arrive on the {name} side")
    cuts = quantiles([(got[n] - sent[n]) * 1000 for n in sent], n=100)
    return {f"{name} p50": cuts[49], f"{name} p99": cuts[98]}


async def until_all(got: dict[int, float], count: int) -> None:
    for _ in range(1200):
        if len(got) >= count:
            return
        await asyncio.sleep(0.05)


async def bare(topic: str, count: int, rate: float) -> dict[str, float]:
    """One record produced and read back, by plain aiokafka."""
    common = broker_for(settings(), "admin").aiokafka()
    consumer = AIOKafkaConsumer(topic, **common, enable_auto_commit=False, auto_offset_reset="latest")
    producer = AIOKafkaProducer(**common, enable_idempotence=True, acks="all", compression_type="lz4")
    await consumer.start()
    await producer.start()
    await consumer.seek_to_end()
    sent, got = dict[int, float](), dict[int, float]()

    async def read() -> None:
        async for record in consumer:
            got[int(record.key or b"-1")] = time.perf_counter()

    async def send(n: int) -> None:
        sent[n] = time.perf_counter()
        await producer.send_and_wait(topic, b"x" * 1500, key=str(n).encode())

    reading = asyncio.create_task(read())
    await at_rate(send, 50, rate)
    await until_all(got, 50)
    sent.clear()
    got.clear()
    await at_rate(send, count, rate)
    await until_all(got, count)
    reading.cancel()
    await consumer.stop()
    await producer.stop()
    return percentiles("bare", sent, got)


async def whole(count: int, rate: float) -> dict[str, float]:
    """An incident posted by the force → the alert on the school's open stream. The services are running."""
    address = where(settings())
    assert address
    force, school = await _keys()
    sent, got = dict[int, float](), dict[int, float]()
    reading = asyncio.create_task(_stream(address, school, got))
    async with _post(address, force) as post:

        async def send(n: int) -> None:
            body = json.dumps(_event(n))
            sent[n] = time.perf_counter()
            await post(body)

        await at_rate(send, 100, rate)
        await until_all(got, 100)
        sent.clear()
        got.clear()
        await at_rate(lambda n: send(1000 + n), count, rate)
        await until_all(got, count)
    reading.cancel()
    return percentiles("whole", sent, got)


def _event(n: int) -> dict[str, Any]:
    """About a child of that school. It is known again by when it happened, which the school is told."""
    incident: IncidentReported = made_up.incident(n * made_up.SCHOOLS)
    own = f"path-{time.time_ns()}-{n}"
    changed = {"incident_id": own, "occurred_at": made_up.START + timedelta(microseconds=n + 1)}
    data = incident.model_copy(update=changed).model_dump(mode="json", by_alias=True)
    kind = IncidentReported.topic
    return {"specversion": "1.0", "id": own, "source": f"urn:safebus:{FORCE}", "type": kind, "data": data}


async def _keys() -> tuple[str, str]:
    access, catalogue = Access(settings(), "partner-gateway"), load(settings().catalogue)
    now_us = time.time_ns() // 1000

    def join(connection: Any) -> tuple[str, str]:
        keys = []
        for organisation, acts_as in ((FORCE, "police"), (SCHOOL, "agency")):
            add_partner(connection, organisation, acts_as, now_us=now_us)
            keys.append(add_key(connection, organisation, scopes_of(acts_as, catalogue), now_us=now_us))
        return keys[0], keys[1]

    try:
        return await access.write(join)
    finally:
        access.close()


async def _stream(address: str, key: str, got: dict[int, float]) -> None:
    url = urlsplit(address)
    reader, writer = await asyncio.open_connection(url.hostname, url.port, limit=1 << 20)
    writer.write(f"GET /v1/inbox/stream HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
    async for line in reader:
        if line.startswith(b"data: {") and b'"encompass.alerts.v1"' in line:
            now, data = time.perf_counter(), json.loads(line[6:])["event"]["data"]
            micros = data["incident_at"].partition(".")[2][:6]
            if micros.isdecimal():  # else of another part of the bench
                got[int(micros) - 1] = now


@asynccontextmanager
async def _post(address: str, key: str) -> AsyncIterator[Callable[[str], Coroutine[Any, Any, None]]]:
    """Posts by a few connections that stay open."""
    url = urlsplit(address)
    free: asyncio.Queue[Any] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection(url.hostname, url.port))
    head = (
        f"POST /v1/events/{IncidentReported.topic} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: application/cloudevents+json\r\nContent-Length: "
    )

    async def post(body: str) -> None:
        reader, writer = await free.get()
        if reader.at_eof():  # unused for so long that the gateway closed it
            reader, writer = await asyncio.open_connection(url.hostname, url.port)
        try:
            writer.write(f"{head}{len(body)}\r\n\r\n{body}".encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 202"):
                raise SystemExit(f"the gateway answered {answer[:40]!r}")
            length = answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
        finally:
            free.put_nowait((reader, writer))

    yield post
    while not free.empty():
        free.get_nowait()[1].close()
