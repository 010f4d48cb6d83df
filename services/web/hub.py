"""Tells whoever waits for something numbered what is new in it: read once, encoded once, shared by all who wait.

A waiting stream keeps its place, never a queue of its own, so that a slow one costs no more than a quick one; what it
has missed it finds in the database.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple, Self

import sqlalchemy as sa
import structlog

from services.bus.access import Access
from services.bus.errors import Surroundings

KEEP = 256
KEEP_BYTES = 1_000_000
"""How much of one channel is held ready for streams that are not quite up to date; at least the latest frame."""

PIECE = 65_536
"""Bytes that a stream is given at once, unless one frame alone is larger."""

POLL = 0.25
"""Seconds between looks for what other processes have written, which only PostgreSQL lets them."""

log = structlog.get_logger()


class Frame(NamedTuple):
    """One thing to send, encoded, and its number."""

    number: int
    encoded: bytes
    about: str = ""
    """What it tells of, by id, where a source records who was shown what."""


class Piece(NamedTuple):
    """What to send next, and which number has been reached with it."""

    frames: bytes
    number: int
    about: Sequence[str] = ()
    chunk: bytes = b""
    """The frames as a chunk of HTTP/1.1, for all streams that are given it without more ado (stream.py)."""


def piece_of(frames: Sequence[Frame]) -> Piece:
    """The first of these frames: as many as may be sent at once, at least one."""
    size = taken = 0
    for frame in frames:
        size += len(frame.encoded)
        if taken and size > PIECE:
            break
        taken += 1
    sent = frames[:taken]
    about = [frame.about for frame in sent if frame.about]
    encoded = b"".join(frame.encoded for frame in sent)
    return Piece(encoded, sent[-1].number, about, b"%x\r\n%b\r\n" % (len(encoded), encoded))


class Found(NamedTuple):
    """What a look found of one channel."""

    last: int
    """The number given last."""
    frames: Sequence[Frame]
    """Those up to it, in order; none if they are too many to hold, or not wanted since the epoch is another."""


News = Callable[[sa.Connection, Mapping[str, tuple[str, int]]], tuple[str, Mapping[str, Found]]]
"""The epoch now, and what is new of the channels of which (epoch, number given last) are known, by name. What is not
among them has nothing new."""


def _not_taken() -> bool:
    return False


class Watcher:
    """One that waits for a channel: woken when there may be more, and by whoever calls `wake`."""

    __slots__ = ("_take", "_waiting", "channel")

    def __init__(self, channel: Channel, take: Callable[[], bool] = _not_taken) -> None:
        """
        Args:
            take: asked while it waits and there may be more: whether that is taken, and nobody need be woken for it.
        """
        self.channel = channel
        self._take = take
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

    def ring(self) -> None:
        """There may be more."""
        if self._waiting is not None and not self._waiting.done() and not self._taken():
            self._waiting.set_result(None)

    def _taken(self) -> bool:
        try:
            return self._take()
        except Exception:  # noqa: BLE001 - it meets its fault in its own turn; the others are told all the same
            return False


class Channel:
    """One numbered thing, as those see it who wait for it in this process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.epoch = ""
        self.last = 0
        """The number given last, as far as is known here."""
        self.closed = False
        self.watchers: set[Watcher] = set()
        self._before = 0  # every frame above it, up to last, is ready
        self._frames: list[Frame] = []
        self._size = 0
        self._pieces: dict[int, Piece] = {}

    def begin(self, epoch: str, last: int) -> None:
        """Forget what was ready: from now on, numbers of this epoch above `last` are awaited."""
        self.epoch, self.last = epoch, last
        self._before, self._frames, self._size, self._pieces = last, [], 0, {}

    def add(self, frames: Sequence[Frame]) -> None:
        """The frames that come next, in order."""
        self._frames += frames
        self._size += sum(len(frame.encoded) for frame in frames)
        self.last = self._frames[-1].number
        surplus = 0
        while len(self._frames) - surplus > 1 and (len(self._frames) - surplus > KEEP or self._size > KEEP_BYTES):
            self._before = self._frames[surplus].number
            self._size -= len(self._frames[surplus].encoded)
            surplus += 1
        del self._frames[:surplus]
        self._pieces.clear()

    def after(self, number: int) -> Piece | None:
        """What follows that number, as much as may be sent at once; None if it is not ready here any more."""
        if not self._before <= number < self.last:
            return None
        if number not in self._pieces:
            follows = bisect_right(self._frames, number, key=lambda frame: frame.number)
            self._pieces[number] = piece_of(self._frames[follows:])
        return self._pieces[number]

    def ring(self) -> None:
        for watcher in self.watchers:
            watcher.ring()


class Hub:
    """Holds the channels that somebody waits for."""

    def __init__(self, access: Access, news: News) -> None:
        self._access, self._news = access, news
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
    def watch(self, name: str, take: Callable[[], bool] = _not_taken) -> Iterator[Watcher]:
        """Wait for that channel within the block. It has no epoch until the first look at it."""
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = Channel(name)
            channel.closed = self._closed
            self.ring()
        watcher = Watcher(channel, take)
        channel.watchers.add(watcher)
        try:
            yield watcher
        finally:
            channel.watchers.discard(watcher)
            if not channel.watchers and self._channels.get(name) is channel:
                del self._channels[name]

    def watching(self, name: str) -> int:
        """How many wait for that channel now."""
        channel = self._channels.get(name)
        return len(channel.watchers) if channel else 0

    async def wait(self, name: str, after_number: int, within: float) -> bool:
        """Whether that channel goes beyond the number, at the latest after `within` seconds."""
        with self.watch(name) as watcher:
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
                    "news_not_read", reason=str(error) if isinstance(error, Surroundings) else type(error).__name__
                )
                await asyncio.sleep(0.5)
                self._rung.set()

    async def _look(self) -> None:
        """Bring every channel that is waited for up to date."""
        known = {name: (channel.epoch, channel.last) for name, channel in self._channels.items()}
        if not known:
            return
        epoch, found = await self._access.read(lambda connection: self._news(connection, known))
        for name, (last, frames) in found.items():
            channel = self._channels.get(name)
            if channel is None or (channel.epoch, channel.last) != known[name]:
                continue  # everyone left, and somebody came back: the next look is the first again
            if frames:
                channel.add(frames)
            else:
                channel.begin(epoch, last)
            channel.ring()
