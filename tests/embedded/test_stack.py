"""Both servers together."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient

from services.bus.errors import UserMistake
from services.embedded import EmbeddedStack, embedded_stack
from services.embedded.ports import LOOPBACK
from tests.embedded.broker import Broker


async def test_both_answer_and_neither_outlives_the_block(tmp_path: Path) -> None:
    """Inside the block both serve their users; after it neither runs, and what was said while waiting names both."""
    said: list[str] = []
    async with embedded_stack(tmp_path, kafka_port=0, registry_port=0, say=said.append) as stack:
        assert stack.is_alive
        Broker(stack.bootstrap_servers, stack.secrets_path).topic("test.stack.v1")
        assert SchemaRegistryClient({"url": stack.registry_url}).get_subjects() == []
        assert stack.secrets == {"admin": stack.admin_password}
    assert not stack.kafka.is_alive
    assert not stack.registry.is_alive
    assert any("waiting for Kafka" in sentence for sentence in said)
    assert any("waiting for the schema registry" in sentence for sentence in said)


async def test_if_one_cannot_start_neither_runs(tmp_path: Path) -> None:
    """The registry's port is taken: its sentence is what is raised, and Kafka does not stay behind."""
    with socket.create_server((LOOPBACK, 0)) as taken:
        stack = EmbeddedStack(tmp_path, kafka_port=0, registry_port=taken.getsockname()[1])
        with pytest.raises(UserMistake, match="the schema registry would listen"):
            await stack.start()
    assert not stack.kafka.is_alive
    assert not stack.registry.is_alive
