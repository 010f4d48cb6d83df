"""Tells whoever waits for an inbox what is new in it: read once, encoded once, shared by all who wait.

A waiting stream keeps its place, never a queue of its own, so that a slow one costs no more than a quick one; what it
has missed it finds in the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple, Self

import sqlalchemy as sa
import structlog
from pydantic_core import to_json

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.errors import Surroundings
from services.partner_gateway.inbox import reading
from services.partner_gateway.inbox.tables import counter

KEEP = 256
KEEP_BYTES = 1_000_000
"""How much of one inbox is held ready for streams that are not quite up to date; at least the latest entry."""

PIECE = 65_536
"""Bytes that a stream is given at once, unless one entry alone is larger."""

POLL = 0.25
"""Seconds between looks for what other processes have written, which only PostgreSQL lets them."""

COUNTERS_AT_ONCE = 1000
INBOXES_AT_ONCE = 100
"""What one statement asks for: neither database plans a longer one well."""

log = structlog.get_logger()


class Piece(NamedTuple):
    """What to send next, and which number has been reached with it."""

    frames: bytes
    number: int


def piece_of(frames: Sequence[bytes], after: int) -> Piece:
    """The first of these frames, which follow the number `after`: as many as may be sent at once, at least one."""
    size = taken = 0
    for frame in frames:
        size += len(frame)
        if taken and size > PIECE:
            break
        taken += 1
    return Piece(b"".join(frames[:taken]), after + taken)


class Watcher:
    """One that waits for an inbox: woken when there may be more, and by whoever calls `wake`."""

    __slots__ = ("_waiting", "channel")

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._waiting: asyncio.Future[None] | None = None

    async def wait(self) -> None:
        """Until woken. Look before: what came earlier does not wake."""
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class Channel:
    """One organisation's inbox, as those see it who wait for it in this process."""

    def __init__(self, organisation: str) -> None:
        self.organisation = organisation
        self.epoch = ""
        self.last = 0
        """The number given last, as far as is known here."""
        self.closed = False
        self.watchers: set[Watcher] = set()
        self._first = 1
        self._frames: list[bytes] = []  # of the numbers from _first to last, without a gap
        self._size = 0
        self._pieces: dict[int, Piece] = {}

    def begin(self, epoch: str, last: int) -> None:
        """Forget what was ready: from now on, numbers of this epoch above `last` are awaited."""
        self.epoch, self.last = epoch, last
        self._first, self._frames, self._size, self._pieces = last + 1, [], 0, {}

    def add(self, frames: Sequence[bytes]) -> None:
        """The next numbers' frames."""
        self._frames += frames
        self._size += sum(map(len, frames))
        self.last = self._first + len(self._frames) - 1
        surplus = 0
        while len(self._frames) - surplus > 1 and (len(self._frames) - surplus > KEEP or self._size > KEEP_BYTES):
            self._size -= len(self._frames[surplus])
            surplus += 1
        del self._frames[:surplus]
        self._first += surplus
        self._pieces.clear()

    def after(self, number: int) -> Piece | None:
        """What follows that number, as much as may be sent at once; None if it is not ready here any more."""
        if not self._first - 1 <= number < self.last:
            return None
        if number not in self._pieces:
            self._pieces[number] = piece_of(self._frames[number + 1 - self._first :], number)
        return self._pieces[number]

    def ring(self) -> None:
        for watcher in self.watchers:
            watcher.wake()


