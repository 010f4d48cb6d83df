"""What a test of faults has: topics of its own, processes to do harm to, and a reader who sees what was said."""

from __future__ import annotations

import asyncio
import json
import logging
import multiprocessing
import os
import signal
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException

from services.bus.broker import Record
from services.bus.codec import Codec
from services.bus.errors import Surroundings, Unacknowledged
from services.bus.events import ChildMatched, DeadLetter, DeadlineMet, ProbeHeard, ProbeSent
from services.bus.heard import hear
from services.bus.kafka import ANSWER_WITHIN, KafkaBroker
from services.bus.publish import Publisher
from services.bus.settings import Settings
from services.embedded import ADMIN, EmbeddedKafka
from tests.bus.plain import KEYS, MemoryRegistry, match
from tests.embedded.broker import SECONDS, Broker
from tests.faults.victim import begin

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it says a line for each try at a broker that is away

HEARD, SAID = ChildMatched.topic, DeadlineMet.topic
PROBES = (ProbeSent.topic, ProbeHeard.topic)
PARTITIONS = 3
NURSERY = multiprocessing.get_context("forkserver")
"""Starts processes that have imported everything already: a second each, of which the tests start some fifty."""
NURSERY.set_forkserver_preload(["pytest", "tests.faults.victim"])
QUICK = {
    "batch_size": 40,
    "poll_ms": 20,
    "commit_interval": 0.1,
    "topic_check_interval": 1,
    "session_timeout": 1,
    "log_format": "json",
}
"""Small batches and short sessions: more moments at which something can go wrong."""


class Victim:
    """One process of the service."""

    def __init__(self, environment: dict[str, str], arguments: Sequence[str], said: Path) -> None:
        self._run = Path(environment["SAFEBUS_DATA_DIR"], "run", f"{environment['SAFEBUS_VICTIM']}.json")
        self._said = said
        said.touch()
        self.process = NURSERY.Process(target=begin, args=(environment, arguments, said), daemon=True)
        self.process.start()

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def lives(self) -> bool:
        return self.process.exitcode is None

    @property
    def log(self) -> str:
        return self._said.read_text()

    async def ended(self, seconds: float = 30) -> int:
        """Its exit code, negative for a signal, once it has one."""
        code: int | None = await until(lambda: self.process.exitcode, lambda found: found is not None, seconds)
        assert code is not None, f"process {self.pid} did not end; it said:\n{self.log}"
        return code

    async def stopped(self, seconds: float = 30) -> None:
        """Until a SIGSTOP has taken hold."""
        here = psutil.Process(self.pid)
        found = await until(here.status, lambda found: found == psutil.STATUS_STOPPED, seconds)
        assert found == psutil.STATUS_STOPPED, self.log

    async def has_said(self, words: str, seconds: float = 30) -> None:
        """Until these words stand in its log."""
        assert words in await until(lambda: self.log, lambda found: words in found, seconds), self.log

    async def page(self, path: str) -> tuple[int, str]:
        """Status and text of one of its pages."""
        port: int = (await until(self._where, lambda found: bool(found), 30))["port"]
        return await asyncio.to_thread(_get, f"http://127.0.0.1:{port}{path}")

    async def is_ready(self, seconds: float = 60) -> None:
        assert (await until(lambda: self.page("/readyz"), lambda page: page[0] == 200, seconds))[0] == 200, self.log

    def _where(self) -> dict[str, int]:
        with suppress(FileNotFoundError):
            found: dict[str, int] = json.loads(self._run.read_text())
            return found if found["pid"] == self.pid else {}
        return {}

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def end(self) -> None:
        """Whatever state it is in."""
        self.process.kill()
        self.process.join()


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


