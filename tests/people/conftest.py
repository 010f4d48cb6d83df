"""Sites for a test, each ended with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.people.sites import Place, a_place

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Place]:
    """A site where what is held is not left."""
    (tmp_path / "clock").write_text(NOW.isoformat())
    async with a_place("one", tmp_path) as made:
        yield made


@pytest.fixture
async def other(one: Place) -> AsyncIterator[Place]:
    """Another on the same host."""
    async with a_place("other", one.settings.data_dir) as made:
        yield made


@pytest.fixture
async def client(one: Place) -> AsyncIterator[httpx.AsyncClient]:
    """A browser at the first site."""
    async with one.browser() as made:
        yield made
