"""The embedded schema registry keeps its schemas and its port to itself."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import psutil
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from services.bus.errors import UserMistake
from services.embedded import EmbeddedRegistry
from services.embedded.ports import LOOPBACK, free_port

TOLD = Schema('{"type": "record", "name": "Told", "fields": [{"name": "at", "type": "long"}]}', "AVRO")
HEARD = Schema('{"type": "record", "name": "Heard", "fields": [{"name": "at", "type": "long"}]}', "AVRO")


async def test_a_kill_loses_no_schema_and_no_id(tmp_path: Path) -> None:
    """After a kill -9, an id that was given out means the same schema and no other. It listens on loopback only."""
    registry = EmbeddedRegistry(tmp_path / "registry", free_port())
    await registry.start()
    process = psutil.Process(registry.pid)
    listening = {c.laddr.ip for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    assert {address.removeprefix("::ffff:") for address in listening} == {LOOPBACK}

    client = SchemaRegistryClient({"url": registry.url})
    told = client.register_schema("told-value", TOLD)
    os.kill(process.pid, signal.SIGKILL)
    assert await registry.wait() == -signal.SIGKILL
    assert not registry.is_alive
    await registry.start()

    client = SchemaRegistryClient({"url": registry.url})
    assert client.lookup_schema("told-value", TOLD).schema_id == told
    assert client.register_schema("heard-value", HEARD) != told
    await registry.stop()
    assert not process.is_running()


async def test_a_taken_port_is_named_with_the_setting_that_changes_it(tmp_path: Path) -> None:
    """One sentence: the port and SAFEBUS_REGISTRY_URL."""
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        registry = EmbeddedRegistry(tmp_path / "registry", port)
        with pytest.raises(UserMistake, match=rf"port {port}, .*SAFEBUS_REGISTRY_URL="):
            await registry.start()
    assert registry.pid is None
