"""Rule 4: the partition's owner sends its own outputs, in order, until they are acknowledged; unknown is not "not
taken"."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Self

import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from services.bus.broker import Partition, Sending
from services.bus.envelope import Event
from services.bus.errors import NotPermitted, Unacknowledged
from services.bus.events import DeadlineMet, DeadlineMissed
from services.bus.service import Service, View
from services.bus.tables import outbox, state
from tests.bus.plain import LETTERS, MATCHES, MET, NOTER, Bus, eventually, match, nothing
from tests.bus.real import KafkaBus
from tests.embedded.broker import SECONDS


class Heard(View):
    """How many events of a child took effect."""

    number: int = 0

    @classmethod
    def key_of(cls, event: Event) -> str | None:
        return event.child_id if isinstance(event, DeadlineMet) else None

    def evolve(self, event: Event) -> Self:
        return self.model_copy(update={"number": self.number + 1})


AFTER = Service(name="after", on={DeadlineMet: nothing}, emits=(DeadlineMissed,), view=Heard)
"""Hears what NOTER says."""


async def took_effect(bus: Bus) -> int:
    """How many of NOTER's outputs took effect on who hears them."""
    async with bus.running(AFTER):
        await bus.quiet(AFTER, MET)
    return sum(Heard.model_validate_json(row.body).number for row in bus.rows(state, AFTER))


def ids(events: Sequence[Event]) -> list[str]:
    """Ids in the log's order, each at its first coming."""
    return list(dict.fromkeys(event.envelope.id for event in events))


