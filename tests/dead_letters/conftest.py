"""An operator's desk on the session's stack: services that run in this process, and the command as it is typed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import structlog
from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

from services.bus import groups
from services.bus.catalogue import load
from services.bus.clock import Clock
from services.bus.codec import Codec
from services.bus.errors import SafebusError
from services.bus.events import DeadLetter
from services.bus.kafka import KafkaBroker
from services.bus.loop import Loop
from services.bus.probes import probed
from services.bus.publish import Publisher
from services.bus.run import broker_for, codec_for, store_for
from services.bus.service import Service
from services.bus.settings import Settings, settings
from services.cli.app import app
from services.embedded import EmbeddedKafka
from services.operating.acts import OPERATOR
from services.operating.letters import Letter, gather
from services.operating.reading import Log
from tests.partner_gateway.house import forget_groups

SECONDS = 40.0


class Answer:
    """What the command said, and its exit code; a mistake's sentence as `services.cli.main` would tell it."""

    def __init__(self, code: int, text: str, output: str = "") -> None:
        self.code, self.text, self._output = code, text, output

    @property
    def json(self) -> Any:
        return json.loads(self._output)


class Desk:
    """What a test of operators' commands works with; `tag` is in every id of its own."""

    def __init__(self, at: Settings, kafka: EmbeddedKafka) -> None:
        self.at, self.kafka, self.tag = at, kafka, uuid4().hex[:6]
        self.begins: dict[tuple[str, int], int] = {}

    async def safebus(self, *words: str) -> Answer:
        """Run the command, in a thread, as it has an event loop of its own."""
        done = await asyncio.to_thread(CliRunner().invoke, app, list(words), env={"COLUMNS": "200", "TERM": "dumb"})
        if isinstance(done.exception, SafebusError):
            return Answer(done.exception.exit_code, f"{done.output}{done.exception}")
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Answer(done.exit_code, done.output, done.stdout)

    @asynccontextmanager
    async def running(self, *services: Service) -> AsyncIterator[None]:
        """These services, each with its loop, until the block ends."""
        loops = [self._loop(service) for service in services]
        tasks = [asyncio.create_task(loop.run()) for loop in loops]
        try:
            yield
        finally:
            for loop in loops:
                loop.stop()
            await asyncio.gather(*tasks)

    def _loop(self, service: Service) -> Loop:
        service = probed(service)  # as every room runs
        broker, store = broker_for(self.at, service.name), store_for(self.at, service)
        return Loop(service, broker, store, self.codec(), settings=self.at, clock=Clock.of(self.at))

    def codec(self) -> Codec:
        return codec_for(self.at)

    async def publish(self, principal: str, *events: Any) -> None:
        async with Publisher(principal, self.at) as bus:
            await bus.publish(events)

    async def letters(self) -> list[Letter]:
        """Those that are about an event with this desk's tag in its body."""
        async with Log(self.at) as log:
            return [one for one in await gather(log) if self.tag.encode() in (one.said.body or b"")]

    async def quiet(self, *services: Service) -> None:
        """Until these have decided everything that stands in their topics, and what followed from it."""
        operator = broker_for(self.at, OPERATOR)
        numbers = await operator.partition_counts()
        async with asyncio.timeout(SECONDS):
            before: object = None
            while True:
                state = [await self._behind(operator, service, numbers) for service in services]
                if not any(behind for behind, _ in state) and state == before:
                    return
                before = state
                await asyncio.sleep(0.15)

    async def _behind(self, operator: KafkaBroker, service: Service, numbers: dict[str, int]) -> tuple[int, int]:
        topics = {*service.hears, *service.directory_topics} - {DeadLetter.topic}
        places = [(topic, number) for topic in sorted(topics) for number in range(numbers[topic])]
        ends, done = await operator.ends(places), (await groups.committed(operator, [service.name]))[service.name]
        left = (end - max(done.get(place, 0), self.begins.get(place, 0)) for place, end in ends.items())
        return sum(max(0, number) for number in left), sum(ends.values())


@pytest.fixture
def desk(
    stack: Settings, stack_kafka: EmbeddedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    """The commands read their settings from the environment, as everywhere."""
    more = {"data_dir": tmp_path, "commit_interval": 0.1, "poll_ms": 20, "log_level": "ERROR"}
    at = stack.model_copy(update=more)
    said = {
        "DATA_DIR": tmp_path,
        "SECRETS_FILE": at.secrets_path,
        "BOOTSTRAP_SERVERS": at.bootstrap_servers,
        "REGISTRY_URL": at.registry_url,
        "OPERATOR_NAME": "o.perator",
    }
    for name, value in said.items():
        monkeypatch.setenv(f"SAFEBUS_{name}", str(value))
    settings.cache_clear()
    logs = structlog.get_config()
    yield Desk(at, stack_kafka)
    structlog.configure(**logs)
    settings.cache_clear()


def begin_anew(desk: Desk, services: Sequence[Service]) -> None:
    """Each of these has a new database, so what one before it had committed is not its own; and an empty log: what
    other tests have said would be read as after an outage, topic by topic, and not in the order in which it came."""
    forget_groups(desk.kafka, *(service.name for service in services))
    admin = AdminClient(desk.kafka.admin_settings)
    known = load(desk.at.catalogue).topics
    topics = {topic for service in services for topic in service.hears if not known[topic].compacted}
    wanted = [
        TopicPartition(topic, number, OFFSET_END) for topic in topics for number in range(known[topic].partitions)
    ]
    for place, future in admin.delete_records(wanted).items():
        desk.begins[place.topic, place.partition] = future.result(SECONDS).low_watermark
