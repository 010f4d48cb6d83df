"""Numbers have no gaps and are never passed, whoever writes at once; a recovery gives them anew, in another epoch."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from services.bus.access import Access
from services.bus.envelope import Envelope
from services.bus.heard import Heard
from services.bus.memory import MemoryRecord
from services.bus.settings import Settings
from services.bus.store import Store
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.inbox import reading
from services.partner_gateway.inbox.projection import INBOXES
from services.partner_gateway.inbox.reading import Stretch
from services.partner_gateway.tables import metadata
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.test_projection import DUE, missed

NOW = int(DUE.timestamp() * 1_000_000)
ORGANISATIONS = [f"la:{n}" for n in range(820, 828)]


@pytest.fixture
def on_postgres(postgres: str) -> Iterator[Access]:
    """The gateway's database on PostgreSQL, its tables made."""
    store = Store(postgres, "partner-gateway", projection=INBOXES)
    store.open()
    store.close()
    access = Access(Settings(store_url=postgres), "partner-gateway")
    access.run(metadata.create_all)
    yield access
    access.close()


def batch(chance: random.Random) -> list[Heard]:
    """Some disclosures to several organisations, in no order."""
    events = [missed(to) for to in chance.sample(ORGANISATIONS, 5) for _ in range(chance.randint(1, 3))]
    chance.shuffle(events)
    for event in events:
        event.enveloped(Envelope(str(uuid4()), "urn:safebus:test", event.topic, DUE))
    record = MemoryRecord("deadlines.missed.v1", 0, 0, b"", b"", [], 0)
    return [Heard(record, event=event, envelope=event.envelope) for event in events]


def record(connection: sa.Connection, done: Sequence[Heard]) -> None:
    list(INBOXES.record(connection, done))


def write(access: Access, seed: int) -> int:
    """Forty batches, each one transaction, as one worker does; how many disclosures."""
    chance, count = random.Random(seed), 0
    for done in (batch(chance) for _ in range(40)):
        access.run(partial(record, done=done))
        count += len(done)
    return count


def follow(access: Access, organisation: str, until: asyncio.Event) -> list[int]:
    """The numbers in the order in which a reader with a cursor comes to see them."""
    seen: list[int] = []
    ended = False
    while True:
        after = seen[-1] if seen else 0
        rows = access.run(partial(reading.entries, organisation=organisation, after=after, limit=1000, now_us=NOW))
        seen += [row.number for row in rows]
        if ended and not rows:
            return seen
        ended = until.is_set()


async def test_workers_that_write_at_once_leave_no_gap_and_readers_pass_no_number(on_postgres: Access) -> None:
    """DESIGN.md §1: gapless, in order, on PostgreSQL with several workers: no deadlock, and nothing uncommitted is
    passed, which a reader with a cursor would never see again."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    with ThreadPoolExecutor(12) as threads:
        readers = [loop.run_in_executor(threads, follow, on_postgres, name, ended) for name in ORGANISATIONS[:3]]
        writers = [loop.run_in_executor(threads, write, on_postgres, seed) for seed in range(4)]
        try:
            told = sum(await asyncio.gather(*writers))
        finally:
            ended.set()
        for seen in await asyncio.gather(*readers):
            assert seen == list(range(1, len(seen) + 1))
    proofs = [on_postgres.run(partial(reading.proof, organisation=name)) for name in ORGANISATIONS]
    assert sum(proof.count for proof in proofs) == told
    assert all((proof.first, proof.last) == (1, proof.count) for proof in proofs)


async def test_two_workers_that_hear_the_same_number_it_once(on_postgres: Access) -> None:
    """A worker that has lost its partition and its successor may record one disclosure at once: it stands once."""
    done = batch(random.Random(7))
    await asyncio.gather(*(asyncio.to_thread(on_postgres.run, partial(record, done=done)) for _ in range(4)))
    proofs = [on_postgres.run(partial(reading.proof, organisation=name)) for name in ORGANISATIONS]
    assert sum(proof.count for proof in proofs) == len(done)


async def test_a_recovery_opens_another_epoch_and_says_so(
    at: Settings, gateway: Gateway, client: httpx.AsyncClient, inbox_of: None
) -> None:
    """A cursor of before a recovery is refused with the new epoch, in which everything is there again."""
    events = [missed("la:825") for _ in range(3)]
    await tell(gateway, *events)
    before = (await client.get("/v1/inbox")).json()
    store = Store(at.store_for("partner-gateway"), "partner-gateway", projection=INBOXES)
    store.open()
    store.reset()
    store.close()
    refused = await client.get("/v1/inbox", params={"after": before["next"]})
    epoch = refused.json()["epoch"]
    assert (refused.status_code, refused.json()["type"]) == (410, "urn:safebus:problem:epoch-changed")
    assert epoch != before["epoch"]
    await tell(gateway, *reversed(events))
    after = (await client.get("/v1/inbox", params={"after": f"{epoch}.0"})).json()
    assert {e["disclosure_id"] for e in after["entries"]} == {e["disclosure_id"] for e in before["entries"]}
    assert (await client.get("/v1/inbox/proof")).json() == {"epoch": epoch, "count": 3, "first": 1, "last": 3}


@pytest.mark.parametrize(
    "look",
    [
        lambda c: reading.entries(c, "la:825", 700, 100, NOW),
        lambda c: reading.entries(c, "la:825", 700, 100, NOW, person_id="p"),
        lambda c: reading.entry(c, "la:825", 7, NOW),
        lambda c: reading.by_disclosure(c, "la:825", str(uuid4()), NOW),
        lambda c: reading.stretches(c, [Stretch(f"la:{n}", 7, 9) for n in range(100)], NOW),
        lambda c: reading.last(c, "la:825"),
    ],
)
async def test_a_long_inbox_is_read_by_its_keys_alone(gateway: Gateway, look: object) -> None:
    """An inbox of a million pages as fast as one of a thousand: SQLite's plan searches, scans and sorts nothing."""
    plan = await gateway.access.read(lambda connection: plan_of(connection, look))
    assert any(step.startswith("SEARCH inbox_") for step in plan)
    assert not [step for step in plan if "SCAN inbox" in step or "TEMP B-TREE" in step]


def plan_of(connection: sa.Connection, look: object) -> Sequence[str]:
    """How SQLite would do what `look` does."""
    asked: list[tuple[str, object]] = []

    def hear(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        asked.append((statement, parameters))

    sa.event.listen(connection, "before_cursor_execute", hear)
    look(connection)  # type: ignore[operator]
    sa.event.remove(connection, "before_cursor_execute", hear)
    return [
        row[3]
        for statement, parameters in asked
        for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]
    ]


@pytest.fixture
async def inbox_of(client: httpx.AsyncClient) -> AsyncIterator[None]:
    """Whoever calls is la:825 and reads its inbox."""
    from services.partner_gateway.door.who import Caller, caller

    app = client._transport.app  # type: ignore[attr-defined]
    app.dependency_overrides[caller] = lambda: Caller("la:825", frozenset({"inbox", "receipts.v1"}), "key test")
    yield
    app.dependency_overrides.clear()
