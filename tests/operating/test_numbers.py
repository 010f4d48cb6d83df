"""What the numbers at /metrics say of a database, of a door and of a disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

from services.bus import metrics, stored
from services.bus.access import Access
from services.bus.broker import Sending
from services.bus.clock import Clock
from services.bus.packs import output
from services.bus.settings import Settings
from services.bus.store import Store
from services.bus.work import Died, StateRow
from services.web.measured import NO_ROUTE, Measured

SERVICE = "counted"
SAID = Sending(b"k", b"v", [])


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def of_the_store(name: str) -> float | None:
    return value(name, service=SERVICE)


@pytest.fixture(params=["sqlite", "postgres"])
async def looked(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Store, stored.Stored]]:
    """A service's database, either kind, and what reads it for /metrics."""
    at = Settings(data_dir=tmp_path)
    if request.param == "postgres":
        at = at.model_copy(update={"store_url": request.getfixturevalue("postgres")})
    store, access = Store(at.store_for(SERVICE), SERVICE), Access(at, SERVICE)
    store.open()
    yield store, stored.Stored(access, SERVICE, Clock.of(at))
    access.close()
    store.close()


def microseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


async def test_a_database_is_told_as_it_stands(looked: tuple[Store, stored.Stored]) -> None:
    """Outputs unsent, events dead, moments awaited, those that have passed, and for how long."""
    store, stands = looked
    now = datetime.now(UTC)
    with store.transaction() as work:
        work.queue([output(("a.v1", 0), 7, n, "b.v1", SAID) for n in range(3)])
        work.bury({b"0" * 16: Died(b"1" * 16, 3, overtaken=False, retried=False)})
        moments = {"soon": now + timedelta(hours=1), "past": now - timedelta(minutes=5), "never": None}
        work.save([StateRow(k, 0, b"{}", microseconds(m) if m else None, "a.v1", 0) for k, m in moments.items()])
    await stands.look()
    assert of_the_store("safebus_store_up") == 1
    assert of_the_store("safebus_outbox_events") == 3
    assert of_the_store("safebus_dead_letters_open") == 1
    assert of_the_store("safebus_alarms_open") == 2
    assert of_the_store("safebus_alarms_overdue") == 1
    assert 300 <= (of_the_store("safebus_alarms_overdue_seconds") or 0) < 400


async def test_the_oldest_output_ages_until_it_is_sent(tmp_path: Path) -> None:
    """One that stays grows old however many others come and go, of other inputs too."""
    clock, at = [100.0], Settings(data_dir=tmp_path)
    store, access = Store(at.store_for(SERVICE), SERVICE), Access(at, SERVICE)
    store.open()
    stands = stored.Stored(access, SERVICE, Clock.of(at), lambda: clock[0])
    for offset in range(4):
        with store.transaction() as work:
            stuck = [output(("z.v1", 0), 7, 0, "b.v1", SAID)] if not offset else []
            work.queue([*stuck, output(("a.v1", 0), offset, 0, "b.v1", SAID)])
        await stands.look()
        with store.transaction() as work:
            work.forget({("a.v1", 0): (offset, 0)})
        clock[0] += 10
    await stands.look()
    assert of_the_store("safebus_outbox_oldest_seconds") == 40
    with store.transaction() as work:
        work.forget({("z.v1", 0): (7, 0)})
    await stands.look()
    assert of_the_store("safebus_outbox_oldest_seconds") == 0
    access.close()
    store.close()


async def test_without_its_database_nothing_stale_is_told(tmp_path: Path) -> None:
    """What cannot be read is absent; that it cannot is told by a metric of its own."""
    at = Settings(data_dir=tmp_path)
    access = Access(at, SERVICE)  # a file without tables
    await stored.Stored(access, SERVICE, Clock.of(at)).look()
    assert of_the_store("safebus_store_up") == 0
    assert of_the_store("safebus_outbox_events") is None
    access.close()


async def test_a_look_that_hangs_keeps_no_scraper_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """All the others are told in time."""
    monkeypatch.setattr(metrics, "LOOK_WITHIN", 0.05)

    async def hangs() -> None:
        await asyncio.Event().wait()

    with metrics.looking(hangs):
        assert b"safebus_heard_total" in await metrics.exposition()
    assert hangs not in metrics.LOOKS


def test_the_disk_is_that_of_the_data_directory(tmp_path: Path) -> None:
    """Also before anything made the directory."""
    metrics.describe_process(tmp_path / "not" / "yet")
    free, size = value("safebus_data_disk_free_bytes"), value("safebus_data_disk_size_bytes")
    assert free is not None
    assert size is not None
    assert 0 < free <= size


async def test_requests_count_by_template_and_status() -> None:
    """Neither the path that was asked for nor a word that somebody made up as a method becomes a label."""
    app = FastAPI()

    @app.get("/things/{thing_id}")
    async def thing(thing_id: str) -> str:
        return thing_id

    count = "http_server_request_duration_seconds_count"
    told = {"http_request_method": "GET", "http_route": "/things/{thing_id}", "http_response_status_code": "200"}
    nowhere = told | {"http_route": NO_ROUTE, "http_response_status_code": "404"}
    before = value(count, **nowhere) or 0  # of other tests' requests in this process
    measured = Measured(app, lambda: 3)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(measured), base_url="http://door.test") as client:
        for number in range(5):
            assert (await client.get(f"/things/child-{number}")).status_code == 200
        assert (await client.get("/things-else/child-9")).status_code == 404
        await client.request("BREW", "/things/child-1")
    assert value("safebus_streams_open") == 3
    assert value(count, **told) == 5
    assert (value(count, **nowhere) or 0) - before == 1
    assert value(count, **told | {"http_request_method": "_OTHER", "http_response_status_code": "405"}) == 1
    assert "child-" not in str([m.samples for m in REGISTRY.collect() if m.name.startswith("http_server")])


def test_latencies_are_a_histogram_of_prometheus() -> None:
    """Counts up to each bound, the bound itself among them; a sum; each service and type for itself."""
    registry = CollectorRegistry()
    told = metrics.Latencies("took_seconds", "How long it took")
    registry.register(told)
    told.add("one", "a.v1", 0.005, 2)
    told.add("one", "a.v1", 0.3, 1)
    told.add("one", "a.v1", 4000.0, 1)
    told.add("two", "a.v1", 0.0, 1)

    def sample(name: str, service: str = "one", **labels: str) -> float | None:
        return registry.get_sample_value(f"took_seconds_{name}", {"service": service, "type": "a.v1", **labels})

    assert [sample("bucket", le=le) for le in ("0.005", "0.25", "0.5", "3600.0", "+Inf")] == [2, 2, 3, 3, 4]
    assert sample("count") == 4
    assert sample("sum") == pytest.approx(4000.31)
    assert (sample("count", "two"), sample("sum", "two")) == (1, 0.0)
    assert b"# TYPE took_seconds histogram" in generate_latest(registry)
