"""Rule 7: a fault of the surroundings is waited out, said in words, and never makes a dead letter."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from services.bus.errors import Surroundings
from services.bus.health import Health
from services.bus.http import StatusPage
from services.bus.loop import Loop
from services.bus.metrics import REDONE
from services.bus.registry import Registry
from services.bus.tables import guard, outbox
from tests.bus.plain import LETTERS, MATCHES, TELLER, Bus, MemoryRegistry, child, eventually, match

# The broker


async def test_a_broker_that_is_away_is_waited_for(bus: Bus) -> None:
    """Away at the start and away later: the service lives, says that it is not ready and why, and loses nothing."""
    await bus.publish(match("i", "a"))
    bus.memory.away = True
    async with bus.running() as loop:
        await eventually(lambda: "broker is away" in loop.health.reason)
        assert loop.health.is_alive
        assert not loop.health.is_ready
        bus.memory.away = False
        await bus.quiet()
        await eventually(lambda: loop.health.is_ready)
        bus.memory.away = True
        await eventually(lambda: "broker is away" in loop.health.reason)
        bus.memory.away = False
        await bus.publish(match("i", "b"))
        await bus.quiet()
        await eventually(lambda: loop.health.is_ready)
    assert await bus.subjects() == ["a.0", "b.0"]
    assert await bus.said(LETTERS) == []


async def test_a_stop_while_waiting_is_no_error(bus: Bus) -> None:
    """Told to stop while the broker is away, at the start or later, a service ends without complaint."""
    bus.memory.away = True
    async with bus.running() as loop:
        await eventually(lambda: "broker is away" in loop.health.reason)
    bus.memory.away = False
    async with bus.running() as loop:
        await eventually(lambda: loop.health.is_ready)
        bus.memory.away = True
        await eventually(lambda: "broker is away" in loop.health.reason)


# The registry


class Shaky(MemoryRegistry):
    """A registry that may be away, or answer 404."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False

    async def schema(self, schema_id: int, *, fresh: bool = False) -> dict[str, Any] | None:
        if self.away:
            raise Surroundings("the schema registry is away")
        return await super().schema(schema_id, fresh=fresh)

    async def id_of(self, subject: str, schema: object, fingerprint: str) -> int:
        if self.away:
            raise Surroundings("the schema registry is away")
        return await super().id_of(subject, schema, fingerprint)


async def test_a_registry_that_is_away_at_the_start_is_waited_for(bus: Bus) -> None:
    """Nothing is read before the schemas to write with are known; then all goes on."""
    await bus.publish(match("i", "a"))
    bus.registry = Shaky()
    bus.registry.away = True
    async with bus.running() as loop:
        await eventually(lambda: "registry is away" in loop.health.reason)
        assert not loop.health.is_ready
        bus.registry.away = False
        await bus.quiet()
        await eventually(lambda: loop.health.is_ready)
    assert await bus.subjects() == ["a.0"]


async def test_a_registry_that_goes_away_later_stops_only_what_it_does_not_know(bus: Bus) -> None:
    """Events whose schemas are known go on. One of a schema never seen waits, and those behind it; none dies."""
    bus.registry = registry = Shaky()
    await bus.publish(match("i", "a"))
    async with bus.running() as loop:
        await bus.quiet()
        known = await bus.encoded(match("i", "b"))
        registry.numbers = registry.numbers | {MATCHES: 77}
        strange = await bus.encoded(match("i", "c"))
        registry.away = True
        await bus.send(MATCHES, *known)
        await bus.quiet()
        assert loop.health.is_ready
        await bus.send(MATCHES, *strange)
        await eventually(lambda: "registry is away" in loop.health.reason)
        registry.away = False
        await bus.quiet()
        await eventually(lambda: loop.health.is_ready)
    assert await bus.subjects() == ["a.0", "b.0", "c.0"]
    assert await bus.said(LETTERS) == []


