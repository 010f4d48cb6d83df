"""Rule 3: several workers on one database. Whoever has lost its partition, or read a row that another wrote since,
undoes its batch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Self

import pytest

from services.bus.codec import Codec
from services.bus.envelope import Event
from services.bus.events import ChildMatched, DeadlineMet
from services.bus.metrics import REDONE
from services.bus.service import Service, View
from services.bus.store import Store
from services.bus.tables import outbox, state
from services.bus.work import Guard, Overtaken, Place, StateRow
from tests.bus.plain import Bus, eventually, match, met
from tests.bus.real import KafkaBus


@pytest.fixture(params=["memory", "kafka"])
def shared(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Bus]:
    """Either broker, with PostgreSQL."""
    url = request.getfixturevalue("postgres")
    if request.param == "memory":
        yield Bus(tmp_path, store_url=url)
        return
    real = KafkaBus(tmp_path, request.getfixturevalue("kafka"), store_url=url)
    yield real
    real.clear()


class Tally(View):
    """How many answers a child has had, by whichever incidents, and so partitions, they came."""

    answers: int = 0

    @classmethod
    def key_of(cls, event: Event) -> str | None:
        return event.child_id if isinstance(event, ChildMatched) else None

    def evolve(self, event: Event) -> Self:
        return self.model_copy(update={"answers": self.answers + 1})


def tally(match: ChildMatched, so_far: Tally) -> Iterator[Event]:
    yield met(match, match.child_reference, match.incident_id, so_far.answers)


TALLIER = Service(name="tallier", on={ChildMatched: tally}, emits=(DeadlineMet,), view=Tally)


async def both_have_some(*loops: Any) -> None:
    """Until every partition is claimed, and each worker has claimed some."""
    await eventually(
        lambda: all(loop.partitions.known for loop in loops) and sum(len(loop.partitions.known) for loop in loops) == 3
    )


async def test_two_partitions_that_share_a_row_lose_no_increment(shared: Bus) -> None:
    """Four hundred answers about one child by way of three partitions, two workers: each answer has a number of its
    own, none is missing, and each incident's come in order."""
    small = shared.at.model_copy(update={"batch_size": 7})
    async with shared.running(TALLIER, settings=small) as one, shared.running(TALLIER, settings=small) as two:
        await both_have_some(one, two)
        for start in range(0, 400, 100):
            await shared.publish(*(match(f"i{n % 9}", f"r{n}") for n in range(start, start + 100)))
        await shared.until(400)
        await shared.quiet(TALLIER)
    first = await shared.in_effect()
    assert sorted(int(event.met_at.timestamp()) for event in first) == list(range(400))
    for incident in range(9):
        of_it = [event for event in first if event.child_id == f"i{incident}"]
        numbers = [event.met_at.timestamp() for event in of_it]
        assert numbers == sorted(numbers)
        assert [e.envelope.subject for e in of_it] == [f"r{n}" for n in range(incident, 400, 9)]
    (row,) = shared.rows(state, TALLIER)
    assert Tally.model_validate_json(row.body).answers == 400


class Held(Codec):
    """Stops with the batch in hand until it is let go."""

    def hold(self) -> None:
        self.reached, self.go = asyncio.Event(), asyncio.Event()

    async def learn(self, records: Any) -> None:
        records = list(records)
        if records and hasattr(self, "go"):
            self.reached.set()
            await self.go.wait()
        await super().learn(records)


