"""Rule 3, healing: `recover` rebuilds a lost or restored database, loses nothing and tells nobody twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from pydantic import AwareDatetime

from services.bus.clock import Clock
from services.bus.directory import Directory
from services.bus.envelope import Alarm, Event, Held
from services.bus.errors import Refusal, Surroundings, UserMistake
from services.bus.events import ChildMatched, DeadlineMet
from services.bus.recovery import Recovery
from services.bus.service import Service
from services.bus.store import Store
from services.bus.tables import seen, state
from tests.bus.plain import (
    LETTERS,
    MATCHES,
    MET,
    MISSED,
    NOTER,
    TELLER,
    WATCHER,
    Bus,
    Count,
    Expected,
    child,
    dies_at,
    done,
    eventually,
    match,
    miss,
    note,
    stops,
)


async def first_ids(bus: Bus, topic: str = MET) -> list[str]:
    """Ids of a topic's events in its order, each at its first coming."""
    return list(dict.fromkeys(event.envelope.id for event in await bus.said(topic)))


def told(events: list[Any]) -> list[tuple[str, str | None]]:
    """Who learnt of which incident, repeats left out."""
    return sorted({(event.child_id, event.envelope.subject) for event in events})


@pytest.mark.parametrize("kept", [0, 12], ids=["lost", "restored"])
async def test_a_lost_or_restored_database_stops_the_service_and_recover_heals_it(every: Bus, kept: int) -> None:
    """After thirty events the database is lost, or is that of twelve events ago. Nothing is said twice, nothing is
    lost, and the counts go on where they were."""
    await every.publish(*(match(f"i{n % 3}", f"r{n}") for n in range(kept)))
    async with every.running():
        await every.quiet()
    saved = every.backup() if kept else {}
    await every.publish(*(match(f"i{n % 3}", f"r{n}") for n in range(kept, 30)))
    async with every.running():
        await every.quiet()
    before = [event.envelope.id for event in await every.said()]
    every.restore(saved)
    await stops(every, NOTER, "restored" if kept else "lost")
    recovery = await every.recover()
    assert recovery.replayed == 30
    await every.publish(*(match(f"i{n % 3}", f"r{n}") for n in range(30, 36)))
    async with every.running():
        await every.quiet()
    said = await every.said()
    assert len(said) == 36
    assert {event.envelope.id for event in said} > set(before)
    for incident in range(3):
        assert [e.met_at.timestamp() for e in said if e.child_id == f"i{incident}"] == list(range(12))


async def test_what_was_said_is_not_decided_again_though_the_directory_has_changed(carried: Bus) -> None:
    """The school was told, Kafka was not, the database is lost, the child has moved: the new school is not told."""
    bus = carried
    await bus.publish(child("c1", 1, "school:old"), child("c2", 1, "school:a"))
    async with bus.running(TELLER):
        await bus.publish(match("i0", "a", child="c2"))
        await bus.quiet(TELLER)
    await bus.publish(match("i1", "b"), match("i2", "c"))
    await bus.dies("sent", service=TELLER)
    before = told(await bus.said())
    assert before == [("i0", "school:a"), ("i1", "school:old"), ("i2", "school:old")]
    bus.restore({}, TELLER)
    await bus.publish(child("c1", 2, "school:new"), match("i3", "d"))
    recovery = await bus.recover(TELLER)
    assert recovery.reused == 2
    async with bus.running(TELLER):
        await bus.quiet(TELLER)
    assert told(await bus.said()) == [*before, ("i3", "school:new")]


def interrupted(bus: Bus, point: str, time: int) -> dict[str, Any]:
    return {"probe": dies_at(point, time), "settings": bus.at.model_copy(update={"batch_size": 5})}


