"""A live stream as Server-Sent Events: from a place on, then as it grows, until there is a reason to end it.

A stream keeps its place and no queue. What it is sent is encoded once for all streams of its channel (hub.py), and what
it has missed comes from its source. One that does not take what it is sent is dropped with a reason, and finds
everything again by its place.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Protocol

import structlog
from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.bus.errors import Surroundings
from services.web.cursor import Cursor
from services.web.hub import Channel, Hub, Piece, Watcher
from services.web.problems import Problem

HEARTBEAT = 15.0
"""Seconds: nothing sent for so long, and a comment is, so that both ends know the connection stands."""

COMMENT = b": heartbeat\n\n"

PATIENCE = 30.0
"""Seconds in which a client must take some of what it is sent."""

LINGER = 30.0
"""Seconds in which it may still take the rest, once it was told that it is dropped."""

AGAIN = 30.0
"""Seconds after which the proof that opened a stream is looked at again: it may have been revoked, or have expired."""

NOTICED = ceil(HEARTBEAT / 3)
"""Seconds after which a stream whose client has gone is surely counted no more."""

UNSENT = 65_536
"""Bytes that the system may hold for one stream: of itself it would take megabytes for a client that does not read."""

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "X-Accel-Buffering": "no",
    "Connection": "close",
}

log = structlog.get_logger()


class Source(Protocol):
    """What a stream is of, and for whom."""

    @property
    def channel(self) -> str:
        """The hub's."""

    @property
    def who(self) -> dict[str, str]:
        """Ids, for the log."""

    async def missed(self, after: int) -> tuple[str, Piece | None]:
        """The epoch now, and what follows that number, 0 at the beginning; None if nothing does.

        A piece without frames only says that there is nothing to send up to its number.

        Raises:
            Surroundings: the database is away.
        """

    async def still_may(self) -> bool:
        """Whether what opened the stream would open it still.

        Raises:
            Surroundings: that cannot be asked now.
        """


