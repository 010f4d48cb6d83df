"""What is measured, on a real broker."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry, generate_latest

from services.bus.settings import ROOT
from services.lag_monitor import asking
from services.lag_monitor.exposition import Exposition
from services.lag_monitor.lag import Verdict
from services.lag_monitor.watch import Watch
from tests.embedded.broker import Broker
from tests.lag_monitor.house import House, house, looked, part
from tests.lag_monitor.kafka_tool import described


@pytest.fixture(scope="module")
def here(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> House:
    return house(kafka, tmp_path_factory.mktemp("lag"))


async def test_it_says_what_kafkas_own_tool_says(here: House, tmp_path: Path) -> None:
    """Partly read, wholly read, never read, beyond the end and lost by retention: the same offsets and the same lag for
    each partition; and each first unread event's own time, in a batch's middle and where retention left off."""
    await here.write(0, "a", "b", "c")
    await asyncio.sleep(0.01)
    await here.write(0, "d", "e")
    await here.write(1, "a", "b", "c", "d")
    await here.write(2, "a", "b", "c", "d", "e", "f")
    await here.write(3, "a", "b")
    await here.write(4, "a", "b")
    for transaction in ("ab", "cd"):  # each ends with a record that nobody reads: a gap at 2 and at 5
        await here.write(0, *transaction, topic=here.compact, transaction=True)
    await here.commit(0, 1)
    await here.commit(1, 4)
    await here.commit(2, 2)
    await here.commit(4, 9)
    await here.commit(0, 2, topic=here.compact)
    here.remove(2, before=5)

    watch = Watch(here.at)
    found = await watch.look()
    group = here.group(found)
    told = await described(here.broker, here.service, tmp_path)
    read = [one for one in group.partitions if one.committed is not None]  # of the others the tool says nothing
    assert {
        (one.topic, one.partition): {"committed": one.committed, "end": one.end, "lag": one.lag} for one in read
    } == told

    middle, done, lost, never, beyond = (part(group, here.plain, n) for n in range(5))
    gap = part(group, here.compact)
    assert (middle.behind, middle.how, done.behind, done.seconds, done.how) == (4, "record", 0, 0.0, "nothing unread")
    assert (lost.lost, lost.behind) == (3, 1)
    assert (never.committed, never.behind, never.lost) == (None, 2, 0)
    assert (beyond.behind, beyond.seconds, beyond.lost) == (0, 0.0, 0)
    times = await _times(here)
    for one, offset in ((middle, 1), (lost, 5), (never, 0)):
        waits = found.at.timestamp() - times[one.topic, one.partition, offset] / 1000
        assert one.seconds == pytest.approx(waits, abs=0.002), one
    waits = found.at.timestamp() - times[here.compact, 0, 3] / 1000
    assert waits - 0.002 < gap.seconds < waits + 30, "of the record before the gap at the most, never NaN"
    assert (group.verdict, group.members) == (Verdict.at_risk, 0)
    assert "removed 3 events" in group.why
    await watch.close()


async def _times(here: House) -> dict[tuple[str, int, int], int]:
    """When the broker took each record in, by reading it."""
    consumer = here.consumer()
    places = [TopicPartition(here.plain, n) for n in range(5)] + [TopicPartition(here.compact, 0)]
    consumer.assign(places)
    await consumer.start()
    await consumer.seek_to_beginning(*places)
    found: dict[tuple[str, int, int], int] = {}
    ends = await consumer.end_offsets(places)
    while any([await consumer.position(place) < ends[place] for place in places]):
        for place, records in (await consumer.getmany(timeout_ms=200)).items():
            found |= {(place.topic, place.partition, record.offset): record.timestamp for record in records}
    await consumer.stop()
    return found


async def test_offsets_that_were_set_back_or_beyond_the_log_are_seen(here: House) -> None:
    """Back from where the group was seen before; beyond the end; and neither any more when it is there again."""
    await here.commit(2, 6)
    await here.commit(4, 2)
    watch = Watch(here.at)
    assert here.group(await watch.look()).verdict is Verdict.stopped
    await here.commit(1, 1)
    back = here.group(await watch.look())
    assert (back.verdict, back.why) == (
        Verdict.rewound,
        f"{here.plain}[1] stands at 1, and had been read to 4; 3 events are read again",
    )
    await here.commit(1, 40)
    assert "ends at 4, yet it has read to 40" in here.group(await watch.look()).why
    assert part(here.group(await watch.look()), here.plain, 1).behind == 0
    await here.commit(1, 4)
    assert here.group(await watch.look()).verdict is Verdict.stopped
    await watch.close()


async def test_a_reader_that_is_killed_is_noticed(here: House) -> None:
    """kill -9: connected and ok, then stopped at the second look after the broker has missed its heartbeats. What waits
    in a topic that it may read, and does not ask for, is not waiting for it."""
    await here.write(0, "x", "y", topic=here.compact)
    command = [sys.executable, "-m", "tests.lag_monitor.victim", here.service, here.plain]
    environment = here.broker.environment | {"SAFEBUS_PRINCIPAL": here.broker.admin_name}
    reader = subprocess.Popen(command, env=environment, cwd=ROOT)  # noqa: ASYNC220
    watch = Watch(here.at)
    try:
        found = here.group(await looked(watch, lambda found: here.group(found).why == "everything is read"))
        assert {one.topic for one in found.partitions} == {here.plain}
        reader.send_signal(signal.SIGKILL)
        found = here.group(await looked(watch, lambda found: here.group(found).verdict is Verdict.stopped))
        assert (found.members, found.state, found.why) == (0, "empty", "no process of it is connected")
    finally:
        reader.kill()
        reader.wait()
        await watch.close()


async def test_of_a_group_that_is_gone_nothing_is_remembered(here: House) -> None:
    """Some readers take a new name each day: a monitor that runs for a year would hold every one of them."""
    stranger = f"stranger-of-{here.service}"
    await here.commit(1, 2, group=stranger)
    watch = Watch(here.at)
    known = (watch.marks, watch.since)
    try:
        await watch.look()
        assert all(stranger in each for each in known)
        here.delete(stranger)
        await looked(watch, lambda found: stranger not in {group.group for group in found.groups})
        assert not any(stranger in each for each in (*known, watch._seen))
        assert here.service in watch.marks
    finally:
        await watch.close()


async def test_without_the_broker_nothing_is_invented(here: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was known before is not told as if it were so now: no group, no number, and a reason."""
    monkeypatch.setattr(asking, "ANSWER_WITHIN", 1.0)
    watch = Watch(here.at.model_copy(update={"bootstrap_servers": "127.0.0.1:1"}))
    watch.latest = await Watch(here.at).look()
    registry = CollectorRegistry()
    registry.register(Exposition(lambda: watch.latest))
    assert b"kafka_consumergroup_lag_seconds{" in generate_latest(registry)
    found = await watch.look()
    assert found.fault is not None
    assert found.fault.startswith("the broker is away")
    assert (found.groups, found.ok) == ((), False)
    told = generate_latest(registry).decode()
    assert "safebus_lag_up 0.0" in told
    assert "kafka_consumergroup" not in told
    await watch.close()
