"""No batch reads more of a database than it is about: a county's directory has 200,000 children."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.bus.broker import Sending
from services.bus.directory import DirectoryTable
from services.bus.events import Role
from services.bus.packs import output
from services.bus.store import Store
from services.bus.work import Guard, Place, StateRow
from tests.bus.plain import child, organisation
from tests.plans import plans

HERE = Place("police.incidents.v1", 0, "incarnation")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path}/one.db", "one")
    opened.open()
    yield opened
    opened.close()


def engine_of(store: Store) -> sa.Engine:
    assert store._engine
    return store._engine


def test_a_directory_is_asked_by_its_indexes(store: Store) -> None:
    """Recording rows, reading a batch's children, one row and a search: none of them goes through all rows."""
    with plans(engine_of(store)) as found, store.transaction() as work:
        directory = DirectoryTable().within(work.connection)
        directory.record([child("c1", 1, police_reference="P1"), child("c2", 1), organisation("school:1", 1)])
        directory.prefetch({"c1", "c2"})
        directory.forget()
        directory.child("c1")
        directory.children_with("police-reference", "P1")
        directory.organisations_in(Role.SCHOOL)
    assert any(plan.startswith("SEARCH directory_rows") for plan in found)
    assert [plan for plan in found if plan.startswith("SCAN")] == []


def test_a_batch_is_written_by_indexes(store: Store) -> None:
    """Ids, views, guards, outputs and alarms: each is found where it stands."""
    with store.transaction() as work:
        work.begin_at("cluster", HERE, 0)
    with plans(engine_of(store)) as found, store.transaction() as work:
        work.advance("cluster", HERE, Guard(0), Guard(2))
        work.seen([b"i" * 16, b"j" * 16])
        work.dead([b"i" * 16])
        work.remember([(b"i" * 16, b"d" * 16, False, 1)])
        work.overtake({b"k" * 16: 7})
        work.retried({b"j" * 16: b"d" * 16})
        work.load(["a", "b"])
        work.save([StateRow("a", 0, b"{}", 5, *HERE[:2])])
        work.queue([output(HERE[:2], 1, 0, "mash.contacts.v1", Sending(b"k", b"v", []))])
        work.unsent([HERE[:2]])
        work.forget({(HERE.topic, HERE.partition): (1, 0)})
        work.next_alarm()
    assert any(plan.startswith("SEARCH outbox") for plan in found)
    assert [plan for plan in found if plan.startswith("SCAN")] == []
