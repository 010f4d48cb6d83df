"""Rule 9: a deadline is missed only after every input has been read to the ends that were fetched after it was due."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from sqlalchemy.exc import OperationalError

from services.bus.broker import Partition, Sending
from services.bus.clock import Clock
from services.bus.envelope import Alarm
from services.bus.events import DeadlineMissed
from services.bus.metrics import HEARD, REDONE
from services.bus.tables import outbox, state
from tests.bus.plain import LETTERS, MATCHES, MET, MISSED, WATCHER, Bus, Expected, done, eventually, match, miss, until

HOUR = timedelta(hours=1)


class InAnHour(Expected):
    """Due an hour after the match was said."""

    @property
    def alarm(self) -> datetime | None:
        due = super().alarm
        return due and due + HOUR


def miss_later(alarm: Alarm, expected: InAnHour) -> Iterator[DeadlineMissed]:
    yield from miss(alarm, expected)  # type: ignore[misc]


LATER = replace(WATCHER, view=InAnHour, on_alarm=miss_later)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """A clock that stands until it is stepped."""
    clock = Clock(tmp_path / "clock")
    clock.step(datetime.now(UTC))
    return clock


async def test_nothing_is_missed_before_its_time(stored: Bus, clock: Clock) -> None:
    """The clock stands: however long the service runs, nothing rings. It is stepped: it rings once."""
    await stored.publish(match("i", "a"))
    async with stored.running(LATER, clock=clock):
        await stored.quiet(LATER)
        assert await stored.said(MISSED) == []
        clock.step(clock.now() + 2 * HOUR)
        await stored.until(1, MISSED)
        clock.step(clock.now() + 2 * HOUR)
        await stored.publish(match("j", "b"))
        await stored.quiet(LATER)
    assert [event.child_id for event in await stored.said(MISSED)].count("i") == 1


async def test_what_was_done_in_time_is_not_missed(stored: Bus, clock: Clock) -> None:
    """Done before it was due, or before it was set: it never rings."""
    await stored.publish(match("i", "a"), done("i"), done("j"))
    async with stored.running(LATER, clock=clock):
        await stored.quiet(LATER, MET)
        await stored.publish(match("j", "b"))
        await stored.quiet(LATER)
        clock.step(clock.now() + 2 * HOUR)
        await stored.publish(match("k", "c"))
        clock.step(clock.now() + 4 * HOUR)
        await stored.until(1, MISSED)
    assert [event.child_id for event in await stored.said(MISSED)] == ["k"]


async def test_a_receipt_that_lies_unread_in_the_log_counts(every: Bus, clock: Clock) -> None:
    """The service was down while the receipts came and the deadlines passed. Whatever it reads first, it tells nobody
    that they were missed; one that has no receipt it does tell."""
    async with every.running(LATER, clock=clock):
        await every.publish(*(match(f"i{n}", "a") for n in range(30)), match("late", "b"))
        await every.quiet(LATER)
    await every.publish(*(done(f"i{n}") for n in range(30)))
    clock.step(clock.now() + 2 * HOUR)
    small = every.at.model_copy(update={"batch_size": 1})
    async with every.running(LATER, clock=clock, settings=small):
        await every.until(1, MISSED)
        await every.quiet(LATER, MET)
    assert [event.child_id for event in await every.said(MISSED)] == ["late"]


async def test_a_receipt_that_another_worker_has_yet_to_read_counts(postgres_bus: Bus, clock: Clock) -> None:
    """Two workers: the one that has the deadline waits until the other has read the receipt."""
    bus = postgres_bus
    async with bus.running(LATER, clock=clock) as one, bus.running(LATER, clock=clock) as two:
        await eventually(lambda: bool(one.partitions.known) and bool(two.partitions.known))
        await bus.publish(*(match(f"i{n}", "a") for n in range(20)), match("late", "b"))
        await bus.quiet(LATER)
    await bus.publish(*(done(f"i{n}") for n in range(20)))
    clock.step(clock.now() + 2 * HOUR)
    holding, gate = asyncio.Event(), asyncio.Event()
    slow = bus.codec()
    learn = slow.learn

    async def held(records: Any) -> None:
        holding.set()
        await gate.wait()
        await learn(records)

    slow.learn = held  # type: ignore[method-assign]
    async with bus.running(LATER, clock=clock, codec=slow):
        try:
            await asyncio.wait_for(holding.wait(), 20)  # before the other comes, which else may read everything
            async with bus.running(LATER, clock=clock) as quick:
                logs = [*await bus.records(MATCHES), *await bus.records(MET)]
                ends = Counter((record.topic, record.partition) for record in logs)
                own = quick.partitions
                await eventually(lambda: bool(own.known) and all(at == ends[p] for p, at in own.known.items()))
                for _ in range(3):  # it has read all that is its own, and looks again and again
                    looked = quick._looked
                    await eventually(lambda looked=looked: quick._looked > looked)  # type: ignore[misc]
                assert quick._due is not None
                assert await bus.said(MISSED) == []
                gate.set()
                await bus.until(1, MISSED)
                await bus.quiet(LATER, MET)
        finally:
            gate.set()  # or this worker would never end
    assert [event.child_id for event in await bus.said(MISSED)] == ["late"]


async def test_two_workers_ring_once(postgres_bus: Bus, clock: Clock) -> None:
    """Both see that it is due; it is told once, whoever has its partition."""
    bus = postgres_bus
    async with bus.running(LATER, clock=clock) as one, bus.running(LATER, clock=clock) as two:
        await eventually(lambda: len(one.partitions.known) == len(two.partitions.known) == 3)
        await bus.publish(*(match(f"i{n}", "a") for n in range(40)))
        await bus.quiet(LATER)
        clock.step(clock.now() + 2 * HOUR)
        await bus.until(40, MISSED)
        await bus.quiet(LATER)
    assert sorted(e.child_id for e in await bus.said(MISSED)) == sorted(f"i{n}" for n in range(40))


async def test_what_was_ringing_while_another_worker_came_rings_once_in_effect(postgres_bus: Bus, clock: Clock) -> None:
    """It was committed and on its way when its partitions were given to another, which sends what is stored: each
    alarm may stand twice in the log then, with one id and the same bytes."""
    bus = postgres_bus
    await bus.publish(*(match(f"i{n}", "a") for n in range(40)))
    async with bus.running(LATER, clock=clock) as one:
        await bus.quiet(LATER)
        sending, go = asyncio.Event(), asyncio.Event()
        send = one._out.writer.send

        async def held(partition: Partition, records: Sequence[Sending]) -> None:
            sending.set()
            await go.wait()
            await send(partition, records)

        one._out.writer.send = held  # type: ignore[method-assign]
        clock.step(clock.now() + 2 * HOUR)
        await asyncio.wait_for(sending.wait(), 20)
        async with bus.running(LATER, clock=clock) as two:
            await eventually(lambda: len(two.partitions.known) == 3)
            go.set()
            await bus.until(41, MISSED)
            await bus.quiet(LATER)
            await eventually(lambda: bus.rows(outbox, LATER) == [])
    assert sorted(e.child_id for e in await bus.in_effect(MISSED)) == sorted(f"i{n}" for n in range(40))
    said = await bus.records(MISSED)
    assert len(said) > 40  # or it was not under way when it changed hands
    assert len({(r.key, r.value, tuple(r.headers)) for r in said}) == 40


@pytest.mark.parametrize("point", ["before_alarm_commit", "before_send", "sent"])
async def test_a_process_that_dies_while_it_rings_rings_once_in_effect(every: Bus, point: str) -> None:
    """Before the commit, before the send, after it: the next process tells, with the same id and the same bytes."""
    async with every.running(WATCHER):
        await every.publish(match("later", "b"), done("later"))
        await every.quiet(WATCHER, MET)
    await every.publish(match("i", "a"))
    await every.dies(point, service=WATCHER)
    async with every.running(WATCHER):
        await every.until(1, MISSED)
        await every.publish(match("j", "c"))
        await until(lambda: every.said(MISSED), lambda said: "j" in {event.child_id for event in said})
    records = [r for r in await every.records(MISSED) if r.key == b"i"]
    assert len({(r.value, tuple(r.headers)) for r in records}) == 1
    assert {e.child_id for e in await every.said(MISSED)} - {"later"} == {"i", "j"}


async def test_more_than_ring_at_once_all_ring(bus: Bus) -> None:
    """Five hundred are due in one moment."""
    await bus.publish(*(match(f"i{n}", "a") for n in range(500)))
    async with bus.running(WATCHER):
        said = await bus.until(500, MISSED)
        await eventually(lambda: bus.rows(outbox, WATCHER) == [])
    assert len({event.child_id for event in said}) == len(said) == 500


async def test_one_failing_alarm_silences_no_other_and_is_tried_again(bus: Bus, clock: Clock) -> None:
    """A room cannot decide about one child: the others are told, it is counted, and rings again later."""
    broken = True

    def fails(alarm: Alarm, expected: Expected) -> Iterator[DeadlineMissed]:
        if broken and " bad " in alarm.envelope.id:
            raise KeyError
        yield from miss(alarm, expected)  # type: ignore[misc]

    room = replace(WATCHER, name="fails", on_alarm=fails)
    await bus.publish(match("bad", "a"), match("i", "b"), match("j", "c"))
    clock.step(clock.now() + HOUR)
    async with bus.running(room, clock=clock):
        await bus.until(2, MISSED)
        assert sorted(e.child_id for e in await bus.said(MISSED)) == ["i", "j"]
        await eventually(lambda: HEARD.labels("fails", MATCHES, "alarm_failed")._value.get() == 1)
        broken = False
        clock.step(clock.now() + HOUR)
        await bus.until(3, MISSED)
    assert sorted(e.child_id for e in await bus.said(MISSED)) == ["bad", "i", "j"]


async def test_a_database_that_fails_while_it_rings_costs_nobody_the_alarm(bus: Bus, clock: Clock) -> None:
    """A look-up meets a disk that does not answer, once: it rings at once again, and not when a fault would."""
    failures = [OperationalError("select", {}, Exception())]

    def asks(alarm: Alarm, expected: Expected) -> Iterator[DeadlineMissed]:
        if failures:
            raise failures.pop()
        yield from miss(alarm, expected)  # type: ignore[misc]

    await bus.publish(match("i", "a"))
    clock.step(clock.now() + HOUR)
    async with bus.running(replace(WATCHER, on_alarm=asks), clock=clock):
        await bus.until(1, MISSED)
    assert [e.child_id for e in await bus.said(MISSED)] == ["i"]


class Stuck(Expected):
    """Never moves its alarm."""

    def rung(self, alarm: Alarm) -> Self:
        return self


async def test_an_alarm_that_does_not_move_is_not_told_for_ever(bus: Bus) -> None:
    """A fault of the room: it is not said at all, and does not ring in every turn."""

    def say(alarm: Alarm, stuck: Stuck) -> Iterator[DeadlineMissed]:
        yield from miss(alarm, stuck)  # type: ignore[misc]

    room = replace(WATCHER, name="stuck", view=Stuck, on_alarm=say)
    await bus.publish(match("i", "a"))
    async with bus.running(room):
        await eventually(lambda: HEARD.labels("stuck", MATCHES, "alarm_failed")._value.get() == 1)
        await bus.publish(match("j", "b"))
        await bus.quiet(room)
    assert await bus.said(MISSED) == []


class Unsayable(Expected):
    """Cannot say when."""

    @property
    def alarm(self) -> datetime | None:
        raise OverflowError


async def test_a_view_that_cannot_say_its_alarm_costs_its_event_alone(bus: Bus) -> None:
    """The event that led there is a dead letter; the service goes on."""

    def say(alarm: Alarm, view: Unsayable) -> Iterator[DeadlineMissed]:
        return iter(())

    room = replace(WATCHER, view=Unsayable, on_alarm=say)
    await bus.publish(match("i", "a"))
    async with bus.running(room):
        (letter,) = await bus.until(1, LETTERS)
        await bus.quiet(room)
    assert letter.reason_code == "decision_failed"
    assert bus.rows(state, room) == []


async def test_now_is_the_clock_of_the_installation(bus: Bus, clock: Clock) -> None:
    """What an alarm says is said at the clock's time, and an event of a day after that clock is not decided by."""
    clock.step(datetime(2030, 6, 1, 12, tzinfo=UTC))
    await bus.say(match("i", "a"), ce_time=b"2030-06-01T10:00:00+00:00")
    await bus.say(match("j", "b"), ce_time=b"2030-06-03T10:00:00+00:00")
    async with bus.running(LATER, clock=clock):
        (missed,) = await bus.until(1, MISSED)
        (letter,) = await bus.until(1, LETTERS)
    assert missed.at == clock.now()
    assert letter.field == "ce_time"


