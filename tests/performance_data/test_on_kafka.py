"""The room as it runs: Faust on a real Kafka, killed in the middle, and made anew from the log."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from services.bus.catalogue import load
from services.bus.codec import Codec
from services.bus.errors import NotPermitted, Unfit, UserMistake
from services.bus.kafka import hashed
from services.bus.run import broker_for, codec_for
from services.bus.secrets import load_secrets
from services.bus.settings import Settings
from services.embedded import EmbeddedKafka
from services.performance_data.asking import figures
from services.performance_data.facts import Decided, Kept, pack
from services.performance_data.hearing import NAME
from services.performance_data.keeping import TOPICS
from services.performance_data.rebuilding import forget
from services.performance_data.stream import CHANGELOG, databases, open_database
from tests.partner_gateway.house import Process, forget_groups, until
from tests.performance_data.slow import Line, at_milliseconds, slowly, unreadable
from tests.performance_data.test_counting import MONTHS, NOW, assert_same
from tests.performance_data.year import Said, year

ROOM = [sys.executable, "-m", "services.performance_data"]
IN_THE_PAST = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}


@pytest.fixture(scope="module")
def at(stack: Settings, stack_kafka: EmbeddedKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A data folder of its own, an evening in September 2026, and topics that take a made-up year's own times."""
    folder = tmp_path_factory.mktemp("performance")
    (folder / "clock").write_text(NOW.isoformat())
    changed = {"data_dir": folder, "secrets_file": stack.secrets_path, "clock_file": folder / "clock"}
    admin = AdminClient(stack_kafka.admin_settings)
    forget_groups(stack_kafka, NAME)  # not at the end: whoever has just left is a member for seconds still
    _configure(admin, AlterConfigOpType.SET)
    yield stack.model_copy(update=changed)
    _configure(admin, AlterConfigOpType.DELETE)
    _empty(stack, admin)


def _empty(stack: Settings, admin: AdminClient) -> None:
    """No later test is to hear a year that is over. A compacted topic keeps its organisations, under ids of ours."""
    known = load(stack.catalogue).topics
    wanted = [
        TopicPartition(topic, number, OFFSET_END)
        for topic in TOPICS
        if not known[topic].compacted
        for number in range(known[topic].partitions)
    ]
    for future in admin.delete_records(wanted).values():
        future.result(20)


def _configure(admin: AdminClient, how: AlterConfigOpType) -> None:
    """Deleting would leave the broker's defaults, not the catalogue's, so those are set again."""
    back = {"message.timestamp.type": "LogAppendTime", "retention.ms": str(365 * 86_400_000)}
    wanted = IN_THE_PAST if how is AlterConfigOpType.SET else back
    resources = []
    for topic in TOPICS:
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in wanted.items()
            if not (topic == "directory.organisations.v1" and name == "retention.ms")
        ]
        resources.append(ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=entries))
    for future in admin.incremental_alter_configs(resources).values():
        future.result(20)


@pytest.fixture
async def producer(at: Settings) -> AsyncIterator[AIOKafkaProducer]:
    common = broker_for(at, "admin").aiokafka()
    async with AIOKafkaProducer(**common, partitioner=_murmur2) as producer:
        yield producer


def _murmur2(key: bytes, every: Sequence[int], _available: Sequence[int]) -> int:
    return every[hashed(key) % len(every)]


async def put(producer: AIOKafkaProducer, codec: Codec, said: Sequence[Said]) -> None:
    """Write these records, each with its own time."""
    await codec.prepare(TOPICS)
    sent = []
    for one in said:
        body = b"no event" if one.spoilt else codec.encode(one.event)
        sent.append(
            await producer.send(
                one.event.topic,
                body,
                one.key.encode(),
                timestamp_ms=round(one.told.timestamp() * 1000),
                headers=codec.headers(one.event.envelope),
            )
        )
    await asyncio.gather(*sent)


