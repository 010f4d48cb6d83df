"""What every test may ask for: a real Kafka, a real schema registry, a real PostgreSQL.

The broker is the one that SAFEBUS_BOOTSTRAP_SERVERS names, else one in a container if an engine answers, else the
embedded one. Each is started once a session, when the first test asks for it; of several processes that share the
tests (`pytest -n`, as `make test` has it) each has its own.
"""

from __future__ import annotations

import asyncio
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as examples

from services.bus.settings import Settings, settings
from services.embedded import EmbeddedKafka, EmbeddedRegistry
from services.embedded.ports import free_port
from services.supervisor.servers import apply_catalogue
from tests.embedded.broker import Broker, broker_of_environment
from tests.embedded.containers import engine_answers, kafka_container, registry_container
from tests.embedded.postgres import PostgresServer, postgres_server_in_temporary_folder
from tests.sharing import ByUnits, turn

T = TypeVar("T")

SOON = 0.5
"""Seconds that a server of all tests has for its end: nobody needs again what it holds."""

# How long an example takes says how busy the machine is, and nothing about what a test promises.
examples.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
examples.load_profile("any machine")


def pytest_configure() -> None:
    """A shell without jobs has what it puts in the background ignore Ctrl-C, and every command that a test then starts
    inherits that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many processes `pytest -n auto` shares the tests among: three, since a test waits for half of its time.

    On a broker that somebody else runs none but this one: there the contract's topics are there once, and tests make
    them anew.
    """
    return 0 if "SAFEBUS_BOOTSTRAP_SERVERS" in os.environ else 3


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByUnits:
    """Whatever `--dist` says: tests of one file count on each other's order."""
    return ByUnits(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The units that take longest first."""
    items.sort(key=lambda item: turn(item.nodeid))


@pytest.fixture(scope="session", autouse=True)
def _data_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes what a person's own `safebus up` keeps. Downloads are shared."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SAFEBUS_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        environment.setenv("SAFEBUS_GATEWAY_PORT", "0")
        environment.setenv("SAFEBUS_BOARD_PORT", "0")
        environment.setenv("SAFEBUS_PERFORMANCE_PORT", "0")
        environment.setenv("SAFEBUS_OPS_PORT", "0")
        settings.cache_clear()
        yield
    settings.cache_clear()


@pytest.fixture(scope="session")
def embedded_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The session's embedded broker; `kafka`, unless another was chosen. Leave it running."""
    folder = tmp_path_factory.mktemp("kafka")
    server = EmbeddedKafka(folder / "kafka", free_port(), folder / "secrets.json", stop_timeout=SOON)
    asyncio.run(server.start())
    yield Broker(server.bootstrap_servers, server.secrets_path, server=server)
    asyncio.run(server.stop())


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The session's broker. Tests share it, so each takes topics, users and groups of its own."""
    folder = tmp_path_factory.mktemp("broker")
    if "SAFEBUS_BOOTSTRAP_SERVERS" in os.environ:
        yield broker_of_environment(folder)
        return
    with _in_container(lambda: kafka_container(folder)) as broker:
        yield broker or request.getfixturevalue("embedded_kafka")


@pytest.fixture(scope="session")
def embedded_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the session's embedded registry; `registry`, unless another was chosen."""
    server = EmbeddedRegistry(tmp_path_factory.mktemp("registry"), free_port(), stop_timeout=SOON)
    asyncio.run(server.start())
    yield server.url
    asyncio.run(server.stop())


@pytest.fixture(scope="session")
def registry(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of the session's schema registry. Tests share it, so each takes subjects of its own."""
    if "SAFEBUS_REGISTRY_URL" in os.environ:
        yield settings().registry_url
        return
    with _in_container(registry_container) as url:
        yield url or request.getfixturevalue("embedded_registry")


@pytest.fixture(scope="session")
def stack_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """The stack's broker. A test that stops it starts it again."""
    folder = tmp_path_factory.mktemp("stack")
    yield (kafka := EmbeddedKafka(folder / "kafka", free_port(), folder / "secrets.json", stop_timeout=SOON))
    asyncio.run(kafka.stop())


@pytest.fixture(scope="session")
def stack(stack_kafka: EmbeddedKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Kafka and registry with the whole catalogue applied. Tests share it: use ids of your own."""
    folder = tmp_path_factory.mktemp("stack-registry")
    registry = EmbeddedRegistry(folder / "registry", free_port(), stop_timeout=SOON)
    asyncio.run(_start(stack_kafka, registry))
    at = Settings(
        data_dir=folder,
        secrets_file=stack_kafka.secrets_path,
        bootstrap_servers=stack_kafka.bootstrap_servers,
        registry_url=registry.url,
        replication_factor=1,
    )
    apply_catalogue(at)
    yield at
    asyncio.run(registry.stop())


async def _start(kafka: EmbeddedKafka, registry: EmbeddedRegistry) -> None:
    await asyncio.gather(kafka.start(), registry.start())


@pytest.fixture(scope="module")
def lone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """What `lone_kafka` is of; not running yet."""
    folder = tmp_path_factory.mktemp("lone")
    yield (server := EmbeddedKafka(folder / "kafka", free_port(), folder / "secrets.json", stop_timeout=2.0))
    asyncio.run(server.stop())


@pytest.fixture
async def lone_kafka(lone_server: EmbeddedKafka) -> Broker:
    """A broker that a test may stop, kill and start: `lone_kafka.server`. The next one of the module finds it running,
    with what is left in it.
    """
    if not lone_server.is_alive:
        await lone_server.start()
    return Broker(lone_server.bootstrap_servers, lone_server.secrets_path, server=lone_server)


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
def _in_container(container: Callable[[], AbstractContextManager[T]]) -> Iterator[T | None]:
    """What runs in the container, or None: no engine answers, or it cannot run this."""
    with ExitStack() as running:
        value = None
        if engine_answers():
            try:
                value = running.enter_context(container())
            except Exception as error:
                warnings.warn(f"no container, so the embedded one is used: {error}", stacklevel=2)
        yield value
