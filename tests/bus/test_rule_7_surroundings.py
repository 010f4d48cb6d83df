"""Rule 7: a fault of the surroundings is waited out, said in words, and never makes a dead letter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from services.bus.errors import Surroundings
from services.bus.health import Health
from services.bus.http import StatusPage
from services.bus.loop import Loop
from services.bus.metrics import REDONE
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
    said = await bus.in_effect()
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
        await eventually(lambda: bool(loop.partitions.known))
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
