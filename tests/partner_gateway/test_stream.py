"""A stream gives every entry once and in order, whatever happens to it."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import sqlalchemy as sa

from services.bus.settings import Settings
from services.bus.store import Store
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.door.serve import open_door
from services.partner_gateway.inbox import hub as inboxes
from services.partner_gateway.inbox.projection import INBOXES
from services.partner_gateway.partners import identify, registry
from services.web import hub, stream
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.test_projection import missed
from tests.sse import Told, events

ORGANISATION = "la:825"


class Client:
    """What a partner's system does with a stream."""

    def __init__(self, address: str, key: str) -> None:
        self.address, self.key = address, key

    @asynccontextmanager
    async def open(self, last: str | None = None, **params: str) -> AsyncIterator[AsyncIterator[Told]]:
        headers = {"Authorization": f"Bearer {self.key}"} | ({"Last-Event-ID": last} if last else {})
        async with (
            httpx.AsyncClient(base_url=self.address, timeout=20) as client,
            client.stream("GET", "/v1/inbox/stream", headers=headers, params=params) as response,
        ):
            assert response.status_code == 200, await response.aread()
            yield events(response.aiter_lines())

    async def read(self, count: int, last: str | None = None, **params: str) -> list[Told]:
        """The first so many events."""
        async with asyncio.timeout(20), self.open(last, **params) as told:
            return [await anext(told) for _ in range(count)]

    async def get(self, path: str, **params: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.address, timeout=20) as client:
            return await client.get(path, params=params, headers={"Authorization": f"Bearer {self.key}"})


@pytest.fixture
async def key(gateway: Gateway) -> str:
    """A key that reads the inbox of la:825."""

    def admit(connection: sa.Connection) -> str:
        registry.add_partner(connection, ORGANISATION, "local-authority", now_us=gateway.now_us)
        return registry.add_key(connection, ORGANISATION, {"inbox"}, now_us=gateway.now_us)

    return await gateway.access.write(admit)


@pytest.fixture
def at(at: Settings) -> Settings:
    return at.model_copy(update={"gateway_burst": 100_000})


@pytest.fixture
def client(door: str, key: str) -> Client:
    return Client(door, key)


async def test_a_stream_begins_with_what_is_there_and_goes_on_with_what_comes(gateway: Gateway, client: Client) -> None:
    """Without a cursor from the first entry on; each entry as GET /v1/inbox/{number} shows it; nobody else's."""
    await tell(gateway, *(missed(to) for to in (ORGANISATION, "la:826", ORGANISATION)))
    async with asyncio.timeout(20), client.open() as told:
        begun = [await anext(told) for _ in range(2)]
        await tell(gateway, missed("la:826"), missed(ORGANISATION))
        begun.append(await anext(told))
    assert [one.number for one in begun] == [1, 2, 3]
    assert {one.kind for one in begun} == {"disclosure"}
    for one in begun:
        page = await client.get(f"/v1/inbox/{one.number}")
        assert page.json() == one.data
        assert one.data["event"]["data"]["disclosure"]["recipient"] == ORGANISATION
        assert one.data["cursor"] == one.id


async def test_an_organisation_has_so_many_streams_open_and_no_more(at: Settings, gateway: Gateway, key: str) -> None:
    """429 with when to try again; one that ends makes room, and another organisation has its own."""

    def admit(connection: sa.Connection) -> str:
        registry.add_partner(connection, "la:826", "local-authority", now_us=gateway.now_us)
        return registry.add_key(connection, "la:826", {"inbox"}, now_us=gateway.now_us)

    others = await gateway.access.write(admit)
    async with open_door(at.model_copy(update={"gateway_streams": 2})) as door, asyncio.timeout(30):
        mine = Client(door, key)
        async with mine.open():
            async with mine.open():
                refused = await mine.get("/v1/inbox/stream")
                assert (refused.status_code, refused.json()["type"]) == (429, "urn:safebus:problem:too-many-streams")
                assert int(refused.headers["retry-after"]) >= 1
                assert (await mine.get("/v1/inbox")).status_code == 200
                async with Client(door, others).open():
                    pass
            while True:
                with suppress(AssertionError):
                    async with mine.open():
                        break
                await asyncio.sleep(0.1)


