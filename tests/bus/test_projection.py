"""A projection holds an event exactly when the guard says that it was decided; its copies go out like any output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from services.bus.events import ChildMatched
from services.bus.heard import Heard
from services.bus.projection import COPIED_BY, Copy
from services.bus.service import Service
from tests.bus.plain import MATCHES, MISSED, Bus, match

tables = sa.MetaData()
line = sa.Table("ledger", tables, sa.Column("number", sa.Integer, primary_key=True), sa.Column("about", sa.Text))
begun = sa.Table("ledger_begun", tables, sa.Column("one", sa.Integer, primary_key=True))


class Ledger:
    """A line for each event, counted; a copy of each on another topic."""

    tables = tables
    copies_to: Sequence[str] = (MISSED,)

    def __init__(self) -> None:
        self.told = 0

    def begin(self, connection: sa.Connection) -> None:
        if connection.execute(sa.select(begun)).first() is None:
            connection.execute(begun.insert(), {"one": 1})

    def record(self, connection: sa.Connection, done: Sequence[Heard]) -> Iterable[Copy]:
        last = connection.execute(sa.select(sa.func.max(line.c.number))).scalar() or 0
        for number, h in enumerate(done, last + 1):
            assert isinstance(h.event, ChildMatched)
            connection.execute(line.insert(), {"number": number, "about": h.event.child_reference})
            yield Copy(h, MISSED, [("number", str(number).encode())])

    def committed(self) -> None:
        self.told += 1


def nothing(matched: ChildMatched) -> Iterator[Any]:
    """Says nothing itself, or fails."""
    if matched.reason == "break":
        raise ZeroDivisionError
    yield from ()


KEEPER = Service(name="keeper", on={ChildMatched: nothing}, emits=())


def keeper() -> Service:
    return replace(KEEPER, projection=Ledger())


def lines(bus: Bus) -> list[str]:
    return [row.about for row in bus.rows(line, KEEPER)]


async def copies(bus: Bus) -> list[dict[str, bytes | None]]:
    return [dict(record.headers) for record in await bus.records(MISSED)]


@pytest.mark.parametrize("point", ["before_commit", "committed", "before_send", "sent", "before_offsets"])
async def test_each_event_is_recorded_and_copied_once_wherever_it_dies(stored: Bus, point: str) -> None:
    """Killed at each point: one line each, and each copy with its number, a repeat being the same record."""
    await stored.publish(match("i", "a"), match("i", "b"))
    await stored.dies(point, service=keeper())
    await stored.publish(match("i", "c"))
    service = keeper()
    async with stored.running(service):
        await stored.quiet(service)
    assert lines(stored) == ["a", "b", "c"]
    sent = await copies(stored)
    assert list(dict.fromkeys(held["number"] for held in sent)) == [b"1", b"2", b"3"]
    assert len({(held["ce_id"], held["number"], held[COPIED_BY]) for held in sent}) == 3


async def test_neither_a_repeat_nor_what_died_is_recorded(stored: Bus) -> None:
    """The same event twice is one line; one whose decision failed is a dead letter and no line."""
    key, value, headers = await stored.encoded(match("i", "a"))
    for _ in range(2):
        await stored.send(MATCHES, key, value, headers)
    await stored.publish(match("i", "x", "break"), match("i", "b"))
    service = keeper()
    async with stored.running(service):
        await stored.quiet(service)
    assert lines(stored) == ["a", "b"]


async def test_a_copy_is_the_record_that_came(carried: Bus) -> None:
    """The same key and body, the sender's own headers, and the projection's."""
    await carried.publish(match("i", "a"))
    service = keeper()
    async with carried.running(service):
        await carried.quiet(service)
    (came,), (copy,) = await carried.records(MATCHES), await carried.records(MISSED)
    assert (copy.key, copy.value) == (came.key, came.value)
    assert dict(came.headers).items() <= dict(copy.headers).items()


async def test_who_waits_is_told_after_each_commit(stored: Bus) -> None:
    """`committed` comes once what was recorded stands."""
    service = keeper()
    await stored.publish(match("i", "a"))
    async with stored.running(service):
        await stored.quiet(service)
    assert isinstance(service.projection, Ledger)
    assert service.projection.told >= 1


async def test_a_recovery_fills_it_again_and_copies_nothing_twice(carried: Bus) -> None:
    """A lost database: the tables are made anew, filled from the log, and what stands on the other topic stays."""
    service = keeper()
    await carried.publish(match("i", "a"), match("j", "b"))
    async with carried.running(service):
        await carried.quiet(service)
    before = sorted(lines(carried))
    carried.restore({}, service)
    with carried.engine(service).begin() as connection:
        tables.drop_all(connection)
    await carried.recover(service)
    assert sorted(lines(carried)) == before == ["a", "b"]
    assert carried.rows(begun, KEEPER)
    async with carried.running(service):
        await carried.publish(match("i", "c"))
        await carried.quiet(service)
    assert sorted(lines(carried)) == ["a", "b", "c"]
    assert len(await copies(carried)) == 3


async def test_a_header_of_any_bytes_is_copied_and_survives_a_recovery(stored: Bus) -> None:
    """A sender's library adds one of its own, binary: the record is copied as it came, and is no poison, then or when
    the database is lost before it was sent."""
    key, value, headers = await stored.encoded(match("i", "a"))
    await stored.send(MATCHES, key, value, [*headers, ("x-trace-bin", b"\xff\x00")])
    service = keeper()
    await stored.dies("before_send", service=service)
    stored.restore({}, service)
    with stored.engine(service).begin() as connection:
        tables.drop_all(connection)
    await stored.recover(service)
    (copy,) = await copies(stored)
    assert copy["x-trace-bin"] == b"\xff\x00"
    assert lines(stored) == ["a"]
