"""What conftest.py promises to every other test."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from sqlalchemy import create_engine, text

from tests.embedded.broker import Broker


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


def test_each_database_is_new_and_speaks_to_sqlalchemy(postgres: str) -> None:
    """`postgres` is the URL of an empty database on a real server."""
    with create_engine(postgres).begin() as connection:
        tables = text("select count(*) from pg_tables where schemaname = 'public'")
        assert connection.execute(tables).scalar_one() == 0
        connection.execute(text("create table taken (id integer)"))