async def test_a_stream_that_breaks_again_and_again_misses_and_repeats_nothing(
    gateway: Gateway, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Last-Event-ID resumes exactly: from what is held ready, from the database, and across both."""
    monkeypatch.setattr(hub, "KEEP", 5)
    total, chance = 300, random.Random(4)

    async def go_on_telling() -> None:
        left = total
        while left:
            some = min(left, chance.randint(1, 12))
            await tell(gateway, *(missed(ORGANISATION) for _ in range(some)))
            left -= some
            await asyncio.sleep(0.002)

    telling = asyncio.create_task(go_on_telling())
    seen: list[Told] = []
    while len(seen) < total:
        seen += await client.read(min(chance.randint(1, 40), total - len(seen)), last=seen[-1].id if seen else None)
    await telling
    assert [one.number for one in seen] == list(range(1, total + 1))
    assert len({one.data["disclosure_id"] for one in seen}) == total


async def test_after_works_as_last_event_id_does(gateway: Gateway, client: Client) -> None:
    """A cursor in the address, for those who cannot set headers."""
    await tell(gateway, *(missed(ORGANISATION) for _ in range(3)))
    first = (await client.read(1))[0]
    assert [one.number for one in await client.read(2, after=first.id)] == [2, 3]


async def test_a_cursor_of_another_epoch_is_told_and_begins_anew(gateway: Gateway, client: Client) -> None:
    """After a recovery the numbers are others: `epoch`, then everything from the first."""
    await tell(gateway, missed(ORGANISATION))
    begun = await client.read(2, last="00000000.7")
    assert [one.kind for one in begun] == ["epoch", "disclosure"]
    assert begun[0].id == f"{begun[0].data['epoch']}.0"
    assert begun[1].id == f"{begun[0].data['epoch']}.1"


async def test_an_open_stream_learns_of_another_epoch(at: Settings, gateway: Gateway, client: Client) -> None:
    """Also one that was open when the database was restored."""
    event = missed(ORGANISATION)
    await tell(gateway, event)
    async with asyncio.timeout(20), client.open() as told:
        before = await anext(told)
        store = Store(at.store_for("partner-gateway"), "partner-gateway", projection=INBOXES)
        store.open()
        store.reset()
        store.close()
        await tell(gateway, event)
        changed, again = await anext(told), await anext(told)
    assert (before.kind, changed.kind, again.kind) == ("disclosure", "epoch", "disclosure")
    assert again.id == f"{changed.data['epoch']}.1" != before.id
    assert again.data["disclosure_id"] == before.data["disclosure_id"]


@pytest.mark.parametrize("cursor", ["7", "x.1", "0123abcd.-1", "0123abcd.1 ", "0123abcd.99999999999999999999"])
async def test_what_is_no_cursor_is_refused(client: Client, cursor: str) -> None:
    """422 with the place, before anything is streamed."""
    answer = await client.get("/v1/inbox/stream", after=cursor)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:safebus:problem:invalid-cursor")


async def test_an_idle_stream_has_a_heartbeat(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that both ends know that the connection stands."""
    monkeypatch.setattr(stream, "HEARTBEAT", 0.2)
    assert [one.data for one in await client.read(2)] == ["heartbeat", "heartbeat"]


async def test_what_a_stream_is_told_is_encoded_once_for_all(
    gateway: Gateway, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty streams of one organisation, one encoding of each entry."""
    encoded: list[int] = []
    inner = inboxes.frame

    def counting(row: Any, epoch: str) -> bytes:
        encoded.append(row.number)
        return inner(row, epoch)

    monkeypatch.setattr(inboxes, "frame", counting)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        streams = [group.create_task(client.read(3)) for _ in range(20)]
        await until(lambda: watching() == 20)
        for _ in range(3):
            await tell(gateway, missed(ORGANISATION))
            await asyncio.sleep(0.05)
    assert [[one.number for one in task.result()] for task in streams] == [[1, 2, 3]] * 20
    assert encoded == [1, 2, 3]


@pytest.mark.parametrize("http", ["1.0", "1.1"])
async def test_a_slow_reader_is_bounded_and_dropped_with_a_reason_and_loses_nothing(
    gateway: Gateway, client: Client, monkeypatch: pytest.MonkeyPatch, http: str
) -> None:
    """It holds up nobody; what it was sent ends with `goodbye`, and by its last cursor it finds the rest."""
    monkeypatch.setattr(stream, "HEARTBEAT", 0.2)
    monkeypatch.setattr(stream, "PATIENCE", 1.0)
    monkeypatch.setattr(hub, "KEEP", 5)
    slow = await lazy(client, http)
    await until(lambda: watching() == 1)
    many = 3000
    for _ in range(many // 100):
        await tell(gateway, *(missed(ORGANISATION) for _ in range(100)))
    async with asyncio.timeout(30), client.open() as told:
        quick = [await anext(numbers) for numbers in [disclosed(told)] for _ in range(many)]
        assert quick == list(range(1, many + 1))
        await until(lambda: watching() == 1)
    got = [one async for one in events(lines_of(slow)) if one.kind != "comment"]
    assert (got[-1].kind, got[-1].data) == ("goodbye", {"reason": "too-slow"})
    numbers = [one.number for one in got[:-1]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) < many
    async with asyncio.timeout(30), client.open(got[-2].id) as told:
        rest = [await anext(further) for further in [disclosed(told)] for _ in range(many - len(numbers))]
    assert rest == list(range(len(numbers) + 1, many + 1))


@pytest.mark.parametrize("http", ["1.0", "1.1"])
async def test_one_that_never_reads_is_cut_off(
    gateway: Gateway, client: Client, monkeypatch: pytest.MonkeyPatch, http: str
) -> None:
    """What it was sent is not kept for it for ever."""
    monkeypatch.setattr(stream, "HEARTBEAT", 0.2)
    monkeypatch.setattr(stream, "PATIENCE", 0.5)
    monkeypatch.setattr(stream, "LINGER", 0.5)
    slow = await lazy(client, http)
    await until(lambda: watching() == 1)
    for _ in range(30):
        await tell(gateway, *(missed(ORGANISATION) for _ in range(100)))
    await until(lambda: not watching())
    await asyncio.sleep(1.0)
    with suppress(ConnectionError):
        got = [one async for one in events(lines_of(slow))]
        assert got[-1].kind != "goodbye"


async def test_little_waits_here_for_one_that_does_not_read(gateway: Gateway, client: Client) -> None:
    """However much it is told, and though what is new is sent in the turn in which it is told."""
    slow = await lazy(client, "1.1")
    await until(lambda: watching() == 1)
    for _ in range(100):
        await tell(gateway, *(missed(ORGANISATION) for _ in range(5)))
    [channel] = [one._channels[ORGANISATION] for one in hubs() if one.watching(ORGANISATION)]
    [watcher] = channel.watchers
    transport = watcher._take.__self__._transport  # type: ignore[attr-defined]
    assert 0 < transport.get_write_buffer_size() < 3 * hub.PIECE
    slow.close()


async def test_a_revoked_key_ends_its_streams(
    gateway: Gateway, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream is open for days: what opened it is looked at again and again."""
    monkeypatch.setattr(stream, "HEARTBEAT", 0.2)
    monkeypatch.setattr(stream, "AGAIN", 0.1)
    monkeypatch.setattr(identify, "KEPT", 0.1)
    async with asyncio.timeout(20), client.open() as told:
        assert (await anext(told)).kind == "comment"
        key_id = client.key.split("_")[1]
        await gateway.access.write(lambda connection: registry.revoke(connection, key_id, now_us=gateway.now_us))
        ends = [one async for one in told if one.kind != "comment"]
    assert [(one.kind, one.data) for one in ends] == [("goodbye", {"reason": "not-identified"})]


async def test_a_gateway_that_closes_says_so(at: Settings, key: str) -> None:
    """A client then knows that it may come back at once."""
    async with asyncio.timeout(20):
        async with open_door(at) as address:
            opened = Client(address, key).open()
            told = await opened.__aenter__()
            await until(lambda: watching() == 1)
        last = await anext(told)
        with suppress(httpx.HTTPError):
            await opened.__aexit__(None, None, None)
    assert (last.kind, last.data) == ("goodbye", {"reason": "closing"})


async def test_one_that_hangs_up_is_noticed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept for somebody who has gone."""
    monkeypatch.setattr(stream, "HEARTBEAT", 0.2)
    await client.read(1)
    await until(lambda: not watching())


async def test_those_who_hang_up_keep_nothing_from_those_who_stay(gateway: Gateway, client: Client) -> None:
    """Ten go without a word just before something is told: who stays has it at once, not at its next heartbeat."""
    async with asyncio.timeout(20), client.open() as stays:
        gone = [await lazy(client, "1.1") for _ in range(10)]
        await until(lambda: watching() == 11)
        for one in gone:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
        await asyncio.sleep(0.05)
        await tell(gateway, missed(ORGANISATION))
        async with asyncio.timeout(2):
            assert await anext(disclosed(stays)) == 1


async def test_one_that_fails_when_it_is_told_keeps_nothing_from_the_others() -> None:
    """It meets its fault when it is woken."""

    def fails() -> bool:
        raise AttributeError

    channel = hub.Channel("x")
    watchers = [hub.Watcher(channel, take) for take in (fails, lambda: False) * 5]
    channel.watchers.update(watchers)
    async with asyncio.timeout(5):
        waits = [asyncio.create_task(one.wait()) for one in watchers]
        await asyncio.sleep(0)
        channel.ring()
        await asyncio.gather(*waits)


def watching() -> int:
    """Streams of la:825 that are open, at any gateway of this process."""
    return sum(one.watching(ORGANISATION) for one in hubs())


def hubs() -> list[hub.Hub]:
    """Of every gateway of this process."""
    rung = [getattr(ring, "__self__", None) for ring in INBOXES.listeners]
    return [one for one in rung if isinstance(one, hub.Hub)]


async def disclosed(told: AsyncIterator[Told]) -> AsyncIterator[int]:
    """The numbers, whatever heartbeats come between."""
    async for one in told:
        if one.kind == "disclosure":
            yield one.number


async def until(true: Any) -> None:
    async with asyncio.timeout(15):
        while not true():
            await asyncio.sleep(0.02)


async def lazy(client: Client, http: str) -> socket.socket:
    """A stream whose client reads nothing yet, and whose system takes little for it."""
    where = urlsplit(client.address)
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, (where.hostname, where.port))
    head = f"GET /v1/inbox/stream HTTP/{http}\r\nHost: gateway\r\nAuthorization: Bearer {client.key}\r\n\r\n"
    await loop.sock_sendall(raw, head.encode())
    return raw


async def lines_of(raw: socket.socket) -> AsyncIterator[str]:
    """What came, to its end; the head of the answer is left out."""
    got = b""
    while some := await asyncio.get_running_loop().sock_recv(raw, 65536):
        got += some
    raw.close()
    head, _, body = got.partition(b"\r\n\r\n")
    for line in (whole(body) if b"transfer-encoding: chunked" in head.lower() else body).decode().splitlines():
        yield line


def whole(chunked: bytes) -> bytes:
    """What the chunks of an answer hold; of the last one, which may be cut off, what came."""
    found = b""
    while chunked:
        size, _, chunked = chunked.partition(b"\r\n")
        length = int(size, 16)
        found, ends, chunked = found + chunked[:length], chunked[length : length + 2], chunked[length + 2 :]
        assert ends in (b"\r\n", b"\r", b"")
    return found
