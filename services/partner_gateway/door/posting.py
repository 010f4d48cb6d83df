"""Where events that partners post become durable: each once, acknowledged by Kafka before its sender hears of it.

All that arrive while a round is under way go together in the next: one transaction that claims their ids, one batch
for each partition, one transaction that marks them. A process that dies in between leaves an id that is claimed and
not marked: whoever sends the event again has it sent to Kafka again, where its readers know the id.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Literal, Self

import structlog

from services.bus import tracing
from services.bus.access import Access
from services.bus.broker import Partition, Sending
from services.bus.clock import Clock
from services.bus.codec import digest
from services.bus.envelope import Event
from services.bus.errors import Surroundings, Unacknowledged
from services.bus.line import Line
from services.bus.run import codec_for
from services.bus.settings import Settings
from services.partner_gateway.door.once import Claim, Id, acknowledge, claim, forget

PRINCIPAL = "partner-door"

ROUND = 1000
"""Events in one round, more or less: those of one call stay together."""

ROUNDS = 2
"""Rounds under way at once: the ids of one are claimed while the other's events are on their way to Kafka."""

LONGEST_KEY = 1000
"""Bytes of a Kafka key: no opaque id is so long, and the rooms' databases take no much longer one."""

FORGET_EVERY = 3600.0
"""Seconds. What is older than the bus remembers is deleted, this many rows at once:"""

FORGET = 5000

