"""The embedded Kafka keeps its data, its folder and its port to itself, and ends when it should."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from services.bus.errors import Surroundings, UserMistake
from services.embedded import EmbeddedKafka
from services.embedded.ports import LOOPBACK, free_port
from tests.embedded.broker import Broker

STARTER = """
import asyncio, sys
from pathlib import Path
from services.embedded import EmbeddedKafka

async def main():
    if sys.argv[3] == "elsewhere":  # where no kernel ends a child with its parent
        sys.platform = "elsewhere"
    kafka = EmbeddedKafka(Path(sys.argv[1], "kafka"), int(sys.argv[2]), Path(sys.argv[1], "secrets.json"))
    await kafka.start()
    print(kafka.pid, flush=True)
    await kafka.wait()

asyncio.run(main())
"""


async def test_a_kill_loses_nothing_and_the_next_start_has_it_all(lone_kafka: Broker) -> None:
    """After kill -9 of the broker: the topic, its acknowledged event and the principal with its rights stand."""
    server = lone_kafka.server
    assert server is not None
    assert server.pid is not None
    topic, principal = lone_kafka.topic(), lone_kafka.user()
    lone_kafka.allow(principal, read=[topic], write=[topic])
    cluster_id = server.cluster_id
    async with AIOKafkaProducer(**lone_kafka.aiokafka(principal), enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, b"acknowledged")
        os.kill(server.pid, signal.SIGKILL)

    await server.start()

    consumer = AIOKafkaConsumer(topic, **lone_kafka.aiokafka(principal), auto_offset_reset="earliest")
    async with consumer:
        assert (await consumer.getone()).value == b"acknowledged"
    assert server.cluster_id == cluster_id


async def test_nobody_else_can_reach_or_read_it(embedded_kafka: Broker) -> None:
    """It listens on loopback only; its folder, configuration and passwords are its owner's, none on a command line."""
    server = embedded_kafka.server
    assert server is not None
    process = psutil.Process(server.pid)
    listening = {c.laddr.ip for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    assert {address.removeprefix("::ffff:") for address in listening} == {LOOPBACK}

    assert stat.S_IMODE(server.home.stat().st_mode) == 0o700
    for private in (server.home / "server.properties", embedded_kafka.secrets_path):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
    seen = " ".join([*process.cmdline(), *process.environ().values(), server.log.read_text()])
    assert server.admin_password not in seen


async def test_one_folder_is_served_by_one_process(embedded_kafka: Broker) -> None:
    """A second one on the same folder is refused in a sentence, and does the first no harm."""
    server = embedded_kafka.server
    assert server is not None
    second = EmbeddedKafka(server.home, free_port(), embedded_kafka.secrets_path)
    with pytest.raises(UserMistake, match=f"is run by process {os.getpid()} already.*SAFEBUS_DATA_DIR"):
        await second.start()
    assert server.is_alive
    embedded_kafka.topic()


async def test_a_broker_that_does_not_stop_is_killed_in_time(lone_kafka: Broker) -> None:
    """A stop ends a broker that reacts to nothing."""
    server = lone_kafka.server
    assert server is not None
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    await server.stop()
    assert server.returncode == -signal.SIGKILL


async def test_lost_secrets_are_told_in_a_sentence(lone_server: EmbeddedKafka) -> None:
    """Data whose admin has another password than the secrets file says: which file, and what to do."""
    if not lone_server.secrets_path.exists():  # else a test before has left its data, running or not
        await lone_server.start()
    await lone_server.stop()
    kept = lone_server.secrets_path.rename(lone_server.secrets_path.with_name("kept.json"))
    with pytest.raises(UserMistake, match=r"does not know the admin's password of .*secrets\.json; bring back"):
        await lone_server.start()
    assert not lone_server.is_alive
    kept.replace(lone_server.secrets_path)


async def test_a_taken_port_is_named_with_the_setting_that_changes_it(tmp_path: Path) -> None:
    """One sentence: the port, who has it, and SAFEBUS_BOOTSTRAP_SERVERS; then nothing runs and the folder is free."""
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        for _ in range(2):
            kafka = EmbeddedKafka(tmp_path / "kafka", port, tmp_path / "secrets.json")
            with pytest.raises(UserMistake, match=rf"port {port}, .*{os.getpid()}.*SAFEBUS_BOOTSTRAP_SERVERS=") as told:
                await kafka.start()
            assert "\n" not in str(told.value)
            assert kafka.pid is None


async def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    """A file stands where the folder should be: its path, and the setting that chooses another."""
    (tmp_path / "file").touch()
    kafka = EmbeddedKafka(tmp_path / "file" / "kafka", free_port(), tmp_path / "secrets.json")
    with pytest.raises(UserMistake, match=r"file/kafka cannot be used: .*SAFEBUS_DATA_DIR"):
        await kafka.start()


async def test_a_broker_that_dies_at_the_start_names_its_log(tmp_path: Path) -> None:
    """One sentence with the path of the log, in which the cause stands."""
    kafka = EmbeddedKafka(tmp_path / "kafka", free_port(), tmp_path / "secrets.json")
    data = kafka.home / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("version=1\nnode.id=1\ncluster.id=made-up\ndirectory.id=not-one\n")
    with pytest.raises(Surroundings, match=f"ended while it started.*{kafka.log}") as told:
        await kafka.start()
    assert "\n" not in str(told.value)
    assert "not-one" in kafka.log.read_text()


async def test_kill_9_of_the_starter_leaves_no_broker(tmp_path: Path) -> None:
    """The process that started it is killed and cannot clean up; the broker ends all the same."""
    port = free_port()
    async with started_elsewhere(tmp_path, port, sys.platform) as (starter, broker):
        starter.kill()
        await starter.wait()
        await asyncio.to_thread(broker.wait, 20)
    assert not broker.is_running()


async def test_what_an_earlier_run_left_is_ended_and_taken_over(tmp_path: Path) -> None:
    """Where the kernel does not end it, the next start on the folder does, and serves the same data there."""
    port = free_port()
    async with started_elsewhere(tmp_path, port, "elsewhere") as (starter, broker):
        secrets_path = tmp_path / "secrets.json"
        topic = Broker(f"{LOOPBACK}:{port}", secrets_path).topic()
        starter.kill()
        await starter.wait()
        assert broker.is_running()

        kafka = EmbeddedKafka(tmp_path / "kafka", port, secrets_path)
        await kafka.start()
        try:
            assert not broker.is_running()
            assert topic in Broker(f"{LOOPBACK}:{port}", secrets_path).admin.list_topics(timeout=10).topics
        finally:
            await kafka.stop()


@asynccontextmanager
async def started_elsewhere(
    folder: Path, port: int, platform: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, psutil.Process]]:
    """A broker started by another process: that process, and the broker."""
    starter = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STARTER, str(folder), str(port), platform), stdout=asyncio.subprocess.PIPE
    )
    assert starter.stdout is not None
    broker = psutil.Process(int(await asyncio.wait_for(starter.stdout.readline(), 60)))
    try:
        yield starter, broker
    finally:
        if broker.is_running():
            broker.kill()
        if starter.returncode is None:
            starter.kill()
        await starter.wait()