async def test_a_recovery_that_was_interrupted_starts_over(stored: Bus) -> None:
    """It ends in the middle, at a place that looks sound. The service refuses to go on from there; another recovery
    does it all, and the second school is not told."""
    bus = stored
    await bus.publish(child("c1", 1, "school:old"))
    async with bus.running(TELLER):
        await bus.publish(*(match("i", f"r{n}", child="c2") for n in range(10)))
        await bus.quiet(TELLER)
    await bus.publish(*(match("i", f"s{n}") for n in range(10)))
    await bus.dies("sent", service=TELLER)
    before = await first_ids(bus)
    assert len(before) == 10
    bus.restore({}, TELLER)
    await bus.publish(child("c1", 2, "school:new"))
    # The directory first, then five records in each batch: after the third commit guard and Kafka agree.
    with pytest.raises(Exception, match="before_commit"):
        await bus.recover(TELLER, **interrupted(bus, "before_commit", 4))
    await stops(bus, TELLER, "interrupted")
    await bus.recover(TELLER)
    async with bus.running(TELLER):
        await bus.quiet(TELLER)
    assert await first_ids(bus) == before


async def test_a_recovery_sends_what_had_not_been_sent(bus: Bus) -> None:
    """Part of a decision stood in its topic when everything was lost: the rest is said, the part is not repeated."""
    await bus.publish(match("i", "a", "hold"))
    bus.memory.refuse.add(MET)
    assert await bus.ended()
    assert len(await bus.said(LETTERS)) == 1
    assert await bus.said() == []
    bus.restore({})
    bus.memory.refuse.clear()
    await bus.recover()
    assert await bus.subjects() == ["a.0"]
    assert len(await bus.said(LETTERS)) == 1


async def test_a_retry_is_not_taken_for_what_its_first_coming_left(bus: Bus) -> None:
    """A dead letter stands; its retry was decided, its output never sent, and the database is lost. It is said."""
    await bus.say(match("i", "a", "say 2"), ce_id=b"1", ce_dataschema=b"urn:safebus:other:0123")
    async with bus.running():
        await bus.quiet()
    assert [letter.reason_code for letter in await bus.said(LETTERS)] == ["wrong_type"]
    await bus.say(match("i", "a", "say 2"), ce_id=b"1", safebus_retry=b"1")
    await bus.dies("before_send")
    bus.restore({})
    await bus.recover()
    assert await bus.subjects() == ["a.0", "a.1"]
    assert len(await bus.said(LETTERS)) == 1


async def test_what_died_stays_dead_and_can_still_be_retried(bus: Bus) -> None:
    """A room refused an event that it would accept by now. A recovery does not decide it behind the dead letter's
    back: a person has it tried again, and then it takes effect."""

    def refuse(match: Any) -> Any:
        raise ZeroDivisionError

    refuse.__annotations__ = {}
    broken = Service(name="noter", on={type(match("", "")): refuse}, emits=(DeadlineMet,), view=NOTER.view)
    await bus.say(match("i", "a"), ce_id=b"1")
    async with bus.running(broken):
        await bus.until(1, LETTERS)
        await bus.quiet()
    bus.restore({})
    await bus.recover()
    assert bus.rows(state) == []
    await bus.say(match("i", "a"), ce_id=b"1", safebus_retry=b"1")
    async with bus.running():
        await bus.until(1)
    assert await bus.subjects() == ["a.0"]
    assert len(await bus.said(LETTERS)) == 1


async def test_an_alarm_that_rang_does_not_ring_again(bus: Bus) -> None:
    """A deadline was missed and that was told; after a recovery it stands once, and one that was never told is."""
    await bus.publish(match("i1", "a"))
    async with bus.running(WATCHER):
        await bus.until(1, MISSED)
        await bus.quiet(WATCHER)
    await bus.publish(match("i2", "b"))
    bus.memory.refuse.add(MISSED)
    assert await bus.ended(WATCHER)
    bus.memory.refuse.clear()
    bus.restore({}, WATCHER)
    await bus.recover(WATCHER)
    async with bus.running(WATCHER):
        await bus.quiet(WATCHER)
    assert sorted(e.child_id for e in await bus.said(MISSED)) == ["i1", "i2"]


