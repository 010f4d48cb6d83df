"""What one caller may cost: bytes, requests a second, and time to send them.

Plain ASGI, so that streams pass untouched. The clock here is the real one: these are limits of the machine, not of
a case.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.web.problems import Problem
from services.web.stream import StreamingProtocol

HEADERS_WITHIN = 10.0
"""Seconds in which a connection has sent a request's headers, from its first byte or the connection's beginning."""

BODY_WITHIN = 10.0
"""Seconds in which a body has arrived, and one more for each:"""

SLOWEST = 5_000
"""Bytes."""

CALLERS = 20_000
"""Buckets kept; what was used longest ago is forgotten, which by then is full again."""

LONGEST_PATH = 4_000
"""Bytes as they were sent, without the query: an event's id may be long, and nothing else is."""

CLOSE = {"Connection": "close"}


@dataclass(slots=True)
class Bucket:
    """Tokens that come back with time."""

    tokens: float
    at: float

    def take(self, now: float, rate: float, burst: int) -> float:
        """0, and one token is gone; or the seconds until there is one."""
        self.tokens = min(burst, self.tokens + (now - self.at) * rate)
        self.at = now
        if self.tokens < 1:
            return (1 - self.tokens) / rate
        self.tokens -= 1
        return 0.0


class Rates:
    """A bucket for each owner of tokens, and one for each address from which nobody has proved who they are yet.

    A token has its owner's bucket once the door has taken it, until the door refuses it: so nobody empties
    another's bucket with a token that is made up, or revoked, and guesses are counted by where they come from.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._owners: OrderedDict[bytes, str] = OrderedDict()

    def wait(self, token: bytes | None, address: str, now: float) -> float:
        """0 if the request may go on, else the seconds until one may."""
        owner = self._owners.get(token) if token else None
        if token and owner:
            self._owners.move_to_end(token)
        name = f"owner {owner}" if owner else f"address {address}"
        bucket = self._buckets.setdefault(name, Bucket(self._burst, now))
        self._buckets.move_to_end(name)
        _bound(self._buckets)
        return bucket.take(now, self._rate, self._burst)

    def learn(self, token: bytes, owner: str | None) -> None:
        """Whose token that is; None, nobody's now."""
        if owner is None:
            self._owners.pop(token, None)
        else:
            self._owners[token] = owner
            _bound(self._owners)


def _bound(remembered: OrderedDict[Any, Any]) -> None:
    while len(remembered) > CALLERS:
        remembered.popitem(last=False)


class Limits:
    """Answers 429, 413 and 408 itself, as problem details."""

    def __init__(self, app: ASGIApp, *, rate: float, burst: int, most: Callable[[str], int]) -> None:
        """
        Args:
            rate: requests a second of one owner or address, on average.
            burst: and at once.
            most: by path, the bytes of the largest body.
        """
        self._app, self._most = app, most
        self._rates = Rates(rate, burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if len(scope.get("raw_path") or b"") > LONGEST_PATH:
            await Problem(414, "too-long", "nothing has so long an address").response()(scope, receive, send)
            return
        headers = dict(scope["headers"])
        token = _token(headers.get(b"authorization", b""))
        address = (scope.get("client") or ("",))[0]
        if seconds := self._rates.wait(token, address, time.monotonic()):
            detail = "more requests than one caller may make; try again after the seconds that Retry-After says"
            retry = {"Retry-After": str(ceil(seconds))}
            await Problem(429, "too-many-requests", detail, headers=retry).response()(scope, receive, send)
            return
        body = Body(self._most(scope["path"]), receive, send)
        if body.announced(headers.get(b"content-length", b"0")):
            await self._app(scope, body.receive, body.send)
        if body.refused:
            await body.refused.response()(scope, receive, send)
        elif token:
            owner = scope.get("state", {}).get("owner")  # said by who asked for the proof
            if owner or body.status == 401:
                self._rates.learn(token, owner)


def _token(authorization: bytes) -> bytes | None:
    """Something to know the same token by; never the token."""
    return sha256(authorization).digest() if authorization else None


class Body:
    """One request's body as it arrives. What is too much or too slow ends the request, whatever the route was doing."""

    def __init__(self, most: int, receive: Receive, send: Send) -> None:
        self.refused: Problem | None = None
        """What to answer, if nothing was answered yet."""
        self.status = 0
        self._most, self._receive, self._send = most, receive, send
        self._length, self._whole = 0, False
        self._began: float | None = None

    def announced(self, length: bytes) -> bool:
        """Whether a body that says it is so long is taken at all."""
        if length.isdigit() and int(length[:20]) > self._most:
            self.refused = self._too_large()
        return self.refused is None

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()  # the end of the connection, for which a stream waits as long as it likes
        now = asyncio.get_running_loop().time()
        self._began = self._began or now
        try:
            async with asyncio.timeout_at(self._began + BODY_WITHIN + self._length / SLOWEST):
                message = await self._receive()
        except TimeoutError:
            raise self._refuse(
                Problem(408, "too-slow", "the request's body did not arrive in time", headers=CLOSE)
            ) from None
        self._length += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._length > self._most:
            raise self._refuse(self._too_large())
        return message

    async def send(self, message: Message) -> None:
        """What the route makes of the interruption is not sent."""
        if self.refused:
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    def _refuse(self, problem: Problem) -> Problem:
        if not self.status:
            self.refused = problem
        return problem

    def _too_large(self) -> Problem:
        return Problem(413, "too-large", f"at most {self._most} bytes are taken here", headers=CLOSE)


class Unhurried(StreamingProtocol):
    """uvicorn's HTTP, but a connection whose headers do not come in time is closed: of itself it waits for ever."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        between = self.cycle is None or self.cycle.response_complete
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._wait_no_longer()
        elif between and self._waiting is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_longer()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(HEADERS_WITHIN, self._too_slow)

    def _wait_no_longer(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _too_slow(self) -> None:
        self._waiting = None
        self.transport.close()
