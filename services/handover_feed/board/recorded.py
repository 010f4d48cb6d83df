"""The directory says something else of a child who is on the board → the child's matter is cued, and its card written
again: a place that has become confidential, or a record that was closed, shows at once and not at the next event (H2).

Of the 126,800 children that an import may bring only those are looked at who have a matter; nobody gets a card by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import TYPE_CHECKING, Self

import sqlalchemy as sa
import structlog
from pydantic_core import to_json

from services.bus.envelope import same_cause_same_id
from services.bus.errors import Surroundings
from services.bus.events import ChildRecorded, MatterChanged, MatterCued, RecordStatus
from services.bus.tables import state, upsert
from services.handover_feed.board.tables import card, recorded

if TYPE_CHECKING:
    from services.handover_feed.door.context import Board

AT_ONCE = 500
OPEN = RecordStatus.OPEN
UNMATCHED = "unmatched:"
"""Begins the id of an unmatched child's matter."""
LOOK_EVERY = 5.0
"""Seconds between looks for what a process that is gone left uncued."""

log = structlog.get_logger()


def note(connection: sa.Connection, rows: Iterable[ChildRecorded]) -> None:
    """Write down of whom the directory says something else: a part of the board's projection."""
    newest: dict[str, ChildRecorded] = {}
    for row in rows:
        if row.child_id not in newest or newest[row.child_id].version <= row.version:
            newest[row.child_id] = row
    _note_likely(connection, newest)
    ids = sorted(newest)
    for start in range(0, len(ids), AT_ONCE):
        _note_some(connection, [newest[child_id] for child_id in ids[start : start + AT_ONCE]])


def _note_likely(connection: sa.Connection, newest: Mapping[str, ChildRecorded]) -> None:
    """Of an unmatched child, if one whom it may be has another name or birth by now, or no open record: nobody may
    answer by what is not so any more (H1, H12). The versions of several records have no order; when they came has."""
    asked = sa.select(card.c.matter_id, card.c.content).where(card.c.open, card.c.matter_id.startswith(UNMATCHED))
    for row in connection.execute(asked).all():
        question = MatterChanged.model_validate_json(row.content).question
        likely = [(one, newest.get(one.child_id)) for one in question.candidates] if question else []
        other = [now for one, now in likely if now and (now.status is not OPEN or now.identity != one.about)]
        if other:
            stands = sa.select(recorded.c.version).where(recorded.c.child_id == row.matter_id)
            came = max(int(now.at.timestamp() * 1_000_000) for now in other)
            new = {"version": max(came, (connection.execute(stands).scalar() or 0) + 1), "said": b"", "cued": False}
            insert = upsert(connection, recorded).values(child_id=row.matter_id, **new)
            connection.execute(insert.on_conflict_do_update(index_elements=["child_id"], set_=new))


def _note_some(connection: sa.Connection, rows: Sequence[ChildRecorded]) -> None:
    ids = [row.child_id for row in rows]
    on_board = set(connection.execute(sa.select(state.c.key).where(state.c.key.in_(ids))).scalars())
    mine = [row for row in rows if row.child_id in on_board]
    if not mine:
        return
    ids = [row.child_id for row in mine]
    stand = {row.child_id: row for row in connection.execute(sa.select(recorded).where(recorded.c.child_id.in_(ids)))}
    cards = dict(connection.execute(sa.select(card.c.matter_id, card.c.content).where(card.c.matter_id.in_(ids))).all())
    new = []
    for row in mine:
        before, said = stand.get(row.child_id), _said(row)
        if before is not None and (bytes(before.said) == said or before.version >= row.version):
            continue
        shown = cards.get(row.child_id) if before is None else None
        cued = shown is not None and _shows(MatterChanged.model_validate_json(shown), row)
        new.append({"child_id": row.child_id, "version": row.version, "said": said, "cued": cued})
    if new:
        insert = upsert(connection, recorded)
        changed = {name: insert.excluded[name] for name in ("version", "said", "cued")}
        connection.execute(insert.on_conflict_do_update(index_elements=["child_id"], set_=changed), new)


def _said(row: ChildRecorded) -> bytes:
    """What a card shows of a record, as a digest."""
    shown = row.model_dump(
        mode="json",
        include={"status", "identity", "stated_age", "location_confidential", "circumstances", "protection_plan"},
    )
    return blake2b(to_json(shown), digest_size=16).digest()


def _shows(shown: MatterChanged, row: ChildRecorded) -> bool:
    """Whether the card says just that."""
    return row.status is OPEN and (
        shown.about, shown.stated_age, shown.location_confidential, sorted(shown.circumstances), shown.protection_plan,
    ) == (
        row.identity, row.stated_age, row.location_confidential, sorted({*row.circumstances}), row.protection_plan,
    )  # fmt: skip


class Cues:
    """Cues those matters while the block lasts. What is cued twice is one cue, by its id."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._bell = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def ring(self) -> None:
        """The board has heard something."""
        self._bell.set()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._bell.clear()
            try:
                while await self.cue():
                    pass
            except Surroundings as error:
                log.warning("cues_wait", reason=str(error))
            except Exception as error:  # noqa: BLE001 - told by its kind alone: its text may quote a row
                log.error("cues_fault", kind=type(error).__name__)  # noqa: TRY400
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._bell.wait()

    async def cue(self) -> bool:
        """Cue some; whether there may be more."""
        due = await self._board.access.read(_due)
        if due:
            await self._board.letters.later(
                {cue_id(child_id, version): _cue(child_id, version) for child_id, version in due}
            )
            await self._board.access.write(lambda connection: _cued(connection, due))
        return len(due) == AT_ONCE


def cue_id(child_id: str, version: int) -> str:
    """Of the cue's event."""
    return str(same_cause_same_id("board", "recorded", child_id, str(version)))


def _cue(child_id: str, version: int) -> MatterCued:
    """To a child's matter, or an unmatched child's."""
    return MatterCued(matter_id=child_id, child_id=child_id, recorded=version)


def _due(connection: sa.Connection) -> list[tuple[str, int]]:
    query = sa.select(recorded.c.child_id, recorded.c.version).where(sa.not_(recorded.c.cued)).limit(AT_ONCE)
    return [(row.child_id, row.version) for row in connection.execute(query)]


def _cued(connection: sa.Connection, done: Iterable[tuple[str, int]]) -> None:
    for child_id, version in sorted(done):
        this = sa.and_(recorded.c.child_id == child_id, recorded.c.version == version)
        connection.execute(recorded.update().where(this).values(cued=True))
