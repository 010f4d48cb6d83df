"""A team's own screen, for tests: what it does with the board's API and stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from services.handover_feed.door.context import Board
from services.handover_feed.door.keys import add_key
from tests.sse import Told, events

SECONDS = 20


class Client:
    """Somebody who watches the board over HTTPS."""

    def __init__(self, address: str, headers: Mapping[str, str], stream: str = "/v1/board/stream") -> None:
        self.address, self.headers, self._stream = address, dict(headers), stream

    @asynccontextmanager
    async def open(self, last: str | None = None, **params: str) -> AsyncIterator[AsyncIterator[Told]]:
        headers = self.headers | ({"Last-Event-ID": last} if last else {})
        async with (
            httpx.AsyncClient(base_url=self.address, timeout=SECONDS) as client,
            client.stream("GET", self._stream, headers=headers, params=params) as response,
        ):
            assert response.status_code == 200, await response.aread()
            yield events(response.aiter_lines())

    async def read(self, count: int, last: str | None = None, **params: str) -> list[Told]:
        """The first so many events, heartbeats left out."""
        async with self.open(last, **params) as told:
            return [await anext(changes) for changes in [changed(told)] for _ in range(count)]

    async def first(self) -> int:
        """The status of a stream that is asked for and left at once."""
        async with (
            httpx.AsyncClient(base_url=self.address, timeout=SECONDS) as client,
            client.stream("GET", self._stream, headers=self.headers) as response,
        ):
            return response.status_code

    async def get(self, path: str, **params: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.address, timeout=SECONDS) as client:
            return await client.get(path, params=params, headers=self.headers)

    async def cards(self, **params: str) -> list[dict[str, Any]]:
        """What GET /v1/board shows."""
        found: list[dict[str, Any]] = (await self.get("/v1/board", **params)).json()["cards"]
        return found


async def changed(told: AsyncIterator[Told]) -> AsyncIterator[Told]:
    """What is told, without heartbeats."""
    async for one in told:
        if one.kind not in ("comment", "beat"):
            yield one


async def key_of(board: Board, name: str = "emergency duty team") -> str:
    """A key that reads the board."""
    return await board.access.write(lambda connection: add_key(connection, name, now_us=board.now_us))


async def a_screen(board: Board, door: str) -> Client:
    """A screen with a key of its own."""
    return Client(door, {"Authorization": f"Bearer {await key_of(board)}"})