async def test_a_topic_made_anew_is_read_from_its_beginning(every: Bus) -> None:
    """The topic was deleted and made again while the service was down. After `recover` its new events are decided,
    what was known before is still known, and an event that was published again changes nothing."""
    first = match("i", "a")
    await every.publish(first, match("i", "b"))
    async with every.running():
        await every.quiet()
    await every.recreate(MATCHES)
    await every.publish(first, match("i", "c"))
    await stops(every, NOTER, "deleted and made again")
    await every.recover()
    async with every.running():
        await every.until(3)
        await every.quiet()
    said = await every.said()
    assert [(e.envelope.subject, e.met_at.timestamp()) for e in said] == [("a.0", 0), ("b.0", 1), ("c.0", 2)]


async def test_an_offset_that_outlived_its_topic_hides_nothing(bus: Bus) -> None:
    """Somebody moved the group's offset in the new topic before the service saw that it is new: what lies before it is
    decided and said all the same."""
    await bus.publish(match("i", "a"))
    async with bus.running():
        await bus.quiet()
    await bus.recreate(MATCHES)
    await bus.publish(match("i", "b"), match("i", "c"))
    bus.memory.committed |= {("noter", (MATCHES, number)): 2 for number in range(3)}
    await stops(bus, NOTER, "deleted and made again")
    await bus.recover()
    async with bus.running():
        await bus.until(3)
    assert await bus.subjects() == ["a.0", "b.0", "c.0"]


async def test_a_recovery_waits_until_nobody_else_runs(postgres_bus: Bus) -> None:
    """A worker is running: the recovery touches nothing until it has stopped."""
    bus = postgres_bus
    await bus.publish(*(match(f"i{n}", f"r{n}") for n in range(9)))
    async with bus.running():
        await bus.quiet()
        before = bus.backup()
        loop = bus.loop(recovery=Recovery("noter", bus.broker, [MET, LETTERS]))
        recovering = asyncio.create_task(loop.run())
        await eventually(lambda: "another noter is running" in loop.health.reason)
        assert bus.backup() == before
    await asyncio.wait_for(recovering, 20)
    assert len(bus.rows(seen)) == 9
    assert len(await bus.said()) == 9


async def test_a_log_that_became_shorter_stops_the_service_and_recover_heals_it(bus: Bus) -> None:
    """The broker lost what it had acknowledged: a person must know. Then the service goes on with what there is."""
    await bus.publish(*(match("i", f"r{n}") for n in range(9)))
    async with bus.running():
        await bus.quiet()
    log = next(log for log in bus.memory.topics[MATCHES].logs if log)
    del log[6:]
    await stops(bus, NOTER, "ends at 6")
    await bus.recover()
    await bus.publish(match("i", "after"))
    async with bus.running():
        await bus.until(10)
        await bus.quiet()
    assert (await bus.subjects())[-1] == "after.0"
    assert len(await bus.said()) == 10


def test_a_database_of_an_earlier_version_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """Not by a statement that fails once the first event is there."""
    store = Store(f"sqlite:///{tmp_path}/x.db", "plain")
    store.open()
    with store.transaction() as work:
        work.connection.exec_driver_sql("alter table outbox drop column body")
    store.close()
    with pytest.raises(UserMistake, match=r"plain was made by an earlier safebus \(outbox\.body"):
        store.open()
    store.close()


async def test_a_deadline_that_was_missed_and_later_met_comes_back_as_missed(carried: Bus) -> None:
    """It rang, was told, and was done after that. The database is lost: what was remembered of it is the same again,
    and nobody is told a second time. One that was met in time, whose service was down when it was due, stays met."""
    await carried.publish(match("late", "a"))
    async with carried.running(WATCHER):
        await carried.until(1, MISSED)
        await carried.quiet(WATCHER)
    await carried.publish(match("in time", "b"), done("in time"), done("late"))
    async with carried.running(WATCHER):
        await carried.quiet(WATCHER)
        await carried.quiet(WATCHER, MET)
    before = views(carried, WATCHER)
    assert {key: view["missed"] for key, view in before.items() if "missed" in view} == {"late": True}
    carried.restore({}, WATCHER)
    await carried.recover(WATCHER)
    assert views(carried, WATCHER) == before
    assert [event.child_id for event in await carried.said(MISSED)] == ["late"]


