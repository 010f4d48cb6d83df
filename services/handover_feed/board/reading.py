"""Reading the board: the cards worst first, one card, what became of an act, what changed after a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from services.bus.events import (
    CardAct,
    CardFact,
    HandoverAct,
    MatterChanged,
    MatterState,
    RiskCriterion,
    Team,
    Worker,
)
from services.handover_feed.board import tables
from services.handover_feed.risk import ORDER, order_key

AT_ONCE = 500
"""Cards that one statement asks for."""

MOST_CLOSED = 500
"""Closed cards that are listed; any other is found by its id."""

MOST_KEPT = 5000
"""Cards held parsed: ten times as many as stand open on a bad night."""


@dataclass(frozen=True, slots=True)
class ActResult:
    """What became of one act."""

    act_id: str
    matter_id: str
    refused: str | None = None
    """Why, in a sentence; None when it was accepted."""
    unknown: bool = False
    """Nothing is known of it yet: it may still be accepted or refused."""
    recorded: bool = True
    """Kafka has it. False: even that is not certain, and the same form may be sent again."""

    @property
    def accepted(self) -> bool:
        return not self.unknown and self.refused is None


class Change(NamedTuple):
    """A card, and the number of its latest change."""

    no: int
    card: MatterChanged


@dataclass(frozen=True, slots=True)
class Passage:
    """What a stretch of time brought to one matter."""

    card: MatterChanged
    """As it stands now."""
    facts: Sequence[CardFact]
    """Those that the bus had within it."""
    acts: Sequence[CardAct]
    """Those done within it, without those that were refused."""


def cards(
    connection: sa.Connection,
    *,
    team: Team | None = None,
    state: MatterState | None = None,
    order: Sequence[RiskCriterion] = ORDER,
) -> list[MatterChanged]:
    """Worst first.

    Args:
        team: only those that this side has.
        state: only those; without it, whatever is not closed. Of those that are closed, which are more each year, the
            `MOST_CLOSED` that changed last.
        order: the criteria, the weightiest first.
    """
    columns = tables.card.c
    is_closed = state is MatterState.CLOSED
    # What is open is asked for first, whatever its state: years of closed cards are never gone through for it.
    chosen = sa.not_(columns.open) if is_closed else columns.open
    if state is not None and not is_closed:
        chosen = sa.and_(chosen, columns.state == state.value)
    if team is not None:
        chosen = sa.and_(chosen, columns.team == team.value)
    if is_closed:
        last = sa.select(columns.matter_id).where(chosen).order_by(columns.no.desc()).limit(MOST_CLOSED)
        chosen = columns.matter_id.in_(last)
    return sorted(_read(connection, chosen), key=lambda one: order_key(one, order))


def interrupting(connection: sa.Connection, *, order: Sequence[RiskCriterion] = ORDER) -> list[MatterChanged]:
    """Immediate danger that nobody has taken, of both sides: it waits for no side's hours (H7). Worst first."""
    found = _read(connection, sa.and_(tables.card.c.open, tables.card.c.interrupts))
    return sorted(found, key=lambda one: order_key(one, order))


def card(connection: sa.Connection, matter_id: str) -> MatterChanged | None:
    """The matter as it stands, open or closed; None if there is none."""
    return next(iter(_read(connection, tables.card.c.matter_id == matter_id)), None)


def act(connection: sa.Connection, act_id: str) -> ActResult | None:
    """What became of it; None if nothing is known of it yet."""
    found = connection.execute(sa.select(tables.act).where(tables.act.c.act_id == act_id)).first()
    return None if found is None else ActResult(found.act_id, found.matter_id, found.refused)


def changes_after(connection: sa.Connection, no: int, limit: int, *, open_until: int = 0) -> list[Change]:
    """At most `limit` cards that changed after that number, in the order of their latest change.

    A card that changed more than once since stands here once, as it is now.

    Args:
        open_until: up to this number only cards that are not closed, for whoever has none yet.
    """
    columns = tables.card.c
    query = sa.select(columns.no, columns.content).where(columns.no > no, columns.open | (columns.no > open_until))
    rows = connection.execute(query.order_by(columns.no).limit(limit))
    return [Change(row.no, MatterChanged.model_validate_json(row.content)) for row in rows]


