"""No caller costs more than its share: bytes, requests a second, time."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from services.bus.settings import Settings
from services.partner_gateway.door.limits import install
from services.web import limits, problems
from services.web.limits import Rates

MEGABYTE = bytes(1_000_000)


def small(**changed: Any) -> FastAPI:
    """An application behind the limits; `/read` reads its whole body, `/who` takes the token that is its own name."""
    app = FastAPI()
    problems.install(app)
    at = Settings(gateway_max_body=2_000, gateway_max_document=3_000_000, gateway_rate=0.001, gateway_burst=3)
    install(app, at.model_copy(update=changed))

    async def read(request: Request) -> dict[str, int]:
        return {"read": len(await request.body())}

    app.post("/read")(read)
    app.post("/v1/documents")(read)

    @app.post("/parsed")
    async def parsed(content: dict[str, str]) -> dict[str, int]:
        return {"read": len(content)}

    @app.get("/who")
    async def who(request: Request) -> dict[str, str]:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not token.startswith("good"):
            raise problems.Problem(401, "not-identified", "no")
        request.state.owner = token.removeprefix("good").strip("0123456789")
        return {}

    return app


def calling(app: FastAPI, address: str = "10.0.0.1") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(address, 1)), base_url="http://x.test")


class Endless:
    """A body that says nothing of its length and never ends; it knows how much of it was taken."""

    def __init__(self) -> None:
        self.taken = 0

    async def receive(self) -> Message:
        self.taken += len(MEGABYTE)
        return {"type": "http.request", "body": MEGABYTE, "more_body": True}


async def answer(app: FastAPI, path: str, receive: Any, headers: list[tuple[bytes, bytes]] | None = None) -> list[Any]:
    """What the application sends when its body comes from `receive`."""
    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": headers or [], "client": ("10.0.0.1", 1), "server": ("x.test", 80), "scheme": "http",
        "http_version": "1.1", "state": {}, "root_path": "",
    }  # fmt: skip
    sent: list[Any] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await asyncio.wait_for(app(scope, receive, send), 20)
    return sent


@pytest.mark.parametrize(("path", "most"), [("/read", 2_000), ("/parsed", 2_000), ("/v1/documents", 3_000_000)])
async def test_a_body_of_any_length_is_never_kept(path: str, most: int) -> None:
    """413 as soon as it is too long, however the route reads it, and no more is taken; documents have their own."""
    body = Endless()
    start, content = await answer(small(), path, body.receive, [(b"content-type", b"application/json")])
    assert start["status"] == 413
    assert body.taken <= most + len(MEGABYTE)
    assert json.loads(content["body"])["type"] == "urn:safebus:problem:too-large"
    assert (b"connection", b"close") in start["headers"]


async def test_a_body_that_says_it_is_too_long_is_not_even_begun() -> None:
    """A gigabyte that is announced costs nothing."""
    body = Endless()
    start, _ = await answer(small(), "/read", body.receive, [(b"content-length", b"1000000000")])
    assert (start["status"], body.taken) == (413, 0)


async def test_a_body_within_the_limit_is_whole() -> None:
    """To the last byte."""
    async with calling(small()) as client:
        assert (await client.post("/read", content=bytes(2_000))).json() == {"read": 2_000}
        assert (await client.post("/read", content=bytes(2_001))).status_code == 413
        assert (await client.post("/v1/documents", content=bytes(2_001))).json() == {"read": 2_001}


async def test_a_body_that_trickles_in_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow loris: 408, and the connection is closed. Whoever sends steadily may take its time."""
    monkeypatch.setattr(limits, "BODY_WITHIN", 0.3)
    monkeypatch.setattr(limits, "SLOWEST", 100)

    def by(number: int, size: int) -> Any:
        left = number

        async def receive() -> Message:
            nonlocal left
            await asyncio.sleep(0.05)
            left -= 1
            return {"type": "http.request", "body": bytes(size), "more_body": left > 0}

        return receive

    start, content = await answer(small(), "/read", by(1000, 0))
    assert (start["status"], json.loads(content["body"])["title"]) == (408, "too slow")
    assert (b"connection", b"close") in start["headers"]
    start, _ = await answer(small(gateway_max_body=10**9), "/read", by(20, 10_000))
    assert start["status"] == 200