class Again(Expected):
    """Rings at once, and once more an hour after it rang, as a page that nobody answers."""

    rung_at: AwareDatetime | None = None

    @property
    def alarm(self) -> datetime | None:
        if self.done or self.missed:
            return None
        return self.rung_at + timedelta(hours=1) if self.rung_at else self.due

    def rung(self, alarm: Alarm) -> Self:
        return self.model_copy(update={"missed": True} if self.rung_at else {"rung_at": alarm.at})


def miss_again(alarm: Alarm, expected: Again) -> Iterator[Event]:
    return miss(alarm, expected)


async def test_what_rang_twice_rang_when_it_rang(bus: Bus, tmp_path: Path) -> None:
    """The second moment follows from when the first one rang, so a recovery that let it ring now would tell of it
    again under another id."""
    clock = Clock(tmp_path / "clock")
    clock.step(datetime.now(UTC) + timedelta(minutes=1))
    room = replace(WATCHER, view=Again, on_alarm=miss_again)
    await bus.publish(match("i", "a"))
    async with bus.running(room, clock=clock):
        await bus.until(1, MISSED)
        clock.step(clock.now() + timedelta(hours=2))
        await bus.until(2, MISSED)
        await bus.publish(done("i"))
        await bus.quiet(room, MET)
    before = views(bus, room)
    bus.restore({}, room)
    clock.step(clock.now() + timedelta(hours=5))
    await bus.recover(room, clock=clock)
    assert views(bus, room) == before
    assert len(await bus.said(MISSED)) == 2


async def test_what_was_done_is_not_refused_by_todays_directory(stored: Bus) -> None:
    """Two answers were decided, the second never told to Kafka as read; then the school closed, and such answers are
    refused. After a recovery both are remembered, nobody is told again, and there is no dead letter; a new one dies."""
    room = replace(NOTER, name="refuser", on={type(match("", "")): note_if_open})
    await stored.publish(child("c1", 1, "school:a"), match("i", "a"))
    async with stored.running(room):
        await stored.quiet(room)
    await stored.publish(match("i", "b"))
    await stored.dies("sent", service=room)
    stored.restore({}, room)
    await stored.publish(child("c1", 2), match("i", "c"))
    await stored.recover(room)
    assert views(stored, room) == {"i": {"answers": 2}}
    assert await stored.subjects() == ["a.0", "b.0"]
    assert [letter.reason_code for letter in await stored.said(LETTERS)] == ["refused"]


def note_if_open(match: ChildMatched, count: Count, directory: Directory) -> Iterator[Event | Held]:
    """As the noter, if the child has a school."""
    if not (found := directory.child(match.child_id)) or not found.registrations:
        raise Refusal("it has no school")
    yield from note(match, count)


def views(bus: Bus, service: Service) -> dict[str, Any]:
    """What a service remembers, by key."""
    return {row.key: json.loads(row.body) for row in bus.rows(state, service)}


async def test_a_broker_that_was_away_a_while_ago_does_not_undo_a_recovery(bus: Bus) -> None:
    """Offsets and topics are seen to beside the batches: what a question of then met is no reason to begin again."""
    await bus.publish(match("i", "a"))
    async with bus.running():
        await bus.quiet()
    bus.restore({})
    loop = bus.loop(recovery=Recovery("noter", bus.broker, [MET, LETTERS]))
    recovered = loop._recovered

    async def late() -> bool:
        if done := await recovered():
            loop._following = asyncio.get_running_loop().create_future()  # type: ignore[assignment]
            loop._following.set_exception(Surroundings("the broker was away"))  # type: ignore[union-attr]
            loop._recovered = recovered  # type: ignore[method-assign]
        return done

    loop._recovered = late  # type: ignore[method-assign]
    await loop.run()
    assert loop._recovery
    assert loop._recovery.finished
