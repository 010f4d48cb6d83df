"""The buses that tests run on: in memory or on a real broker, with SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bus.plain import Bus
from tests.bus.real import KafkaBus


@pytest.fixture
def bus(tmp_path: Path) -> Bus:
    """In memory, with SQLite: where neither the broker nor the database matters."""
    return Bus(tmp_path)


@pytest.fixture
def postgres_bus(tmp_path: Path, postgres: str) -> Bus:
    """In memory, with PostgreSQL."""
    return Bus(tmp_path, store_url=postgres)


@pytest.fixture
def kafka_bus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KafkaBus]:
    """On a real broker, with SQLite."""
    real = KafkaBus(tmp_path, request.getfixturevalue("kafka"))
    yield real
    real.clear()


@pytest.fixture(params=["sqlite", "postgres"])
def stored(request: pytest.FixtureRequest) -> Bus:
    """In memory, with either database."""
    bus: Bus = request.getfixturevalue("bus" if request.param == "sqlite" else "postgres_bus")
    return bus


@pytest.fixture(params=["memory", "kafka"])
def carried(request: pytest.FixtureRequest) -> Bus:
    """On either broker, with SQLite."""
    bus: Bus = request.getfixturevalue("bus" if request.param == "memory" else "kafka_bus")
    return bus


@pytest.fixture(params=["memory sqlite", "memory postgres", "kafka sqlite", "kafka postgres"])
def every(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bus]:
    """On either broker, with either database."""
    broker, store = request.param.split()
    settings = {"store_url": request.getfixturevalue("postgres")} if store == "postgres" else {}
    if broker == "memory":
        yield Bus(tmp_path, **settings)
        return
    real = KafkaBus(tmp_path, request.getfixturevalue("kafka"), **settings)
    yield real
    real.clear()
