"""Rule 2: an event is decided once. After redelivery the stored bytes are sent, whatever has changed meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.bus.directory import Directory
from services.bus.envelope import Event, Held
from services.bus.errors import Unacknowledged
from services.bus.events import ChildMatched, ChildRecorded, DeadlineMet
from services.bus.kafka import hashed
from services.bus.loop import Loop
from services.bus.metrics import HEARD
from services.bus.packs import unpacked
from services.bus.service import Service
from services.bus.tables import outbox
from tests.bus.plain import LETTERS, MATCHES, MET, NOTER, TELLER, Bus, Count, child, eventually, match, met, note

SAID = datetime.now(UTC).isoformat().encode()


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


async def test_what_comes_again_takes_no_effect(stored: Bus) -> None:
    """In the batch of its first time or in later ones, beside what is new; what was undone to look first counts
    nowhere."""
    outcomes = [HEARD.labels(stored.named(NOTER).name, MATCHES, outcome) for outcome in ("done", "repeated")]
    before = [outcome._value.get() for outcome in outcomes]

    async def say(*references: str) -> None:
        for reference in references:
            await stored.say(match("i", reference), ce_id=reference.encode(), ce_time=SAID)

    await say("a", "a", "b")
    async with stored.running() as loop:
        await stored.until(2)
        await say("a", "c", "b", "d")
        await stored.until(4)
        await eventually(lambda: loop._repeating)
        await say("d", "e")
        await stored.until(5)
        await say("f")
        await stored.until(6)
        await eventually(lambda: not loop._repeating)
        await say("g", "a")
        await stored.until(7)
        await stored.quiet()
    assert await stored.subjects() == [f"{reference}.0" for reference in "abcdefg"]
    assert [event.met_at.timestamp() for event in await stored.said()] == list(range(7))
    assert [outcome._value.get() - was for outcome, was in zip(outcomes, before, strict=True)] == [7, 5]


async def test_what_was_undone_to_look_first_is_not_known_before_its_turn(stored: Bus) -> None:
    """A row that comes later in the batch was written once and undone: an earlier event is not decided by it."""
    one, other = same_partition()

    def say_version(record: ChildRecorded, directory: Directory) -> Iterator[Any]:
        known = directory.child(one)
        yield met(record, f"{record.child_id}.{record.version}", record.child_id, known.version if known else 0)

    room = Service(name="counter", on={ChildRecorded: say_version}, emits=(DeadlineMet,))
    await stored.say(child(one, 1), ce_id=b"first", ce_time=SAID)
    await stored.say(child(other, 1), ce_id=b"second", ce_time=SAID)
    async with stored.running(room):
        await stored.until(2)
    await stored.say(child(other, 1), ce_id=b"third", ce_time=SAID)
    await stored.say(child(one, 2), ce_id=b"fourth", ce_time=SAID)
    await stored.say(child(one, 1), ce_id=b"first", ce_time=SAID)
    async with stored.running(room):
        await stored.quiet(room, ChildRecorded.topic)
    said = sorted((event.envelope.cause_id, event.met_at.timestamp()) for event in await stored.said())
    assert said == [("first", 1), ("fourth", 2), ("second", 1), ("third", 1)]


def same_partition() -> tuple[str, str]:
    """Two children whose events have one order."""
    one = "c1"
    others = (f"c{number}" for number in count(2))
    return one, next(other for other in others if hashed(other.encode()) % 3 == hashed(one.encode()) % 3)


@pytest.mark.parametrize("now", ["fails", "holds"])
async def test_what_came_before_leaves_no_trace_where_it_would_be_refused_now(stored: Bus, now: str) -> None:
    """It took effect; the room has become stricter. No dead letter, no child's record among the claims that no letter
    names, no line in the log that sends an operator to look for it; and with the claims away nothing waits."""
    large = match("i", "a", "x" * 300_000)
    async with stored.running():
        await stored.say(large, ce_id=b"first", ce_time=SAID)
        await stored.until(1)
    await stored.say(large, ce_id=b"first", ce_time=SAID)
    await stored.say(match("i", "b"), ce_id=b"second", ce_time=SAID)
    await stored.say(match("i", "c", "break"), ce_id=b"third", ce_time=SAID)
    stricter = replace(NOTER, on={ChildMatched: fails_if_again if now == "fails" else holds_if_again})
    with capture_logs() as logs:
        async with stored.running(stricter):
            await stored.until(2)
            await stored.until(1, LETTERS)
            await stored.quiet()
    assert await stored.subjects() == ["a.0", "b.0"]
    assert [line["event_id"] for line in logs if line["event"] == "decision_failed"] == ["third"]
    assert list(stored.at.data_dir.glob("claims/**/*.*")) == []


def fails_if_again(match: ChildMatched, known: Count) -> Iterator[Event | Held]:
    """As NOTER, but not for the first of an incident if that comes again."""
    if known.answers and match.child_reference == "a":
        raise KeyError
    yield from note(match, known)


def holds_if_again(match: ChildMatched, known: Count) -> Iterator[Event | Held]:
    """As NOTER, but holds the first of an incident if that comes again."""
    if known.answers and match.child_reference == "a":
        yield Held("H3", "a")
    yield from note(match, known)


@pytest.mark.parametrize("directory", [False, True])
async def test_while_repeats_come_they_are_looked_for_first(
    bus: Bus, directory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with a row of the directory beside each, which is a batch of its own, and where an id comes with other
    content: but for the first, no batch is decided twice."""
    tries: list[bool] = []
    written = Loop._written

    def counted(loop: Loop, *arguments: Any, look: bool) -> Any:
        tries.append(look)
        return written(loop, *arguments, look=look)

    monkeypatch.setattr(Loop, "_written", counted)
    await bus.say(match("i", "a"), ce_id=b"first", ce_time=SAID)
    async with bus.running(TELLER) as loop:
        await bus.quiet(TELLER)
        tries.clear()
        for number in range(1, 5):
            if directory:
                await bus.publish(child("c2", number))
            await bus.say(match("i", "a", "other" if number % 2 else "because"), ce_id=b"first", ce_time=SAID)
            await bus.quiet(TELLER)
            assert loop._repeating
    assert tries.count(False) == 1 + directory
    assert not any(tries[: 1 + directory])


async def test_what_is_not_remembered_and_died_stays_dead(stored: Bus) -> None:
    """Its id stands though those of others of its type do not, and nobody but a retry has it decided again."""
    room = replace(NOTER, not_remembered=frozenset({ChildMatched}))
    mistake = match("i", "a", "refuse")
    async with stored.running(room):
        await stored.say(mistake, ce_id=b"first", ce_time=SAID)
        await stored.until(1, LETTERS)
    async with stored.running(replace(room, on={ChildMatched: once_more})):
        await stored.say(mistake, ce_id=b"first", ce_time=SAID)
        await stored.say(match("i", "b"), ce_id=b"second", ce_time=SAID)
        await stored.until(1)
        await stored.quiet(room)
    assert await stored.subjects() == ["b"]


def once_more(match: ChildMatched) -> Iterator[Event]:
    """A room that has learnt to decide what it refused."""
    yield met(match, match.child_reference, match.incident_id)


async def test_acknowledged_outputs_do_not_stay(stored: Bus) -> None:
    """When all is quiet nothing is kept that was sent, and nothing is said to be unsent."""
    async with stored.running():
        await stored.publish(*(match(f"i{n}", f"r{n}") for n in range(20)))
        await stored.quiet()
        await eventually(lambda: stored.rows(outbox) == [])
    assert len(await stored.said()) == 20