async def log_of(at: Settings) -> list[Line]:
    """Every record of the log as it is now, decoded where that can be done."""
    codec, lines = codec_for(at), []
    async for record in broker_for(at, "admin").scan(TOPICS):
        await codec.learn([record])
        try:
            event = codec.decode(record, dict(record.headers), "a test")
        except Unfit:
            event = None
        # The installation's clock stands still on an evening of its own, so what is said tells when it could be read.
        told = event.at if event is not None else at_milliseconds(record.timestamp)
        lines.append(Line(record.topic, record.partition, record.offset, told, event))
    return lines


def says(at: Settings, process: Process) -> str:
    """What its /readyz says; empty while nobody answers."""
    try:
        told = json.loads((at.data_dir / "run" / f"{NAME}.json").read_text())
        if told["pid"] != process.pid:
            return ""
        with urlopen(f"http://127.0.0.1:{told['port']}/readyz", timeout=5) as page:
            return str(page.read(), "utf-8").strip()
    except HTTPError as waiting:
        return str(waiting.read(), "utf-8").strip()
    except (OSError, URLError, ValueError):
        return ""


async def started(at: Settings) -> Process:
    """A room that has read everything."""
    process = Process(at, ROOM, performance_port=0, session_timeout=6, clock_file=at.clock_file)
    try:
        await until(lambda: says(at, process) == "ready", process)
    except BaseException:
        process.end()
        raise
    return process


async def complete(at: Settings, process: Process) -> None:
    """Wait until it has read the whole log."""
    for _ in range(600):
        if (await figures(at, MONTHS[:1])).behind == 0:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(process.log)


async def assert_as_in_the_log(at: Settings) -> None:
    lines = await log_of(at)
    told = await figures(at, MONTHS, outside=False)
    assert (told.behind, told.outside) == (0, False)
    assert_same(told, slowly(lines, MONTHS, told.made_at))
    assert dict(told.not_counted) == unreadable(lines)


async def test_killed_in_the_middle_and_made_anew(at: Settings, producer: AIOKafkaProducer) -> None:
    """Equal to the plain count of the raw log: after kill -9 while it reads; and after a rebuild, though what was kept
    had been spoilt, here and in Kafka."""
    codec, said = codec_for(at), year(11, children=25, incidents=35)
    third = len(said) // 3
    await put(producer, codec, said[:third])
    room = await started(at)
    try:
        await put(producer, codec, said[third : 2 * third])
        os.kill(room.pid, signal.SIGKILL)
        await room.ended()
        await put(producer, codec, said[2 * third :])
        room = await started(at)
        await complete(at, room)
        assert room.memory < 200 * 2**20
        await assert_as_in_the_log(at)
        with pytest.raises(UserMistake, match="another process has"):
            await forget(at)

        room.ask_to_end()
        assert await room.ended() == 0
        await spoil(at, producer)
        await forget(at)
        assert not databases(at)
        room = await started(at)
        await assert_as_in_the_log(at)
        await assert_guarded(at)
    finally:
        room.end()


async def spoil(at: Settings, producer: AIOKafkaProducer) -> None:
    """A closure that nobody made, in the table and in its changelog."""
    when = round(datetime.fromisoformat("2026-03-03T12:00:00+00:00").timestamp() * 1e6)
    fact = Kept(Decided("child-x", "e", "d", True, False, True, False, when), "mash.decisions.v1", 0, 0)
    database = open_database(databases(at)[0])
    database[b"nobody made it"] = pack(fact)
    database.close()
    await producer.send_and_wait(CHANGELOG, pack(fact), b"nobody made it", partition=0)


async def assert_guarded(at: Settings) -> None:
    """Every number is for whoever holds the secret; without it small ones are suppressed, and no child is in either."""
    outside = await figures(at, MONTHS)
    assert outside.outside
    assert any(row.is_suppressed for measure in outside.measures for row in measure.rows)
    stranger = at.model_copy(update={"secrets_file": at.data_dir / "none.json"})
    (at.data_dir / "none.json").write_text(json.dumps({NAME: "guessed"}))
    with pytest.raises(NotPermitted):
        await figures(stranger, MONTHS, outside=False)
    assert load_secrets(at.secrets_path)[NAME] not in str(outside)
