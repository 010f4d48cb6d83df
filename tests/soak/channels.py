"""The ways by which events come: straight to Kafka as a principal, or over HTTPS through the gateway's door.

Each sends one after another, and again with the same ids whatever was not acknowledged, as every sender has to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Self
from uuid import uuid4

from services.bus.broker import Sending
from services.bus.clock import Clock
from services.bus.envelope import Event
from services.bus.errors import Surroundings, Unacknowledged
from services.bus.events import IncidentReported
from services.bus.publish import Publisher
from services.bus.run import broker_for
from services.bus.settings import Settings
from services.client import Client, TryAgain
from tests.soak.ledger import Ledger

MOST = 50
"""Events in one send."""
PAUSE = 0.2
"""Seconds between two tries."""
KAFKA, GATEWAY = "straight to Kafka", "through the gateway"


class Item(NamedTuple):
    """One event to be sent under that id."""

    id: str
    event: Event
    done: Callable[[], None] = lambda: None
    """Called once it is acknowledged."""


class Channel:
    """A queue, and the task that empties it: `async with channel: channel.put(…); await channel.empty()`."""

    door = ""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._queue: asyncio.Queue[Item] = asyncio.Queue()

    def put(self, item: Item) -> None:
        self._queue.put_nowait(item)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})
        await self.close()

    async def close(self) -> None:
        """Let go of what it sends with."""

    async def _run(self) -> None:
        while True:
            items = [await self._queue.get()]
            while len(items) < MOST and not self._queue.empty():
                items.append(self._queue.get_nowait())
            await self._until_acknowledged(items)
            for item in items:
                self._ledger.sent[item.event.topic] += 1
                self._ledger.by_door[self.door] += 1
                item.done()
                self._queue.task_done()

    async def empty(self) -> None:
        """Until all that was put is acknowledged.

        Raises:
            Exception: what ended its task: an event was refused.
        """
        emptied = asyncio.ensure_future(self._queue.join())
        await asyncio.wait({emptied, self._task}, return_when=asyncio.FIRST_COMPLETED)
        emptied.cancel()
        if self._task.done():
            self._task.result()

    async def _until_acknowledged(self, items: Sequence[Item]) -> None:
        while True:
            self._ledger.tries += len(items)
            with suppress(Surroundings, Unacknowledged, TryAgain):
                return await self._send(items)
            await asyncio.sleep(PAUSE)

    async def _send(self, items: Sequence[Item]) -> None:
        raise NotImplementedError


class Straight(Channel):
    """As a principal with a Kafka client of its own."""

    door = KAFKA

    def __init__(self, ledger: Ledger, at: Settings, principal: str) -> None:
        super().__init__(ledger)
        self._at, self._principal = at, principal
        self._publisher: Publisher | None = None

    async def _send(self, items: Sequence[Item]) -> None:
        try:
            if self._publisher is None:
                self._publisher = await Publisher(self._principal, self._at).__aenter__()
            for item in items:
                self._publisher.envelope(item.event, item.id)
            await self._publisher.publish([item.event for item in items])
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """A producer that was refused once is not used again."""
        if self._publisher is not None:
            publisher, self._publisher = self._publisher, None
            with suppress(Exception):
                await asyncio.wait_for(publisher.__aexit__(None, None, None), 5)


class ThroughTheGateway(Channel):
    """As an agency that has no Kafka client."""

    door = GATEWAY

    def __init__(self, ledger: Ledger, client: Client, organisation: str, clock: Clock) -> None:
        super().__init__(ledger)
        self._client, self._source, self._clock = client, f"urn:safebus:{organisation}", clock

    async def _send(self, items: Sequence[Item]) -> None:
        for item in items:
            body = item.event.model_dump(mode="json", by_alias=True, exclude_none=True)
            await self._client.publish(item.event.topic, body, id=item.id, source=self._source, time=self._clock.now())


async def send_malformed(at: Settings, id: str) -> None:  # noqa: A002
    """Bytes that no schema explains, as a force's broken system might send them."""
    while True:
        broker = broker_for(at, "police")
        writer = broker.writer()
        try:
            await writer.start()
            await writer.know([IncidentReported.topic])
            said = {
                "ce_id": id,
                "ce_source": "urn:safebus:police",
                "ce_type": IncidentReported.topic,
                "ce_time": "2026-11-20T12:00:00+00:00",
                "ce_specversion": "1.0",
                "ce_correlationid": f"urn:safebus:police {id}",
            }
            headers = [(name, text.encode()) for name, text in said.items()]
            partition = (IncidentReported.topic, writer.partition_for(IncidentReported.topic, id.encode()))
            await writer.send(partition, [Sending(id.encode(), b"{not an incident}", headers)])
        except (Surroundings, Unacknowledged):
            await asyncio.sleep(PAUSE)
        else:
            return
        finally:
            with suppress(Exception):
                await asyncio.wait_for(writer.stop(), 5)
            await broker.close()


def new_run() -> str:
    """What this run's ids begin with."""
    return f"soak-{uuid4().hex[:8]}"