@dataclass
class House:
    """One test's service on one broker, its topics newly made."""

    broker: Broker
    folder: Path
    kind: str = "counter"
    store: str = ""
    patience: float = ANSWER_WITHIN
    """Seconds after which its processes take a broker that does not answer for one that is away."""
    victims: list[Victim] = field(default_factory=list)
    published: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """References published, by child, in order."""

    def __post_init__(self) -> None:
        self.service = f"{self.kind}-{uuid4().hex[:8]}"
        self.store = self.store or f"sqlite:///{self.folder}/store.db"
        self.records: list[Record] = []
        self._reader: AIOKafkaConsumer | None = None

    async def open(self) -> None:
        await asyncio.to_thread(self.make_topics)
        self._reader = AIOKafkaConsumer(**self.broker.aiokafka(), auto_offset_reset="earliest", fetch_max_wait_ms=50)
        await self._reader.start()
        self._reader.assign(
            [TopicPartition(SAID, n) for n in range(PARTITIONS)] + [TopicPartition(DeadLetter.topic, 0)]
        )

    async def close(self) -> None:
        for victim in self.victims:
            victim.end()
        if self._reader:
            with suppress(asyncio.CancelledError):  # aiokafka lets its own out, when a fetch is under way
                await self._reader.stop()

    def make_topics(self, *names: str) -> None:
        """Delete and make again, by default all that there are. Those of the probes, which every service hears besides,
        stay as they are."""
        for name in PROBES:
            with suppress(KafkaException):  # it is there from the test before
                self.broker.topic(name, partitions=1)
        for name in names or (HEARD, SAID, DeadLetter.topic):
            with suppress(KafkaException):
                self.broker.admin.delete_topics([name])[name].result(SECONDS)
            end = time.monotonic() + SECONDS
            while True:  # a name is free again a moment after its topic is gone
                try:
                    self.broker.topic(name, partitions=1 if name == DeadLetter.topic else PARTITIONS)
                    break
                except KafkaException:
                    assert time.monotonic() < end, f"{name} cannot be made again"
                    time.sleep(0.05)

    # The broker

    @property
    def server(self) -> EmbeddedKafka:
        assert self.broker.server is not None
        return self.broker.server

    def freeze(self) -> None:
        """The broker accepts, and answers no more."""
        self._strike(signal.SIGSTOP)

    def thaw(self) -> None:
        self._strike(signal.SIGCONT)

    async def kill_broker(self) -> None:
        """Gone, until `await house.server.start()`."""
        self._strike(signal.SIGKILL)
        await self.server.wait()

    def _strike(self, number: signal.Signals) -> None:
        assert self.server.pid is not None
        os.kill(self.server.pid, number)

    # Doing

    def settings(self, **more: object) -> Settings:
        """How a process of this test's finds everything."""
        given = {
            "bootstrap_servers": self.broker.bootstrap_servers,
            "security_protocol": self.broker.security_protocol,
            "principal": ADMIN,
            "password": self.broker.password(ADMIN),
            "data_dir": self.folder,
            "cache_dir": self.folder,
            "store_url": self.store,
        }
        return Settings.model_validate(QUICK | given | more)

    def environment(self, fault: str = "", **more: object) -> dict[str, str]:
        """What a process of this test's is told; `fault` as in victim.py, `more` are settings."""
        at = self.settings(data_dir=self.folder / f"process-{len(self.victims)}", **more)
        assert at.password is not None
        told = at.model_dump(exclude_unset=True) | {
            "password": at.password.get_secret_value(),
            "victim": self.service,
            "fault": fault,
            "patience": self.patience,
        }
        others = {name: value for name, value in os.environ.items() if not name.startswith("SAFEBUS_")}
        return others | {f"SAFEBUS_{name.upper()}": str(value) for name, value in told.items()}

    def victim(self, fault: str = "", *arguments: str, **more: object) -> Victim:
        """Start a process."""
        said = self.folder / f"process-{len(self.victims)}.log"
        victim = Victim(self.environment(fault, **more), arguments, said)
        self.victims.append(victim)
        return victim

    async def publish(self, number: int, *, incidents: int = 12, children: int = 12, again: bool = False) -> None:
        """So many answers more, to each incident in turn. With fewer children than incidents, partitions share some.

        `again`: what was not acknowledged is sent again, with the same ids, until it is; as every sender has to.
        """
        at = self.settings()
        events = []
        for _ in range(number):
            total = sum(map(len, self.published.values()))
            incident, child = total % incidents, f"c{total % incidents % children}"
            self.published[child].append(f"r{total}")
            events.append(match(f"i{incident}", f"r{total}", child=child))
        broker = KafkaBroker(at, ADMIN, self.broker.password(ADMIN))
        while True:
            try:
                async with Publisher("local-authority", at, broker=broker, codec=Codec(MemoryRegistry(), KEYS)) as bus:
                    await bus.publish(events)
                    return
            except (Surroundings, Unacknowledged):
                if not again:
                    raise

    async def recover(self) -> dict[str, int]:
        """`safebus recover` of the service; how many outputs were replayed and reused."""
        victim = self.victim("", "recover")
        assert await victim.ended(60) == 0, victim.log
        found: dict[str, int] = json.loads(victim.log.splitlines()[-1])
        return found

    # Seeing

    async def committed(self) -> dict[int, int]:
        """How far the group has read, by Kafka's offsets: partition and offset."""
        asked = self.broker.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(self.service)])
        found = await asyncio.to_thread(asked[self.service].result, SECONDS)
        return {tp.partition: tp.offset for tp in found.topic_partitions}

    async def said(self) -> list[Record]:
        """Everything on the output topics so far, each partition in its order, repeats included."""
        assert self._reader is not None
        for records in (await self._reader.getmany(timeout_ms=50)).values():
            self.records += records
        return self.records

    @property
    def repeats(self) -> int:
        """How many records say again what was said before."""
        return len(self.records) - len({header(record, "ce_id") for record in self.records})

    async def everything_said(self, seconds: float = 60) -> None:
        """Until there is an output for every event published; what there is by then."""
        wanted = {reference for references in self.published.values() for reference in references}
        await until(self.said, lambda found: {header(r, "ce_subject") for r in found} >= wanted, seconds)

    async def kept_the_promise(self, seconds: float = 60, *, ordered: bool = True) -> None:
        """Everything published took effect once: none lost, none twice, in order per key, repeats byte for byte.

        `ordered` is False where a child's answers come by several partitions; each still has a number of its own.
        """
        await self.everything_said(seconds)
        logs = "\n".join(victim.log for victim in self.victims)
        firsts: dict[str, Record] = {}
        for record in self.records:
            first = firsts.setdefault(header(record, "ce_id"), record)
            assert (first.value, first.key, first.headers) == (record.value, record.key, record.headers), logs
        said: dict[str, list[str]] = defaultdict(list)
        numbers: dict[str, list[float]] = defaultdict(list)
        codec = Codec(MemoryRegistry(), KEYS)
        await codec.learn(firsts.values())
        for record in firsts.values():
            event = hear(record, codec, "reader").event
            assert isinstance(event, DeadlineMet), event
            said[event.child_id].append(str(event.envelope.subject))
            numbers[event.child_id].append(event.met_at.timestamp())
        for child, references in self.published.items():
            there, counted = said[child], numbers[child]
            if not ordered:
                there, references, counted = sorted(there), sorted(references), sorted(counted)
            assert there == references, logs
            assert counted == list(range(len(references))), logs
        assert said.keys() == self.published.keys()


def header(record: Record, name: str) -> str:
    return (dict(record.headers).get(name) or b"").decode()


async def until(ask: Callable[[], Any], enough: Callable[[Any], bool], seconds: float) -> Any:
    """Ask again until it is enough; the last answer, whatever it is, when time runs out."""
    end = time.monotonic() + seconds
    while True:
        found = ask()
        if isinstance(found, Awaitable):
            found = await found
        if enough(found) or time.monotonic() > end:
            return found
        await asyncio.sleep(0.02)