class Late:
    """Takes a batch, gives no acknowledgement, and lets it land when told to."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self.kept: list[tuple[Partition, Sequence[Sending]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    async def send(self, partition: Partition, records: Sequence[Sending]) -> None:
        self.kept.append((partition, records))
        raise Unacknowledged(f"no acknowledgement from {partition[0]}[{partition[1]}]")


async def test_a_send_that_timed_out_and_lands_later_has_no_second_effect(carried: Bus) -> None:
    """No answer came in time, so the process ended; the next sent the stored bytes, went on, and then the first batch
    landed: the same ids, so whoever hears them counts each once, in their first order."""
    await carried.publish(*(match("i", f"r{n}") for n in range(10)))
    loop = carried.loop()
    late = loop._out.writer = Late(loop._out.writer)
    (how,) = await asyncio.gather(loop.run(), return_exceptions=True)
    assert isinstance(how, Unacknowledged)
    assert how.exit_code == 75
    assert late.kept
    async with carried.running():
        await carried.quiet()
        await carried.publish(*(match("i", f"r{n}") for n in range(10, 15)))
        await carried.quiet()
    for partition, records in late.kept:
        for record in records:
            await carried.send(partition[0], record.key, record.value, record.headers)
    said = await carried.said()
    assert len(said) == 25
    assert len(ids(said)) == 15
    assert [e.met_at.timestamp() for e in said[:15]] == list(range(15))
    assert await took_effect(carried) == 15


class HalfWay:
    """Sends to the first partition it is given, and gets no answer from the others."""

    def __init__(self, writer: Any) -> None:
        self._writer, self._number = writer, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    async def send(self, partition: Partition, records: Sequence[Sending]) -> None:
        self._number += 1
        if self._number > 1:
            raise Unacknowledged(f"no acknowledgement from {partition[0]}[{partition[1]}]")
        await self._writer.send(partition, records)


async def test_what_was_sent_in_part_is_sent_whole(carried: Bus) -> None:
    """One output partition acknowledged, another did not: all are sent again, and each takes effect once, in order."""
    await carried.publish(*(match(f"i{n % 5}", f"r{n}") for n in range(30)))
    loop = carried.loop()
    loop._out.writer = HalfWay(loop._out.writer)
    (how,) = await asyncio.gather(loop.run(), return_exceptions=True)
    assert isinstance(how, Unacknowledged)
    async with carried.running():
        await carried.quiet()
    said = await carried.said()
    assert len(ids(said)) == 30
    assert len(said) > 30
    for incident in range(5):
        of_it = {e.envelope.id: e for e in said if e.child_id == f"i{incident}"}.values()
        assert [e.met_at.timestamp() for e in of_it] == list(range(6))
    assert await took_effect(carried) == 30


async def test_thousands_of_leftovers_are_sent_in_their_order(stored: Bus) -> None:
    """More than are read at once were left unsent: each comes once, in the order of deciding."""
    await stored.publish(match("i", "a", "say 2300"), match("i", "b"))
    await stored.dies("before_send")
    async with stored.running():
        await stored.quiet()
    assert await stored.subjects() == [*(f"a.{n}" for n in range(2300)), "b.0"]


async def test_more_than_one_batch_holds_comes_in_order(carried: Bus) -> None:
    """Outputs of three megabytes for one partition: several batches, one after another."""
    await carried.publish(match("i", "x" * 30_000, "say 100"), match("i", "after"))
    async with carried.running():
        await carried.quiet()
    steps = [subject.rpartition(".")[2] for subject in filter(None, await carried.subjects())]
    assert steps == [*map(str, range(100)), "0"]


def largest(bus: KafkaBus, number: int) -> None:
    """What the broker takes as one batch of outputs, bytes."""
    entry = ConfigEntry("max.message.bytes", str(number), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, MET, incremental_configs=[entry])
    for future in bus.kafka.admin.incremental_alter_configs([resource]).values():
        future.result(SECONDS)


async def test_a_record_that_the_broker_refuses_ends_the_process_and_holds_its_followers(kafka_bus: KafkaBus) -> None:
    """The topic takes no such size: nothing of that key overtakes it, however often the service is started. Once it is
    taken, all comes in order."""
    bus = kafka_bus
    largest(bus, 2000)
    await bus.publish(match("i", "fits"))
    async with bus.running():
        await bus.quiet()
    big = "".join(f"{n:x}" for n in range(5000))  # does not compress to nothing
    await bus.publish(match("i", big), match("i", "after"), match("k", "other key"))
    for _ in range(2):
        how = await bus.ended()
        assert isinstance(how, Unacknowledged)
        assert "refused" in str(how)
    assert "after.0" not in await bus.subjects()
    largest(bus, 1_200_000)
    async with bus.running():
        await bus.quiet()
    first = await bus.in_effect()
    assert [e.envelope.subject for e in first if e.child_id == "i"] == ["fits.0", f"{big}.0", "after.0"]


@pytest.mark.parametrize("refused", [MET, LETTERS])
async def test_a_topic_that_the_broker_refuses_stops_the_service(kafka_bus: KafkaBus, refused: str) -> None:
    """A service without the right to write its outputs, or its dead letters, ends with a sentence and loses nothing;
    with the right it goes on."""
    bus = kafka_bus
    name = bus.named(NOTER).name
    bus.kafka.user(name)
    allowed = ({MET, LETTERS} - {refused}).pop()
    bus.kafka.allow(name, read=[MATCHES, MET, LETTERS], write=[allowed], groups=[name])
    await bus.publish(match("i", "a"), match("i", "b", "refuse"))
    how = await bus.ended(broker=bus.principal(name))
    assert isinstance(how, Unacknowledged | NotPermitted)
    assert refused in str(how)
    assert await bus.said(refused) == []
    bus.kafka.allow(name, write=[refused])
    async with bus.running(broker=bus.principal(name)):
        await bus.quiet()
    assert set(await bus.subjects()) == {"a.0"}
    assert len({e.envelope.id for e in await bus.said(LETTERS)}) == 1


async def test_a_service_without_the_right_to_read_is_told_so(kafka_bus: KafkaBus) -> None:
    """One sentence that names the principal; it is a person's mistake, not waited out."""
    name = kafka_bus.named(NOTER).name
    kafka_bus.kafka.user(name)
    kafka_bus.kafka.allow(name, write=[MET, LETTERS], groups=[name])
    how = await kafka_bus.ended(broker=kafka_bus.principal(name))
    assert isinstance(how, NotPermitted)
    assert name in str(how)
    assert how.exit_code == 2


async def test_outputs_are_forgotten_only_when_acknowledged(carried: Bus) -> None:
    """While no acknowledgement has come they stay stored, and Kafka's offset stays behind them."""
    gate = asyncio.Event()

    class Slow(Late):
        async def send(self, partition: Partition, records: Sequence[Sending]) -> None:
            await gate.wait()
            await self._writer.send(partition, records)

    loop = carried.loop()
    loop._out.writer = Slow(loop._out.writer)
    running = asyncio.create_task(loop.run())
    await carried.publish(match("i", "a"))
    await eventually(lambda: len(rows(carried)) == 1)
    assert set((await carried.committed()).values()) == {None}
    gate.set()
    await carried.quiet()
    await eventually(lambda: rows(carried) == [])
    loop.stop()
    await running


def rows(bus: Bus) -> list[Any]:
    """What is stored and not yet forgotten; nothing while there is no table."""
    try:
        return bus.rows(outbox)
    except Exception:
        return []


async def test_a_service_may_not_say_what_it_does_not_emit(bus: Bus) -> None:
    """The wiring names what a service says; a decision that yields something else is a fault of the room."""
    quiet = Service(name="noter", on=NOTER.on, emits=(DeadlineMissed,), view=NOTER.view)
    await bus.publish(match("i", "a"))
    async with bus.running(quiet):
        (letter,) = await bus.until(1, LETTERS)
        await bus.quiet()
    assert letter.reason_code == "decision_failed"
    assert await bus.said() == []