class StreamingProtocol(H11Protocol):
    """The server's side of one connection, which the application sees as `state.transport`: whether it stands, and how
    to end it.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}

    @property
    def takes_more(self) -> bool:
        """Whether something can be written at once: all that was written before is on its way."""
        return not (self.flow.write_paused or self.transport.is_closing())


class Stream(Response):
    """One open stream, from a cursor on; without one, from the source's beginning."""

    def __init__(self, hub: Hub, source: Source, cursor: Cursor | None, beat: bytes = COMMENT) -> None:
        """
        Args:
            beat: sent when nothing else is. A browser's script never sees a comment: a page's stream sends an event.
        """
        super().__init__(None, headers=HEADERS)
        del self.headers["content-length"]
        self._hub, self._source, self._beat = hub, source, beat
        self._epoch, self._number = cursor or ("", 0)
        self._dropped = ""
        self._attend = True
        """Something besides the source wants attention: the only thing that a turn looks at before it sends."""
        self._begun = self._ended = self._seen = 0
        """Pieces that were begun to be sent, those that were taken, and how many had been begun at `_seen_at`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = scope.get("state", {}).get("transport")
        self._chunked = self._transport is not None and scope["http_version"] == "1.1"
        if self._transport is not None:
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT)
        self._loop, self._seen_at, self._proved_at = loop, loop.time(), loop.time()
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        self._send = scope.get("state", {}).get("send", send)  # what stands between adds nothing to a body
        with self._hub.watch(self._source.channel, self._take) as self._watcher:
            self._timer = loop.call_later(HEARTBEAT / 3, self._look_after)
            try:
                await self._say(b"retry: 2000\n\n")
                reason = await self._run(self._watcher)
            finally:
                self._timer.cancel()
        if not self._is_gone:
            log.info("stream_ended", **self._source.who, reason=reason)
            goodbye = b"event: goodbye\ndata: %b\n\n" % to_json({"reason": reason})
            await send({"type": "http.response.body", "body": goodbye, "more_body": False})
            if self._transport is not None:
                loop.call_later(LINGER, self._transport.abort)

    async def _run(self, watcher: Watcher) -> str:
        """Send until there is a reason not to, which is returned."""
        channel = watcher.channel
        while True:
            attend = self._attend or channel.closed or channel.epoch != self._epoch
            if attend and (reason := await self._attended(channel)):
                return reason
            piece = channel.after(self._number)
            if piece is None and self._number < channel.last and (piece := await self._missed()) is None:
                continue  # it has waited; what woke it is looked at
            if piece is not None:
                if piece.frames:
                    self._showing(piece.about)
                    await self._say(piece.frames)
                self._number = piece.number
            else:
                await watcher.wait()

    def _take(self) -> bool:
        """Send what is new in the turn in which it is told, where nothing else is to be seen to: whether that was done.

        A task's own turn, with all that stands between it and the connection, costs as much again as the sending, for
        each stream: measured, 24 µs instead of 12. Each piece is a whole chunk, so those that the server's own writer
        sends before and after it stay sound. Source: RFC 9112 §7.1.
        """
        channel = self._watcher.channel
        if not self._chunked or self._attend or channel.closed or channel.epoch != self._epoch or self._is_gone:
            return False
        piece, transport = channel.after(self._number), self._transport
        if piece is None or not piece.chunk or piece.number != channel.last or transport is None:
            return False
        protocol = transport.get_protocol()
        if not (isinstance(protocol, StreamingProtocol) and protocol.takes_more):
            return False
        self._showing(piece.about)
        transport.write(piece.chunk)
        self._number = piece.number
        self._begun += 1
        self._ended += 1
        return True

    def _showing(self, about: Sequence[str]) -> None:
        """What is about to be sent tells of these."""

    async def _attended(self, channel: Channel) -> str:
        """See to whatever there is besides the source; a reason to end, or none."""
        self._attend = False
        if self._is_gone:
            return "gone"
        if reason := self._dropped or ("closing" if channel.closed else ""):
            return reason
        now = self._loop.time()
        if now - self._proved_at > AGAIN and not await self._still_may():
            return "not-identified"
        if piece := self._new_epoch(channel.epoch):
            await self._say(piece.frames)
        if self._begun == self._seen and now - self._seen_at >= HEARTBEAT * 2 / 3:
            await self._say(self._beat)
        return ""

    def _new_epoch(self, now: str) -> Piece | None:
        """What tells the client that numbers begin anew, if they do."""
        if not now or now == self._epoch:
            return None
        was, self._epoch, self._number = self._epoch, now, 0
        told = b"id: %b.0\nevent: epoch\ndata: %b\n\n" % (now.encode(), to_json({"epoch": now}))
        return Piece(told, 0) if was else None

    async def _missed(self) -> Piece | None:
        """What follows, from the source."""
        try:
            epoch, piece = await self._source.missed(self._number)
        except Surroundings:
            epoch, piece = "", None
        if epoch == self._epoch and piece is not None:
            return piece
        self._hub.ring()
        await self._watcher.wait()
        return None

    async def _say(self, frames: bytes) -> None:
        self._begun += 1
        await self._send({"type": "http.response.body", "body": frames, "more_body": True})
        self._ended += 1

    async def _still_may(self) -> bool:
        """Whether what proved who calls proves it still."""
        self._proved_at = self._loop.time()
        try:
            return await self._source.still_may()
        except Surroundings:
            return True  # nothing new can be read either; asked again soon

    @property
    def _is_gone(self) -> bool:
        return self._transport is not None and self._transport.is_closing()

    def _look_after(self) -> None:
        """A few times between heartbeats: see whether one is due, whether anybody is there, whether they read."""
        self._timer = self._loop.call_later(HEARTBEAT / 3, self._look_after)
        now, transport = self._loop.time(), self._transport
        if self._begun != self._seen:
            self._seen, self._seen_at = self._begun, now
        elif self._begun != self._ended and transport is not None and now - self._seen_at > PATIENCE:
            self._dropped = "too-slow"
            # As if it had taken everything: one more piece and the goodbye go to the connection's own buffer.
            transport.get_protocol().resume_writing()
        self._attend = True
        self._watcher.wake()


@dataclass(slots=True)
class Few:
    """How many streams each owner has open in this process, and may have: each costs memory, and work at events."""

    most: int
    open: Counter[str] = field(default_factory=Counter)


class OneOfFew(Stream):
    """A stream of one owner, unless too many of that owner's are open."""

    def __init__(
        self, hub: Hub, source: Source, cursor: Cursor | None, few: Few, owner: str, beat: bytes = COMMENT
    ) -> None:
        super().__init__(hub, source, cursor, beat)
        self._few, self._owner = few, owner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        few, owner = self._few, self._owner
        if few.open[owner] >= few.most:
            log.info("denied", action="stream", **self._source.who, open=few.most)
            detail = f"you have {few.most} streams open, as many as you may; close one, or use one for all"
            refused = Problem(429, "too-many-streams", detail, headers={"Retry-After": str(NOTICED)})
            await refused.response()(scope, receive, send)
            return
        few.open[owner] += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            few.open.subtract([owner])
            if not few.open[owner]:
                del few.open[owner]