async def test_a_worker_that_lost_its_partition_with_a_batch_in_hand_undoes_it(shared: Bus) -> None:
    """It read a batch and stood still; its partitions went to another, which decided them. When it wakes it takes no
    effect, and goes on with the partitions that it has by then."""
    await shared.publish(*(match(f"i{n}", f"r{n}") for n in range(30)))
    redone = REDONE.labels(shared.named(TALLIER).name)
    before = redone._value.get()
    codec = Held(shared.registry, shared.codec()._keys)
    codec.hold()
    async with shared.running(TALLIER, codec=codec) as one:
        await asyncio.wait_for(codec.reached.wait(), 20)
        async with shared.running(TALLIER) as two:
            await eventually(lambda: bool(two.partitions.known))
            # What the other has is decided there; what stayed here waits.
            await shared.publish(*(match(f"j{n}", f"s{n}") for n in range(30)))
            await eventually(lambda: len(shared.rows(state, TALLIER)) == 1)
            codec.go.set()
            await shared.until(60)
            await shared.quiet(TALLIER)
            assert one.health.is_alive
    assert redone._value.get() > before
    said = await shared.in_effect()
    assert sorted(int(event.met_at.timestamp()) for event in said) == list(range(60))


def test_a_guard_moves_only_from_where_it_was_known(stored: Bus) -> None:
    """Somebody else moved it, or rang there: whatever was written with it is undone."""
    store = Store(stored.at.store_for("guards"), "guards")
    store.open()
    place = Place("t", 0, "id")
    with store.transaction() as work:
        work.begin_at("cluster", place, 5)

    def save_and_advance(known: Guard) -> None:
        with store.transaction() as work:
            work.save([StateRow("key", 0, b"", None, "t", 0)])
            work.advance("cluster", place, known, Guard(9))

    for known in (Guard(4), Guard(6), Guard(5, rings=1)):
        with pytest.raises(Overtaken):
            save_and_advance(known)
    with store.transaction() as work:
        assert work.guards("cluster", ["t"]) == {place: Guard(5)}
        assert work.load(["key"]) == {}
        work.advance("cluster", place, Guard(5), Guard(9))
    with store.transaction() as work:
        assert work.guards("cluster", ["t"]) == {place: Guard(9)}
    store.close()


async def test_a_rebalance_in_every_batch_disturbs_nothing(shared: Bus) -> None:
    """Workers join and leave while events flow: nothing lost, nothing twice in effect, order kept."""

    async def events() -> None:
        for n in range(0, 120, 10):
            await shared.publish(*(match(f"i{m % 5}", f"r{m}") for m in range(n, n + 10)))

    async with shared.running(TALLIER):
        publishing = asyncio.create_task(events())
        for _ in range(4):
            async with shared.running(TALLIER) as other:
                await eventually(lambda other=other: bool(other.partitions.known))  # type: ignore[misc]
        await publishing
        await shared.quiet(TALLIER)
        await eventually(lambda: shared.rows(outbox, TALLIER) == [])
    first = await shared.in_effect()
    assert sorted(int(event.met_at.timestamp()) for event in first) == list(range(120))
    for incident in range(5):
        assert [e.envelope.subject for e in first if e.child_id == f"i{incident}"] == [
            f"r{n}" for n in range(incident, 120, 5)
        ]


async def test_what_a_worker_left_unsent_is_sent_by_the_next_owner_in_order(shared: Bus) -> None:
    """A worker died after its commit; another has its partitions: the stored outputs come before the new ones."""
    await shared.publish(*(match("i", f"r{n}") for n in range(5)))
    await shared.dies("before_send", service=TALLIER)
    await shared.publish(*(match("i", f"r{n}") for n in range(5, 10)))
    async with shared.running(TALLIER), shared.running(TALLIER):
        await shared.until(10)
        await shared.quiet(TALLIER)
    # Each of the two may have had the partition, one after the other, before it was sent.
    assert [event.envelope.subject for event in await shared.in_effect()] == [f"r{n}" for n in range(10)]


async def test_sqlite_runs_once(bus: Bus) -> None:
    """A second process on the same file is told so in a sentence."""
    async with bus.running() as loop:
        await eventually(lambda: bool(loop.partitions.known))
        how = await bus.ended()
    assert "already runs on" in str(how)
    assert getattr(how, "exit_code", None) == 2
