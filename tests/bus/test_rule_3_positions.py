"""Rule 3: the guard is the truth, and whatever contradicts it stops the service loudly, with what to do about it."""

from __future__ import annotations

import asyncio

import pytest

from services.bus.broker import Partition
from services.bus.errors import MustStop
from services.bus.positions import Known, where_to_start
from services.bus.tables import guard
from tests.bus.plain import MATCHES, NOTER, TOPICS, Bus, eventually, match, stops
from tests.bus.real import KafkaBus

SOUND = {"committed": 5, "begins": 0, "guard": 7, "other_incarnation": False, "ends": 9}


def start(**different: object) -> int:
    return where_to_start(Known("t", 0, **(SOUND | different)), "noter")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "offset"),
    [
        ({}, 7),
        ({"committed": 7}, 7),
        ({"committed": None}, 7),
        ({"guard": 9}, 9),
        ({"guard": 0, "committed": 0}, 0),
        ({"guard": None, "committed": None}, 0),
        ({"guard": None, "committed": None, "begins": 4}, 4),
        ({"guard": 7, "other_incarnation": True}, 7),
        ({"begins": 7}, 7),
    ],
)
def test_what_is_sound_goes_on_from_the_guard(known: dict[str, object], offset: int) -> None:
    """From the guard if there is one; from the log's beginning if nothing was ever read."""
    assert start(**known) == offset


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"guard": None}, "is lost"),
        ({"guard": None, "committed": 0}, "is lost"),
        ({"guard": 4}, "restored"),
        ({"begins": 8}, "no longer holds 7 to 7"),
        ({"guard": 10}, "ends at 9"),
        ({"guard": None, "other_incarnation": True}, "deleted and made again"),
        ({"guard": None, "committed": None, "other_incarnation": True}, "deleted and made again"),
    ],
)
def test_a_contradiction_stops_with_a_sentence_that_says_what_to_do(known: dict[str, object], words: str) -> None:
    """Exit code 70, the fault in words, and the command that heals it."""
    with pytest.raises(MustStop, match=words) as stopped:
        start(**known)
    assert stopped.value.exit_code == 70
    assert "safebus recover noter" in str(stopped.value)


async def test_a_log_that_begins_after_what_was_read_stops_the_service(carried: Bus) -> None:
    """Retention took events that were never read."""
    await carried.publish(match("i", "a"))
    async with carried.running():
        await carried.quiet()
    await carried.publish(match("i", "b"), match("i", "c"))
    await carried.trim(MATCHES)
    await stops(carried, NOTER, "no longer holds 1 to 2")


async def test_a_log_that_loses_its_beginning_at_rest_goes_on(carried: Bus) -> None:
    """Retention takes what was read: that is its work."""
    await carried.publish(match("i", "a"), match("i", "b"))
    async with carried.running():
        await carried.quiet()
    await carried.trim(MATCHES)
    await carried.publish(match("i", "c"))
    async with carried.running():
        await carried.until(3)
    assert await carried.subjects() == ["a.0", "b.0", "c.0"]


async def test_another_cluster_stops_the_service(bus: Bus) -> None:
    """The same topics on another cluster: the database is another's."""
    async with bus.running():
        await bus.publish(match("i", "a"))
        await bus.quiet()
    bus.memory.cluster = "elsewhere"
    how = await bus.ended()
    assert isinstance(how, MustStop)
    assert "elsewhere" in str(how)


@pytest.mark.parametrize("refilled", [False, True], ids=["empty", "refilled"])
async def test_a_topic_made_anew_under_a_running_service_stops_it(carried: Bus, refilled: bool) -> None:
    """Deleted and made again while it is read, with nothing in it, or with more than was read: the service ends by
    itself and moves no offset of the new topic. After `recover` the new topic is read from its beginning, once."""
    await carried.publish(*(match("i", f"r{n}") for n in range(6)))
    loop = carried.loop()
    running = asyncio.create_task(loop.run())
    await carried.quiet()
    await carried.recreate(MATCHES)
    if refilled:
        await carried.publish(*(match("i", f"new{n}") for n in range(9)))
    (how,) = await asyncio.wait_for(asyncio.gather(running, return_exceptions=True), 30)
    assert isinstance(how, MustStop)
    assert set((await carried.committed()).values()) == {None}
    if not refilled:
        await carried.publish(*(match("i", f"new{n}") for n in range(9)))
    await stops(carried, NOTER, "deleted and made again")
    await carried.recover()
    async with carried.running():
        await carried.quiet()
    said = await carried.in_effect()
    assert {e.envelope.subject for e in said} == {f"r{n}.0" for n in range(6)} | {f"new{n}.0" for n in range(9)}
    assert sorted(e.met_at.timestamp() for e in said) == list(range(15))


async def test_a_topic_that_is_gone_stops_the_service(carried: Bus) -> None:
    """It was deleted under a running service: that is said, not waited out."""
    await carried.publish(match("i", "a"))
    loop = carried.loop()
    running = asyncio.create_task(loop.run())
    await carried.quiet()
    if isinstance(carried, KafkaBus):
        carried.clear(MATCHES)
    else:
        del carried.memory.topics[MATCHES]
    (how,) = await asyncio.wait_for(asyncio.gather(running, return_exceptions=True), 30)
    assert isinstance(how, MustStop)
    assert f"{MATCHES} was deleted" in str(how)


async def test_a_topic_that_is_not_there_yet_is_waited_for(carried: Bus) -> None:
    """A service that starts before its topics says what it waits for, and goes on once they are applied."""
    if isinstance(carried, KafkaBus):
        carried.clear(MATCHES)
    else:
        del carried.memory.topics[MATCHES]
    async with carried.running() as loop:
        await eventually(lambda: MATCHES in loop.health.reason)
        assert not loop.health.is_ready
        await carried.recreate(MATCHES)
        await carried.publish(match("i", "a"))
        await carried.quiet()
        await eventually(lambda: loop.health.is_ready)
    assert await carried.subjects() == ["a.0"]


async def test_each_partition_is_guarded_from_its_first_assignment(bus: Bus) -> None:
    """Partitions without events have a guard too: whoever waits for them must see that there is nothing to read."""
    async with bus.running() as loop:
        await eventually(lambda: bool(loop.partitions.known))
        assert len(bus.rows(guard)) == TOPICS[MATCHES]


async def test_what_is_acknowledged_while_topics_are_looked_at_waits_for_the_next_look(bus: Bus) -> None:
    """Offsets are brought up beside the batches: only those are, that stood when the topics were asked about."""
    loop, told = bus.loop(), list[dict[Partition, int]]()
    here = (MATCHES, 0)

    async def meanwhile() -> None:
        loop._out.committable |= {here: 9}

    async def noted(offsets: dict[Partition, int]) -> bool:
        told.append(offsets)
        return True

    loop.partitions.check_topics = meanwhile  # type: ignore[method-assign]
    loop._reader.commit = noted  # type: ignore[method-assign, assignment]
    loop._out.committable = {here: 5}
    for _ in range(2):
        await loop._bring_offsets()
    assert told == [{here: 5}, {here: 9}]
