"""A client that sends bytes as it likes: too many, too slowly, or both."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from tests.partner_gateway.house import SECONDS, Door

GIGABYTE = 1 << 30


class Wire:
    """One connection."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def __aenter__(self) -> Wire:
        to = urlsplit(self._door.address)
        trusting = ssl.create_default_context(cafile=self._door.at.gateway_tls_cert)
        self._reader, self.writer = await asyncio.open_connection(to.hostname, to.port, ssl=trusting)
        self.answer = asyncio.create_task(self._read())
        self.sent = 0
        return self

    async def __aexit__(self, *_: object) -> None:
        self.answer.cancel()
        self.writer.transport.abort()

    async def _read(self) -> bytes:
        said = b""
        with suppress(OSError):
            while chunk := await self._reader.read(4096):
                said += chunk
        return said

    async def send(self, pieces: Iterable[bytes], pause: float = 0) -> bytes:
        """All that is said in answer, once the door has closed the connection, however much of it was sent by then."""
        with suppress(OSError):
            for piece in pieces:
                if self.answer.done():
                    break
                self.writer.write(piece)
                self.sent += len(piece)
                await self.writer.drain()
                await asyncio.sleep(pause)
        async with asyncio.timeout(SECONDS):
            return await self.answer


def head(path: str, key: str, kind: str, *more: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: gateway.test", f"Authorization: Bearer {key}", f"Content-Type: {kind}"]
    return "\r\n".join([*lines, *more, "", ""]).encode()


def a_gigabyte(chunked: bool) -> Iterator[bytes]:
    """Made as it is sent."""
    piece = b"a" * 65_536
    for _ in range(GIGABYTE // len(piece)):
        yield b"10000\r\n%b\r\n" % piece if chunked else piece


class Wires:
    """So many connections at once."""

    def __init__(self, door: Door, number: int) -> None:
        self._wires = [Wire(door) for _ in range(number)]

    async def __aenter__(self) -> list[Wire]:
        return [await wire.__aenter__() for wire in self._wires]

    async def __aexit__(self, *_: object) -> None:
        for wire in self._wires:
            await wire.__aexit__()
