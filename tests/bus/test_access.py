"""A service's database beside its loop: a read is of one moment, and who writes waits for its turn, not for luck."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import sqlalchemy as sa

from services.bus import sqlite
from services.bus.access import Access
from services.bus.settings import Settings
from services.bus.store import Store

COUNT, ADD = sa.text("select count(*) from thing"), sa.text("insert into thing values (1)")


@pytest.fixture(params=["sqlite", "postgresql"])
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Each database in turn."""
    more = {"store_url": request.getfixturevalue("postgres")} if request.param == "postgresql" else {}
    return Settings(data_dir=tmp_path, **more)


async def test_a_read_is_of_one_moment(at: Settings) -> None:
    """What another commits between two of its queries is not in the second: a page would contradict itself."""
    access = Access(at, "plain")
    if not access.is_sqlite:
        access.run(lambda c: c.execute(sa.schema.CreateSchema("plain", if_not_exists=True)))
    access.run(lambda c: c.execute(sa.text("create table thing (n integer)")))

    def twice(connection: sa.Connection) -> list[int]:
        before = connection.execute(COUNT).scalar_one()
        access.run(lambda other: other.execute(ADD))
        return [before, connection.execute(COUNT).scalar_one()]

    assert await access.read(twice) == [0, 0]
    assert await access.read(lambda c: c.execute(COUNT).scalar_one()) == 1
    access.run(lambda c: c.execute(sa.text("drop table thing")))
    access.close()


async def test_the_writers_of_a_process_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However short SQLite's own patience is: a door waits for the loop's batch, and the loop for the door."""
    monkeypatch.setattr(sqlite, "PATIENCE", 0.0)
    at = Settings(data_dir=tmp_path)
    store, access = Store(at.store_for("plain"), "plain"), Access(at, "plain")
    store.open()
    access.run(lambda c: c.execute(sa.text("create table thing (n integer)")))
    begun, end = Event(), Event()

    def batch() -> None:
        with store.transaction() as work:
            work.connection.execute(ADD)
            begun.set()
            end.wait(10)

    holding = asyncio.create_task(asyncio.to_thread(batch))
    await asyncio.to_thread(begun.wait, 10)
    waiting: asyncio.Task[Any] = asyncio.create_task(access.write(lambda c: c.execute(ADD)))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    assert await access.read(lambda c: c.execute(COUNT).scalar_one()) == 0, "who reads waits for nobody"
    end.set()
    await asyncio.gather(holding, waiting)
    assert await access.read(lambda c: c.execute(COUNT).scalar_one()) == 2
    access.close()
    store.close()
