"""A small server that answers as it is told: what a real gateway does only on its worst day."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx

Answer = Callable[[httpx.Request, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class StandIn:
    """Answers each request by the next of `answers`, the last one again and again."""

    answers: list[Answer]
    url: str = ""
    asked: list[httpx.Request] = field(default_factory=list)
    busy: set[asyncio.Task[object] | None] = field(default_factory=set)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        self.busy.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            request = await _request(reader)
            self.asked.append(request)
            await self.answers[min(len(self.asked), len(self.answers)) - 1](request, writer)
            await writer.drain()
        writer.close()
        self.busy.discard(asyncio.current_task())


async def _request(reader: asyncio.StreamReader) -> httpx.Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split()
    headers = dict(line.split(": ", 1) for line in lines)
    body = await reader.readexactly(int(headers.get("Content-Length", headers.get("content-length", 0))))
    return httpx.Request(method, f"http://stand-in{path}", headers=headers, content=body)


@asynccontextmanager
async def standing_in(*answers: Answer) -> AsyncIterator[StandIn]:
    """A server that gives these answers, on a port of its own."""
    here = StandIn(list(answers))
    server = await asyncio.start_server(here.handle, "127.0.0.1", 0)
    here.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield here
    finally:
        server.close()
        for task in filter(None, here.busy):
            task.cancel()
        await asyncio.sleep(0)


def head(status: int, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", "connection: close"]
    return "\r\n".join(
        [*lines, *(f"{name.replace('_', '-')}: {said}" for name, said in headers.items()), "", ""]
    ).encode()


def says(status: int, body: object, media_type: str = "application/json", **headers: str) -> Answer:
    """This answer, whatever was asked; `body` as JSON, or as it is if it is a string."""
    text = body if isinstance(body, str) else json.dumps(body)

    async def answer(_request: httpx.Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head(status, content_type=media_type, **headers) + text.encode())

    return answer


def problem(status: int, code: str, **headers: str) -> Answer:
    said = {"type": f"urn:safebus:problem:{code}", "title": code, "status": status, "detail": "a sentence"}
    return says(status, said, "application/problem+json", **headers)


async def accepts(request: httpx.Request, writer: asyncio.StreamWriter) -> None:
    """202, about the event that was sent, or 207 about each."""
    said = json.loads(request.content)
    if isinstance(said, list):
        results = [{"index": i, "status": 202, "id": event["id"]} for i, event in enumerate(said)]
        await says(207, {"results": results})(request, writer)
        return
    about = {"id": said["id"], "source": said["source"], "type": said["type"], "state": "accepted", "location": "/v1/x"}
    await says(202, about)(request, writer)


async def dies(_request: httpx.Request, writer: asyncio.StreamWriter) -> None:
    """Nothing at all comes back."""
    writer.transport.abort()


def streams(*parts: str, ends: bool = True) -> Answer:
    """An inbox stream with these parts; then it breaks in the middle of a chunk, or stays open in silence."""

    async def answer(_request: httpx.Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, content_type="text/event-stream", transfer_encoding="chunked"))
        for part in parts:
            text = part.encode()
            writer.write(f"{len(text):x}\r\n".encode() + text + b"\r\n")
        await writer.drain()
        if ends:
            writer.write(b"ff\r\nevent: disclo")
            await writer.drain()
        else:
            await asyncio.sleep(60)

    return answer


def entry(number: int, epoch: str = "aa") -> str:
    """One entry of an inbox, as the stream has it."""
    said = {
        "cursor": f"{epoch}.{number}", "number": number, "disclosure_id": f"d-{number}", "role": "SCHOOL",
        "due_by": "2026-11-23T08:45:00Z", "state": "unread", "late": False,
        "event": {"specversion": "1.0", "id": f"d-{number}", "source": "urn:safebus:x", "type": "encompass.alerts.v1",
                  "data": {"n": number}},
    }  # fmt: skip
    return f"id: {epoch}.{number}\nevent: disclosure\ndata: {json.dumps(said)}\n\n"


def epoch(name: str) -> str:
    """The stream says that another epoch begins."""
    return f'event: epoch\ndata: {{"epoch": "{name}"}}\n\n'