async def test_more_than_its_share_waits_and_others_do_not() -> None:
    """429 with Retry-After, for an organisation over all of its keys and nobody else, whatever the address."""
    app = small(gateway_rate=0.5)
    for token in ("good1a", "good2a"):
        async with calling(app, f"10.0.0.{token[4]}") as client:  # once by its address, until it is known
            assert (await client.get("/who", headers={"authorization": f"Bearer {token}"})).status_code == 200
    async with calling(app, "10.0.0.3") as client:
        found = [
            await client.get("/who", headers={"authorization": f"Bearer good{1 + number % 2}a"}) for number in range(4)
        ]
        assert [each.status_code for each in found] == [200, 200, 200, 429]
        assert 1 <= int(found[3].headers["retry-after"]) <= 2
        assert found[3].json()["type"] == "urn:safebus:problem:too-many-requests"
        assert (await client.get("/who", headers={"authorization": "Bearer good3b"})).status_code == 200


async def test_guessing_is_limited_by_address_and_empties_nobodys_bucket() -> None:
    """Made-up tokens count where they come from; a partner at the same address goes on, one who is refused does not."""
    app = small()
    async with calling(app) as client:
        assert (await client.get("/who", headers={"authorization": "Bearer good1a"})).status_code == 200
        found = [(await client.get("/who", headers={"authorization": f"Bearer bad{n}"})).status_code for n in range(4)]
        assert found == [401, 401, 429, 429]
        assert (await client.get("/who", headers={"authorization": "Bearer good1a"})).status_code == 200


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=200))
def test_a_bucket_gives_no_more_than_its_burst_and_its_rate(calls: list[tuple[int, int, bool]]) -> None:
    """Over any time, whoever calls: at most `burst` and what has come back since."""
    rates, taken, now = Rates(rate=2.0, burst=5), [0] * 4, 0.0
    for who, pause, known in calls:
        now += pause / 10
        token = bytes([who])
        if known:
            rates.learn(token, str(who))
        taken[who] += rates.wait(token if known else None, f"10.0.0.{who}", now) == 0
        assert taken[who] <= 2 * (5 + now * 2.0) + 1e-9  # one bucket by address, one by organisation


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of addresses and tokens pushes out the oldest, not the machine."""
    monkeypatch.setattr(limits, "CALLERS", 10)
    rates = Rates(1.0, 1)
    for number in range(1000):
        rates.learn(b"%d" % number, str(number))
        rates.wait(b"%d" % number, "", 0.0)
        rates.wait(None, str(number), 0.0)
    assert len(rates._buckets) <= 10
    assert len(rates._owners) <= 10


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, door: str) -> tuple[str, int]:
    """Where a door listens that waits for headers only half a second."""
    monkeypatch.setattr(limits, "HEADERS_WITHIN", 0.5)
    where = urlsplit(door)
    assert where.hostname
    assert where.port
    return where.hostname, where.port


REQUEST = b"GET /v1/no-such HTTP/1.1\r\nHost: x.test\r\n"


@pytest.mark.parametrize("begun", [[], [b"GET / HTTP/1.1\r\nHo"], [REQUEST + b"\r\n", REQUEST]])
async def test_a_connection_whose_headers_do_not_come_is_closed(impatient: tuple[str, int], begun: list[bytes]) -> None:
    """Slow loris: one that says nothing, half a request, or half of its second one."""
    reader, writer = await asyncio.open_connection(*impatient)
    answers = b""
    for part in begun:
        writer.write(part)
        if part.endswith(b"\r\n\r\n"):
            answers = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    answers += await asyncio.wait_for(reader.read(), 10)
    assert answers.count(b"HTTP/1.1 404") == max(len(begun) - 1, 0)
    writer.close()


async def test_a_connection_that_is_used_stays(impatient: tuple[str, int]) -> None:
    """The same limit does not end one whose requests come whole, however long it lives."""
    reader, writer = await asyncio.open_connection(*impatient)
    for _ in range(4):
        writer.write(REQUEST + b"\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        length = int(dict(line.split(b": ") for line in head.lower().split(b"\r\n")[1:-2])[b"content-length"])
        await reader.readexactly(length)
        await asyncio.sleep(0.3)
    writer.close()


async def test_a_gigabyte_at_a_real_door_is_refused_while_it_is_sent(door: str) -> None:
    """The answer comes at once; the sender need not finish."""
    where = urlsplit(door)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(b"POST /v1/events/mash.contacts.v1 HTTP/1.1\r\nHost: x.test\r\nContent-Length: 1000000000\r\n\r\n")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert head.startswith(b"HTTP/1.1 413")
    writer.close()