@asynccontextmanager
async def answering(status: int | None, body: str) -> AsyncIterator[str]:
    """A server that answers every request so; None: it takes the connection and says nothing."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if status is None:
            await asyncio.sleep(60)
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n{body}".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


NO_SCHEMA = '{"error_code": 40403, "message": "Schema not found"}'


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (404, NO_SCHEMA, None),
        (404, "", Surroundings),
        (404, "<html>no such page</html>", Surroundings),
        (404, '{"error_code": 404, "message": "HTTP 404 Not Found"}', Surroundings),
        (500, '{"error_code": 50001}', Surroundings),
        (503, "", Surroundings),
        (401, '{"error_code": 401}', Surroundings),
        (429, "", Surroundings),
        (200, "<html>", Surroundings),
        (200, '{"schema": "\\"string\\""}', {}),
        (200, '{"schema": "[\\"null\\", \\"string\\"]"}', {}),
        (200, '{"schema": "{\\"type\\": \\"object\\"}", "schemaType": "JSON"}', {}),
        (200, '{"schema": "syntax = \\"proto3\\";", "schemaType": "PROTOBUF"}', {}),
    ],
)
async def test_only_the_registrys_own_no_means_no(tmp_path: Path, status: int, body: str, answer: Any) -> None:
    """It knows no such schema: the event dies. It, or something before it, fails: the event waits. It is a schema of
    another kind: the event is of the wrong type."""
    async with answering(status, body) as url:
        registry = Registry(url, tmp_path)
        if answer is Surroundings:
            with pytest.raises(Surroundings):
                await registry.schema(1)
        else:
            assert await registry.schema(1) == answer
        await registry.close()


async def test_a_registry_that_says_nothing_is_away(tmp_path: Path) -> None:
    """It takes the connection and never answers; and nobody listens at all."""
    async with answering(None, "") as url:
        registry = Registry(url, tmp_path)
        with pytest.raises(Surroundings, match="away"):
            await asyncio.wait_for(registry.schema(1), 30)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(Surroundings, match="away"):
        await Registry(nobody, tmp_path).id_of("s", {"type": "string"}, "0")


async def test_a_schema_of_another_kind_is_a_dead_letter(bus: Bus) -> None:
    """The number in the body leads to a schema that is no record of ours, or none that can be read."""

    class Strange(MemoryRegistry):
        async def schema(self, schema_id: int, *, fresh: bool = False) -> dict[str, Any] | None:
            strange: dict[int, dict[str, Any]] = {
                900: {},
                901: {"type": "record", "name": "x", "fields": [{"type": "?"}]},
            }
            return strange.get(schema_id) or await super().schema(schema_id, fresh=fresh)

    bus.registry = Strange()
    for number in (900, 901):
        key, value, headers = await bus.encoded(match("i", "a"))
        await bus.send(MATCHES, key, value[:1] + number.to_bytes(4, "big") + value[5:], headers)
    await bus.publish(match("i", "good"))
    async with bus.running():
        await bus.quiet()
    codes = [letter.reason_code for letter in await bus.said(LETTERS)]
    assert codes[1] == "wrong_type"
    assert await bus.subjects() == ["good.0"]


async def test_known_schemas_are_kept_on_disk(tmp_path: Path) -> None:
    """A service that has its schemas starts and goes on without a registry, even if a file was half written."""
    schema = '{"type": "record", "name": "R", "fields": []}'
    body = '{"subject": "s", "id": 7, "version": 1, "schema": "' + schema.replace('"', '\\"') + '"}'
    async with answering(200, body) as url:
        first = Registry(url, tmp_path)
        assert (await first.schema(7) or {})["name"] == "R"
        assert await first.id_of("s", {"type": "record", "name": "R", "fields": []}, "f") == 7
        await first.close()
    again = Registry(url, tmp_path)
    assert (await again.schema(7) or {})["name"] == "R"
    assert await again.id_of("s", {"type": "record", "name": "R", "fields": []}, "f") == 7
    for cached in list(tmp_path.rglob("*.json")):  # noqa: ASYNC240 - a test may
        cached.write_text("{")
    with pytest.raises(Surroundings):
        await again.schema(7)
    with pytest.raises(Surroundings):
        await again.id_of("s", {"type": "record", "name": "R", "fields": []}, "f")


async def test_a_renumbered_registry_is_asked_anew(tmp_path: Path) -> None:
    """What a number led to before it was set up anew is not believed for ever, in memory or on disk."""

    def body(name: str) -> str:
        return '{"schema": "{\\"type\\": \\"record\\", \\"name\\": \\"' + name + '\\", \\"fields\\": []}"}'

    answers = [body("Old"), body("New")]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        text = answers.pop(0)
        writer.write(f"HTTP/1.1 200 X\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    registry = Registry(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", tmp_path)
    names = [(await registry.schema(1, fresh=fresh) or {})["name"] for fresh in (False, False, True, False)]
    assert names == ["Old", "Old", "New", "New"]
    server.close()


async def test_a_real_registry_says_no_in_its_own_words(registry: str, tmp_path: Path) -> None:
    """An id that it has never given."""
    real = Registry(registry, tmp_path)
    assert await real.schema(987654) is None
    with pytest.raises(Surroundings, match="topics apply"):
        await real.id_of("nobody.registered.this-value", {"type": "string"}, "0")
    with pytest.raises(Surroundings):
        await Registry(f"{registry}/wrong", tmp_path / "other").schema(1)
    await real.close()


# The database


def sessions(url: str, do: str) -> None:
    """End, or refuse, the sessions of a database from outside."""
    plain = url.replace("postgresql+psycopg", "postgresql")
    name = plain.partition("?")[0].rpartition("/")[2]
    admin = plain.replace(f"/{name}", "/postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        if do in ("allow", "refuse"):
            connection.execute(f'alter database "{name}" allow_connections {do == "allow"}'.encode())
        if do in ("end", "refuse"):
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> pg_backend_pid()",
                [name],
            )


def once(do: Callable[[], None], at: str) -> Callable[[str], None]:
    """A probe that does something when the loop first comes to that point."""
    left = [do]

    def probe(point: str) -> None:
        if point == at and left:
            left.pop()()

    return probe


@pytest.mark.parametrize("point", ["before_commit", "committed", "before_send", "sent", "before_offsets"])
async def test_a_connection_that_is_cut_loses_and_doubles_nothing(postgres_bus: Bus, postgres: str, point: str) -> None:
    """The database ends the session in the middle of the transaction, or between two: undone and done again."""
    bus = postgres_bus
    await bus.publish(*(match(f"i{n % 3}", f"r{n}") for n in range(30)))
    async with bus.running(probe=once(lambda: sessions(postgres, "end"), point)):
        await bus.until(30)
        await bus.publish(*(match(f"i{n % 3}", f"r{n}") for n in range(30, 36)))
        await bus.quiet()
    said = {event.envelope.id: event for event in await bus.said()}.values()
    for incident in range(3):
        assert [e.met_at.timestamp() for e in said if e.child_id == f"i{incident}"] == list(range(12))
    assert await bus.said(LETTERS) == []


async def test_a_database_that_is_away_is_waited_for(postgres_bus: Bus, postgres: str) -> None:
    """At the start and later: the service says so, lives, and goes on where it was."""
    bus = postgres_bus
    await bus.publish(match("i", "a"))
    sessions(postgres, "refuse")
    async with bus.running() as loop:
        await eventually(lambda: "database" in loop.health.reason)
        assert loop.health.is_alive
        assert not loop.health.is_ready
        sessions(postgres, "allow")
        await bus.quiet()
        await eventually(lambda: loop.health.is_ready)
        sessions(postgres, "refuse")
        await bus.publish(match("i", "b"))
        await eventually(lambda: "database" in loop.health.reason)
        sessions(postgres, "allow")
        await bus.quiet()
        await eventually(lambda: loop.health.is_ready)
    assert [e.met_at.timestamp() for e in await bus.said()] == [0, 1]
    assert await bus.said(LETTERS) == []


def forgetful(loop: Loop, commits: int) -> None:
    """Its database commits, and the answer is lost on the way."""
    transaction = loop._store.transaction
    left = [True] * commits

    @contextmanager
    def lossy() -> Iterator[Any]:
        with transaction() as work:
            yield work
            batch = bool(work.connection.execute(outbox.select().limit(1)).first())
        if batch and left:
            left.pop()
            raise Surroundings("the database went away")

    loop._store.transaction = lossy  # type: ignore[method-assign]


async def test_a_commit_whose_answer_was_lost_is_not_done_twice(stored: Bus) -> None:
    """Whether it was committed is unknown; the guard tells, and what was stored is sent."""
    await stored.publish(child("c1", 1, "school:1"))
    loop = stored.loop(TELLER)
    forgetful(loop, 3)
    running = asyncio.create_task(loop.run())
    await stored.publish(*(match("i", f"r{n}") for n in range(20)))
    await stored.quiet(TELLER)
    loop.stop()
    await running
    said = await stored.said()
    assert len({event.envelope.id for event in said}) == 20
    assert await stored.said(LETTERS) == []


async def test_a_deadlock_is_tried_again_at_once(postgres_bus: Bus) -> None:
    """The database ends one of two transactions that wait for each other: it is undone and done again."""
    bus = postgres_bus
    errors = [psycopg.errors.DeadlockDetected("")]

    def fail(point: str) -> None:
        if point == "before_commit" and errors:
            raise OperationalError("", {}, errors.pop())

    before = REDONE.labels("noter")._value.get()
    await bus.publish(match("i", "a"))
    async with bus.running(probe=fail):
        await bus.until(1)
        await bus.quiet()
    assert REDONE.labels("noter")._value.get() == before + 1
    assert [e.met_at.timestamp() for e in await bus.said()] == [0]


async def test_a_paused_worker_does_not_hold_the_database_for_ever(postgres_bus: Bus) -> None:
    """A transaction in which nothing happens is ended by the server: others need the guards that it holds."""
    async with postgres_bus.running() as loop:
        await eventually(lambda: bool(loop._known))
        assert loop._store._engine
        with loop._store._engine.connect() as connection:
            assert connection.exec_driver_sql("show idle_in_transaction_session_timeout").scalar() != "0"
    assert len(postgres_bus.rows(guard)) == 3


# What a process shows


async def test_readyz_says_what_a_service_waits_for(bus: Bus) -> None:
    """503 and the reason in words while it waits, 200 when it is ready; alive in both."""

    async def get(port: int, path: str) -> tuple[int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        return int(answer.split()[1]), answer.rpartition("\r\n\r\n")[2]

    health = Health()
    bus.memory.away = True
    async with StatusPage(health, bus.at) as page, bus.running(health=health):
        await eventually(lambda: "broker" in health.reason)
        assert await get(page.port, "/readyz") == (503, "the broker is away\n")
        assert (await get(page.port, "/livez"))[0] == 200
        bus.memory.away = False
        await eventually(lambda: health.is_ready)
        assert await get(page.port, "/readyz") == (200, "ready\n")
        assert "safebus_heard_total" in (await get(page.port, "/metrics"))[1]