def epoch(connection: sa.Connection) -> str:
    """The epoch that numbers are given in now."""
    return connection.execute(sa.select(tables.epoch.c.epoch)).scalar_one()  # type: ignore[no-any-return]


def last(connection: sa.Connection) -> int:
    """The number given last, 0 if none was."""
    return connection.execute(sa.select(tables.counter.c.last)).scalar() or 0


def holds(connection: sa.Connection, person_id: str) -> list[str]:
    """Ids of the matters that this person has taken and has not handed on."""
    mine = sa.select(tables.card.c.matter_id).where(tables.card.c.taken_by == person_id)
    return list(connection.execute(mine.order_by(tables.card.c.matter_id)).scalars())


def summary(
    connection: sa.Connection, since_us: int, until_us: int, *, order: Sequence[RiskCriterion] = ORDER
) -> list[Passage]:
    """What happened from one moment to before another, by matter, worst first: for the end of a shift."""
    found = sorted(_read(connection, tables.card.c.changed_us >= since_us), key=lambda one: order_key(one, order))
    done: dict[str, list[CardAct]] = {}
    for matter_id, one in acts(connection, since_us, until_us):
        if one.refused is None:
            done.setdefault(matter_id, []).append(one)
    passages = [
        Passage(
            each,
            [fact for fact in each.facts if since_us <= _us(fact.heard_at) < until_us],
            done.get(each.matter_id, ()),
        )
        for each in found
    ]
    return [one for one in passages if one.facts or one.acts]


def acts(connection: sa.Connection, since_us: int, until_us: int) -> list[tuple[str, CardAct]]:
    """Each act from one moment to before another, refused ones too, with its matter's id, the oldest first.

    All of them: a card has room for the latest alone.
    """
    columns = tables.act.c
    query = sa.select(tables.act).where(columns.acted_us >= since_us, columns.acted_us < until_us)
    return [
        (
            row.matter_id,
            CardAct(
                act_id=row.act_id,
                act=HandoverAct(row.act),
                by=Worker(person_id=row.person_id, name=row.name, post=row.post, team=Team(row.team)),
                acted_at=datetime.fromtimestamp(row.acted_us / 1_000_000, UTC),
                reason=row.reason,
                refused=row.refused,
            ),
        )
        for row in connection.execute(query.order_by(columns.acted_us, columns.act_id))
    ]


_kept: WeakKeyDictionary[sa.Engine, dict[str, tuple[str, int, MatterChanged]]] = WeakKeyDictionary()
"""By database and matter, the card that was read last, with its epoch and number: to parse one costs a hundred times
as much as to find that it is still the same."""


def _read(connection: sa.Connection, chosen: sa.ColumnElement[bool]) -> list[MatterChanged]:
    """The chosen cards, in no order; only those are parsed that have changed since."""
    now, kept = epoch(connection), _kept.setdefault(connection.engine, {})
    if len(kept) > MOST_KEPT:
        kept.clear()
    stand = connection.execute(sa.select(tables.card.c.matter_id, tables.card.c.no).where(chosen)).all()
    known = {row.matter_id: kept.get(row.matter_id) for row in stand}
    new = [row.matter_id for row in stand if not (has := known[row.matter_id]) or has[:2] != (now, row.no)]
    for start in range(0, len(new), AT_ONCE):
        some = tables.card.c.matter_id.in_(new[start : start + AT_ONCE])
        columns = sa.select(tables.card.c.matter_id, tables.card.c.no, tables.card.c.content)
        for row in connection.execute(columns.where(some)):
            known[row.matter_id] = kept[row.matter_id] = (
                now,
                row.no,
                MatterChanged.model_validate_json(row.content),
            )
    return [has[2] for has in known.values() if has]


def _us(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)