def test_every_step_of_the_clocks_file_is_seen(tmp_path: Path) -> None:
    """Two steps within one tick of the disk's own clock are two; without a file it is the real time."""
    reader, driver = Clock(tmp_path / "clock"), Clock(tmp_path / "clock")
    assert abs(reader.now() - datetime.now(UTC)) < HOUR
    for minute in range(60):
        told = datetime(2026, 11, 20, 19, minute, tzinfo=UTC)
        driver.step(told)
        assert reader.now() == told


async def test_what_comes_after_an_alarm_is_decided_by_what_it_left(stored: Bus, clock: Clock) -> None:
    """Known from a batch before, rung, then met: at once, and not at the second attempt, once its row was refused."""
    redone = REDONE.labels(stored.named(LATER).name)
    before = redone._value.get()
    await stored.publish(match("i", "a"))
    async with stored.running(LATER, clock=clock):
        await stored.quiet(LATER)
        clock.step(clock.now() + 2 * HOUR)
        await stored.until(1, MISSED)
        await stored.publish(done("i"))
        await stored.quiet(LATER, MET)
    (row,) = stored.rows(state, LATER)
    assert (b'"missed":true' in bytes(row.body), b'"done":true' in bytes(row.body)) == (True, True)
    assert redone._value.get() == before
