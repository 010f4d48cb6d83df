"""Rule 2: an event is decided once. After redelivery the stored bytes are sent, whatever has changed meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from services.bus.errors import Unacknowledged
from services.bus.events import ChildMatched, DeadlineMet
from services.bus.packs import unpacked
from services.bus.service import Service
from services.bus.tables import outbox
from tests.bus.plain import LETTERS, MET, TELLER, Bus, child, eventually, match, met


@pytest.mark.parametrize("point", ["committed", "before_send", "sent", "before_offsets"])
async def test_the_second_school_is_not_told(every: Bus, point: str) -> None:
    """A child's school was decided; the process died before or after the school was told; the child moved. The school
    of the time of deciding is told, and only that one."""
    await every.publish(child("c1", 1, "school:old"))
    async with every.running(TELLER):
        await every.quiet(TELLER, "directory.children.v1")
        # Otherwise the directory's own batch is the first to come to that point.
    await every.publish(match("i", "a"))
    await every.dies(point, service=TELLER)
    await every.publish(child("c1", 2, "school:new"))
    async with every.running(TELLER):
        await every.until(1)
        await every.publish(match("j", "b"))
        await every.quiet(TELLER)
    told = {(event.child_id, event.envelope.subject) for event in await every.said()}
    assert told == {("i", "school:old"), ("j", "school:new")}


async def test_the_same_bytes_are_sent_again(carried: Bus) -> None:
    """Killed after the send and before it was noted: what comes again is the same, byte for byte, times and all."""
    await carried.publish(match("i", "a"))
    await carried.dies("sent")
    (stored,) = carried.rows(outbox)
    async with carried.running():
        await carried.quiet()
    first, again = await carried.records(MET)
    assert (first.key, first.value, list(first.headers)) == (again.key, again.value, list(again.headers))
    [packed] = unpacked(stored.topic, stored.partition, stored.body)
    assert (packed.sending.key, packed.sending.value) == (first.key, first.value)
    assert carried.rows(outbox) == []


async def test_an_undone_batch_is_decided_again(stored: Bus) -> None:
    """Killed within the transaction: nothing of it counts, and it is decided by what is known then."""
    await stored.publish(match("i", "a"))
    await stored.dies("before_commit")
    assert stored.rows(outbox) == []
    async with stored.running():
        await stored.quiet()
    assert [event.met_at.timestamp() for event in await stored.said()] == [0]


async def test_a_refused_send_is_tried_by_the_next_process_with_the_same_bytes(bus: Bus) -> None:
    """The broker refuses for three starts; then the stored outputs are sent, in their order, once in effect."""
    await bus.publish(child("c1", 1, "school:old"), match("i", "a"))
    bus.memory.refuse.add(MET)
    for _ in range(3):
        assert isinstance(await bus.ended(TELLER), Unacknowledged)
        await bus.publish(match("i", "b"))
    await bus.publish(child("c1", 2, "school:new"))
    bus.memory.refuse.clear()
    async with bus.running(TELLER):
        await bus.quiet(TELLER)
    subjects = await bus.subjects()
    # What was committed in the first round was decided by the old school; the others may know the new one.
    assert subjects[0] == "school:old"
    assert len({e.envelope.id for e in await bus.said()}) == 4


async def test_two_hundred_outputs_of_one_event_are_all_or_nothing(stored: Bus) -> None:
    """An incident with two hundred children; the same with a fault in the last."""

    def fails_at_last(match: ChildMatched) -> Iterator[Any]:
        for number in range(200):
            yield met(match, f"{match.child_reference}.{number}", match.incident_id)
        if match.reason == "fault":
            raise KeyError

    room = Service(name="noter", on={ChildMatched: fails_at_last}, emits=(DeadlineMet,))
    await stored.publish(match("i", "bad", "fault"), match("i", "good"))
    async with stored.running(room):
        await stored.until(200)
        await stored.quiet()
    assert await stored.subjects() == [f"good.{number}" for number in range(200)]
    assert len(await stored.said(LETTERS)) == 1


async def test_a_batch_that_was_undone_leaves_nothing_in_memory(bus: Bus) -> None:
    """A directory's row that was rolled back is not remembered as if it stood."""
    await bus.publish(child("c1", 1, "school:1"))
    async with bus.running(TELLER):
        await bus.publish(match("i", "a"))
        await bus.until(1)
    await bus.publish(child("c1", 2, "school:2"), match("i", "b"))
    await bus.dies("before_commit", service=TELLER)
    async with bus.running(TELLER):
        await bus.quiet(TELLER)
    assert await bus.subjects() == ["school:1", "school:2"]


async def test_acknowledged_outputs_do_not_stay(stored: Bus) -> None:
    """When all is quiet nothing is kept that was sent, and nothing is said to be unsent."""
    async with stored.running():
        await stored.publish(*(match(f"i{n}", f"r{n}") for n in range(20)))
        await stored.quiet()
        await eventually(lambda: stored.rows(outbox) == [])
    assert len(await stored.said()) == 20
