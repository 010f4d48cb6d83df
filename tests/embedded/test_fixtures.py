"""What conftest.py promises to every other test."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from sqlalchemy import create_engine, text

from tests.embedded.broker import Broker

STARTER = """
import time
from tests.embedded.postgres import postgres_server_in_temporary_folder
with postgres_server_in_temporary_folder() as server:
    print(server.pid, flush=True)
    time.sleep(60)
"""


async def test_a_user_writes_and_reads_what_it_was_allowed(kafka: Broker) -> None:
    """`user`, `allow` and the settings for aiokafka together carry an event from one principal to another."""
    topic = kafka.topic(partitions=3)
    writer, reader = kafka.user(), kafka.user()
    kafka.allow(writer, write=[topic])
    kafka.allow(reader, read=[topic], groups=[reader])
    producer = AIOKafkaProducer(**kafka.aiokafka(writer), enable_idempotence=True)
    consumer = AIOKafkaConsumer(topic, **kafka.aiokafka(reader), group_id=reader, auto_offset_reset="earliest")
    async with producer, consumer:
        await producer.send_and_wait(topic, b"value", key=b"key")
        record = await consumer.getone()
    assert (record.key, record.value) == (b"key", b"value")


async def test_kill_9_of_the_tests_leaves_no_postgres() -> None:
    """The server and its folder go with the process that asked for it, however that ends."""
    starter = await asyncio.create_subprocess_exec(sys.executable, "-c", STARTER, stdout=asyncio.subprocess.PIPE)
    assert starter.stdout is not None
    server = psutil.Process(int(await asyncio.wait_for(starter.stdout.readline(), 60)))
    folder = Path(server.cmdline()[server.cmdline().index("-D") + 1]).parent
    starter.kill()
    await starter.wait()
    async with asyncio.timeout(20):
        while server.is_running() or folder.exists():
            await asyncio.sleep(0.05)


def test_each_database_is_new_and_speaks_to_sqlalchemy(postgres: str) -> None:
    """`postgres` is the URL of an empty database on a real server."""
    with create_engine(postgres).begin() as connection:
        tables = text("select count(*) from pg_tables where schemaname = 'public'")
        assert connection.execute(tables).scalar_one() == 0
        connection.execute(text("create table taken (id integer)"))