class Hub:
    """Holds the inboxes that somebody waits for."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._access, self._clock = access, clock
        self._channels: dict[str, Channel] = {}
        self._rung = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        self._pump = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def ring(self) -> None:
        """Something was committed. Called in the event loop."""
        self._rung.set()

    async def close(self) -> None:
        """End every wait and every stream."""
        self._closed = True
        if self._pump is not None:
            self._pump.cancel()
            with suppress(asyncio.CancelledError):
                await self._pump
            self._pump = None
        for channel in self._channels.values():
            channel.closed = True
            channel.ring()

    @contextmanager
    def watch(self, organisation: str) -> Iterator[Watcher]:
        """Wait for that organisation's inbox within the block. Its channel has no epoch until the first look at it."""
        channel = self._channels.get(organisation)
        if channel is None:
            channel = self._channels[organisation] = Channel(organisation)
            channel.closed = self._closed
            self.ring()
        watcher = Watcher(channel)
        channel.watchers.add(watcher)
        try:
            yield watcher
        finally:
            channel.watchers.discard(watcher)
            if not channel.watchers and self._channels.get(organisation) is channel:
                del self._channels[organisation]

    def watching(self, organisation: str) -> int:
        """How many wait for that organisation's inbox now."""
        channel = self._channels.get(organisation)
        return len(channel.watchers) if channel else 0

    async def wait(self, organisation: str, after_number: int, within: float) -> bool:
        """Whether that organisation's inbox goes beyond the number, at the latest after `within` seconds."""
        with self.watch(organisation) as watcher:
            channel = watcher.channel
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    while channel.last <= after_number and not channel.closed:
                        await watcher.wait()
            return channel.last > after_number

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(None if self._access.is_sqlite or not self._channels else POLL):
                    await self._rung.wait()
            self._rung.clear()
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 - whatever it is, streams must not fall silent for good
                log.warning(
                    "inboxes_not_read", reason=str(error) if isinstance(error, Surroundings) else type(error).__name__
                )
                await asyncio.sleep(0.5)
                self._rung.set()

    async def _look(self) -> None:
        """Bring every inbox that is waited for up to date."""
        known = {name: (channel.epoch, channel.last) for name, channel in self._channels.items()}
        if not known:
            return
        now_us = int(self._clock.now().timestamp() * 1_000_000)
        epoch, found = await self._access.read(lambda connection: _news(connection, known, now_us))
        for organisation, (last, frames) in found.items():
            channel = self._channels.get(organisation)
            if channel is None or (channel.epoch, channel.last) != known[organisation]:
                continue  # everyone left, and somebody came back: the next look is the first again
            if frames:
                channel.add(frames)
            else:
                channel.begin(epoch, last)
            channel.ring()


News = dict[str, tuple[int, list[bytes]]]
"""By organisation: the number given last, and the frames up to it; none if they are too many to hold, or not wanted
since the epoch is another."""


def _news(connection: sa.Connection, known: Mapping[str, tuple[str, int]], now_us: int) -> tuple[str, News]:
    """The epoch, and what is new of the inboxes of which (epoch, last) are known."""
    epoch, found, wanted = reading.epoch(connection), News(), []
    for name, last in _lasts(connection, list(known)):
        was, after = known[name]
        if was != epoch or last > after:
            found[name] = (last, [])
        if was == epoch and after < last <= after + KEEP:
            wanted.append(reading.Stretch(name, after, last))
    for start in range(0, len(wanted), INBOXES_AT_ONCE):
        for row in reading.stretches(connection, wanted[start : start + INBOXES_AT_ONCE], now_us):
            found[row.organisation][1].append(frame(row, epoch))
    return epoch, found


def _lasts(connection: sa.Connection, names: Sequence[str]) -> Iterator[tuple[str, int]]:
    """The number given last, 0 if none was."""
    for start in range(0, len(names), COUNTERS_AT_ONCE):
        some = names[start : start + COUNTERS_AT_ONCE]
        stand = sa.select(counter.c.organisation, counter.c.last).where(counter.c.organisation.in_(some))
        lasts = dict(map(tuple, connection.execute(stand)))
        yield from ((name, lasts.get(name, 0)) for name in some)


def frame(row: reading.Row, epoch: str) -> bytes:
    """One entry as a Server-Sent Event. JSON has no line breaks of its own, so that one data line holds it."""
    return b"id: %s.%d\nevent: disclosure\ndata: %b\n\n" % (
        epoch.encode(),
        row.number,
        to_json(reading.as_json(row, epoch)),
    )