State = Literal["accepted", "repeated", "id_reused", "unknown", "invalid"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of one event.

    accepted: Kafka has it. repeated: it had it already. id_reused: the id stands for another content; nothing was sent.
    unknown: no acknowledgement came; the same event may be posted again. invalid: no event can hold this; `detail`.
    """

    id: str
    source: str
    state: State
    detail: str = ""


@dataclass(slots=True)
class _Item:
    """One event on its way."""

    claim: Claim
    sending: Sending
    outcome: asyncio.Future[State | Surroundings] = field(default_factory=lambda: _future())

    def settle(self, outcome: State | Surroundings) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)


def _future() -> asyncio.Future[State | Surroundings]:
    return asyncio.get_running_loop().create_future()


class Postbox:
    """`async with Postbox(at, access, clock) as postbox: await postbox.post(events, organisation)`."""

    def __init__(self, at: Settings, access: Access, clock: Clock) -> None:
        self._at, self._access, self._clock = at, access, clock
        self._codec = codec_for(at)
        self._line = Line(at, self._codec, PRINCIPAL)
        self._waiting: deque[list[_Item]] = deque()
        self._arrived = asyncio.Event()
        self._in_flight: dict[Id, _Item] = {}
        self._slots = asyncio.Semaphore(ROUNDS)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._line.__aenter__()
        self._begin(self._work())
        self._begin(self._forget())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for item in self._in_flight.values():
            item.settle(Surroundings("the gateway is closing"))
        await self._line.__aexit__()

    async def post(self, events: Sequence[Event], organisation: str) -> list[Posted]:
        """Publish these for one organisation, in order for each key; when it returns, each one's fate is known.

        Args:
            events: each with its envelope, whose source is the organisation's own.

        Raises:
            Surroundings: the broker, the registry or the database is away. The same events may be posted again.
        """
        tracing.carry(events)
        await self._line.ready_for({event.topic for event in events})
        found: list[Posted | _Item | tuple[_Item, bool]] = []
        together: list[_Item] = []
        for event in events:
            item = self._item(event, organisation)
            if isinstance(item, str):
                found.append(Posted(event.envelope.id, event.envelope.source, "invalid", item))
            elif under_way := self._in_flight.get(item.claim.id):
                found.append((under_way, under_way.claim == item.claim))
            else:
                self._in_flight[item.claim.id] = item
                together.append(item)
                found.append(item)
        if together:
            self._waiting.append(together)
            self._arrived.set()
        return [await self._fate(each) for each in found]

    async def _fate(self, of: Posted | _Item | tuple[_Item, bool]) -> Posted:
        if isinstance(of, Posted):
            return of
        item, same = (of, True) if isinstance(of, _Item) else of
        source, event_id = item.claim.id
        if not same:
            return Posted(event_id, source, "id_reused")
        outcome = await asyncio.shield(item.outcome)  # others may wait for it too
        if isinstance(outcome, Surroundings):
            raise Surroundings(str(outcome))
        return Posted(event_id, source, "repeated" if item is not of and outcome == "accepted" else outcome)

    def _item(self, event: Event, organisation: str) -> _Item | str:
        """The event as it will be sent, or why it cannot be."""
        envelope = event.envelope
        try:
            key, value = self._codec.key_of(event), self._codec.encode(event)
        except (OverflowError, ValueError):  # of ValueError also Unicode's; their text holds the value
            return "the event holds a number or a character that no event can hold"
        if (size := len(key) + len(value)) > self._at.max_event_bytes:
            return f"the event has {size} bytes; at most {self._at.max_event_bytes} are taken"
        if len(key) > LONGEST_KEY:
            return f"what the event is about is named with more than {LONGEST_KEY} bytes"
        claimed = Claim(envelope.source, envelope.id, organisation, event.topic, digest(event))
        return _Item(claimed, Sending(key, value, self._codec.headers(envelope)))

    def _begin(self, doing: object) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(doing)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _work(self) -> None:
        while True:
            await self._slots.acquire()
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            items: list[_Item] = []
            while self._waiting and len(items) < ROUND:
                items += self._waiting.popleft()
            self._begin(self._round(items)).add_done_callback(lambda _: self._slots.release())

    async def _round(self, items: list[_Item]) -> None:
        try:
            await self._deliver(items)
        except Surroundings as error:
            for item in items:
                item.settle(error)
        except Exception as error:  # noqa: BLE001 - a fault of ours; the senders must hear all the same
            log.error("round_failed", error=type(error).__name__, events=len(items))  # noqa: TRY400
        finally:
            for item in items:
                del self._in_flight[item.claim.id]
                item.settle("unknown")

    async def _deliver(self, items: list[_Item]) -> None:
        writer = self._line.writer
        now_us = int(self._clock.now().timestamp() * 1_000_000)
        claims = [item.claim for item in items]
        stood = await self._access.write(lambda connection: claim(connection, claims, now_us))
        batches: dict[Partition, list[_Item]] = defaultdict(list)
        for item in items:
            before, acknowledged = stood.get(item.claim.id, (item.claim, False))
            if before != item.claim:
                item.settle("id_reused")
            elif acknowledged:
                item.settle("repeated")
            else:
                to = item.claim.type
                batches[to, writer.partition_for(to, item.sending.key)].append(item)
        began_ns = time.time_ns()
        sends = (writer.send(to, [item.sending for item in batch]) for to, batch in batches.items())
        done: list[_Item] = []
        for batch, failed in zip(batches.values(), await asyncio.gather(*sends, return_exceptions=True), strict=True):
            if failed is None:
                done += batch
                continue
            self._line.spoilt(writer)
            reason = str(failed) if isinstance(failed, Unacknowledged) else type(failed).__name__
            log.warning("unacknowledged", reason=reason, events=len(batch))
        tracing.sent(PRINCIPAL, [(i.claim.type, i.sending.headers) for i in done], began_ns, time.time_ns())
        if done:
            await self._mark([item.claim.id for item in done])
        for item in done:
            item.settle("accepted")

    async def _mark(self, ids: list[Id]) -> None:
        """Kafka has them, whatever the database says now: a repeat would only be sent once more."""
        try:
            await self._access.write(lambda connection: acknowledge(connection, ids))
        except Surroundings as error:
            log.warning("not_marked", reason=str(error), events=len(ids))

    async def _forget(self) -> None:
        keep = timedelta(days=self._at.keep_ids_days + 1)  # one more: a sender's clock may be behind
        while True:
            before_us, gone = int((self._clock.now() - keep).timestamp() * 1_000_000), 0
            try:
                gone = await self._access.write(partial(forget, before_us=before_us, most=FORGET))
            except Surroundings as error:
                log.warning("waiting", reason=str(error))
            await asyncio.sleep(0.1 if gone == FORGET else FORGET_EVERY)
