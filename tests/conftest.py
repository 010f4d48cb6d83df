"""What every test may ask for: a real Kafka, a real schema registry, a real PostgreSQL.

The broker is the one that SAFEBUS_BOOTSTRAP_SERVERS names, else one in a container if an engine answers, else the
embedded one. Each is started once a session, when the first test asks for it.
"""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from services.bus.settings import settings
from services.embedded import EmbeddedKafka, EmbeddedRegistry
from services.embedded.ports import free_port
from tests.embedded.broker import Broker, broker_of_environment
from tests.embedded.containers import engine_answers, kafka_container, registry_container
from tests.embedded.postgres import PostgresServer, postgres_server_in_temporary_folder

T = TypeVar("T")


@pytest.fixture(scope="session", autouse=True)
def _data_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes what a person's own `safebus up` keeps. Downloads are shared."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SAFEBUS_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        settings.cache_clear()
        yield
    settings.cache_clear()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The session's broker. Tests share it, so each takes topics, users and groups of its own."""
    folder = tmp_path_factory.mktemp("kafka")
    if "SAFEBUS_BOOTSTRAP_SERVERS" in os.environ:
        yield broker_of_environment(folder)
        return
    with _in_container_else(lambda: kafka_container(folder), lambda: _embedded_kafka(folder)) as broker:
        yield broker


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the session's schema registry. Tests share it, so each takes subjects of its own."""
    if "SAFEBUS_REGISTRY_URL" in os.environ:
        yield settings().registry_url
        return
    folder = tmp_path_factory.mktemp("registry")
    with _in_container_else(registry_container, lambda: _embedded_registry(folder)) as url:
        yield url


@pytest.fixture
async def lone_kafka(tmp_path: Path) -> AsyncIterator[Broker]:
    """A broker for this test alone, which it may stop, kill and start: `lone_kafka.server`. Takes some seconds."""
    secrets_path = tmp_path / "secrets.json"
    server = EmbeddedKafka(tmp_path / "kafka", free_port(), secrets_path)
    await server.start()
    yield Broker(server.bootstrap_servers, secrets_path, server=server)
    await server.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's PostgreSQL; `postgres_server.database()` is the URL of a new, empty database."""
    with postgres_server_in_temporary_folder() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> str:
    """SQLAlchemy URL, `postgresql+psycopg://…`, of an empty database for this test."""
    return postgres_server.database()


@contextmanager
def _in_container_else(
    container: Callable[[], AbstractContextManager[T]], embedded: Callable[[], AbstractContextManager[T]]
) -> Iterator[T]:
    if engine_answers():
        running = container()
        try:
            value = running.__enter__()
        except Exception as error:
            warnings.warn(f"no container, so the embedded one is used: {error}", stacklevel=2)
        else:
            try:
                yield value
            finally:
                running.__exit__(None, None, None)
            return
    with embedded() as value:
        yield value


@contextmanager
def _embedded_kafka(folder: Path) -> Iterator[Broker]:
    secrets_path = folder / "secrets.json"
    server = EmbeddedKafka(folder / "kafka", free_port(), secrets_path)
    asyncio.run(server.start())
    try:
        yield Broker(server.bootstrap_servers, secrets_path)
    finally:
        asyncio.run(server.stop())


@contextmanager
def _embedded_registry(folder: Path) -> Iterator[str]:
    server = EmbeddedRegistry(folder / "registry", free_port())
    asyncio.run(server.start())
    try:
        yield server.url
    finally:
        asyncio.run(server.stop())
