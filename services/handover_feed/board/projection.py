"""The latest card of each matter, and what became of each act, as handover.board.v1 says.

The number of a change comes from one counter row, which is locked in the transaction that writes: readers never pass a
number that is not committed yet (DESIGN.md §1; docs/decisions/0014).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from secrets import token_hex
from typing import Any

import sqlalchemy as sa

from services.bus.events import ChildRecorded, MatterChanged, MatterState
from services.bus.heard import Heard
from services.bus.projection import Copy
from services.bus.tables import upsert
from services.handover_feed.board import recorded
from services.handover_feed.board.tables import act, card, counter, epoch, metadata
from services.handover_feed.paging import pages


class Cards:
    """The projection (services/bus/projection.py). `listeners` are called after each commit."""

    tables = metadata

    def __init__(self) -> None:
        self.listeners: list[Callable[[], None]] = []

    @property
    def copies_to(self) -> Sequence[str]:
        return ()

    def begin(self, connection: sa.Connection) -> None:
        """An epoch, unless there is one: numbers that were given before a recovery are told apart by it."""
        connection.execute(upsert(connection, epoch).on_conflict_do_nothing(), {"one": 1, "epoch": token_hex(4)})
        connection.execute(upsert(connection, counter).on_conflict_do_nothing(), {"one": 1, "last": 0})

    def record(self, connection: sa.Connection, done: Sequence[Heard]) -> Iterable[Copy]:
        """Keep the highest version of each card, what became of every act, whom nobody was reached for, and of whom the
        directory says something else."""
        said = [h.event for h in done if isinstance(h.event, MatterChanged)]
        if said:
            changed = sorted(_latest(said).items())
            before = _locked(connection, [matter_id for matter_id, _ in changed])
            higher = [event for matter_id, event in changed if event.version > before.get(matter_id, 0)]
            _keep(connection, higher)
            _note_acts(connection, said)
        pages.note(connection, done)
        rows = [h.event for h in done if isinstance(h.event, ChildRecorded)]
        if rows:
            recorded.note(connection, rows)
        return ()

    def committed(self) -> None:
        for listener in self.listeners:
            listener()


BOARD = Cards()


def _latest(said: Iterable[MatterChanged]) -> dict[str, MatterChanged]:
    found: dict[str, MatterChanged] = {}
    for event in said:
        if event.matter_id not in found or event.version > found[event.matter_id].version:
            found[event.matter_id] = event
    return found


def _locked(connection: sa.Connection, matter_ids: Sequence[str]) -> dict[str, int]:
    """The version that stands of each. The counter is locked first, by whoever writes: one writes at a time."""
    connection.execute(sa.select(counter).with_for_update())
    query = sa.select(card.c.matter_id, card.c.version).where(card.c.matter_id.in_(matter_ids))
    return {row.matter_id: row.version for row in connection.execute(query)}


def _keep(connection: sa.Connection, higher: Sequence[MatterChanged]) -> None:
    if not higher:
        return
    take = counter.update().values(last=counter.c.last + len(higher)).returning(counter.c.last)
    first = connection.execute(take).scalar_one() - len(higher) + 1
    ordered = sorted(higher, key=lambda event: (event.changed_at, event.matter_id))
    rows = [_row(event, no) for no, event in enumerate(ordered, first)]
    insert = upsert(connection, card)
    new = {column.name: insert.excluded[column.name] for column in card.c if not column.primary_key}
    connection.execute(insert.on_conflict_do_update(index_elements=[card.c.matter_id], set_=new), rows)


def _row(event: MatterChanged, no: int) -> dict[str, Any]:
    return {
        "matter_id": event.matter_id,
        "version": event.version,
        "no": no,
        "child_id": event.child_id,
        "state": event.state.value,
        "team": event.team.value,
        "taken_by": event.taken_by.person_id if event.taken_by else None,
        "open": event.state is not MatterState.CLOSED,
        "interrupts": event.interrupts,
        "changed_us": _us(event.changed_at),
        "content": event.model_dump_json(by_alias=True).encode(),
    }


def _note_acts(connection: sa.Connection, said: Sequence[MatterChanged]) -> None:
    rows = {row["act_id"]: row for event in said for row in _acts(event)}
    if rows:
        insert = upsert(connection, act).on_conflict_do_nothing()
        connection.execute(insert, [rows[act_id] for act_id in sorted(rows)])


def _acts(event: MatterChanged) -> Iterator[dict[str, Any]]:
    for one in event.acts:
        yield {
            "act_id": one.act_id,
            "matter_id": event.matter_id,
            "act": one.act.value,
            "person_id": one.by.person_id,
            "name": one.by.name,
            "post": one.by.post,
            "team": one.by.team.value,
            "acted_us": _us(one.acted_at),
            "reason": one.reason,
            "refused": one.refused,
        }


def _us(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)
