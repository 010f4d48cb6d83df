"""What outlives the monitor's process: how far groups were seen, troubles told, and what is still to be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.schema import CreateSchema

from services.bus.access import Access
from services.bus.settings import Settings
from services.bus.tables import upsert
from services.lag_monitor.lag import Verdict
from services.lag_monitor.troubles import Change, State, Trouble
from services.lag_monitor.watch import NAME, Mark, Marks

metadata = sa.MetaData()

mark = sa.Table(
    "mark",
    metadata,
    sa.Column("group", sa.Text, primary_key=True),
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("topic_id", sa.Text, nullable=False),
    sa.Column("offset", sa.BigInteger, nullable=False),  # the highest that the group was seen at
)

verdict = sa.Table(
    "verdict",
    metadata,
    sa.Column("group", sa.Text, primary_key=True),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("since_us", sa.BigInteger, nullable=False),
)

trouble = sa.Table(
    "trouble",  # told, and not over
    metadata,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("began_us", sa.BigInteger, nullable=False),
)

alert = sa.Table(
    "alert",  # one by one channel, until it is taken
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),  # webhook, mail
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("began_us", sa.BigInteger, nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_us", sa.BigInteger, nullable=False),  # nothing is tried before
)


@dataclass(frozen=True, slots=True)
class Owed:
    """One change that one channel has not taken yet."""

    change: Change
    channel: str
    attempts: int


class Kept:
    """The monitor's own database, by the settings that give services theirs. One process uses it."""

    def __init__(self, at: Settings) -> None:
        self._access = Access(at, NAME)
        self.is_open = False

    async def open(self) -> None:
        """Make what is missing.

        Raises:
            Surroundings: the database is away.
        """
        if self._access.is_sqlite:
            Path(str(self._access.engine.url.database)).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        else:
            schema = CreateSchema(NAME.replace("-", "_"), if_not_exists=True)
            await self._access.write(lambda connection: connection.execute(schema))
        await self._access.write(metadata.create_all)
        self.is_open = True

    def close(self) -> None:
        self._access.close()

    async def marks(self) -> Marks:
        rows = await self._access.read(lambda connection: connection.execute(sa.select(mark)).all())
        found: Marks = {}
        for group, topic, partition, topic_id, offset in rows:
            found.setdefault(group, {})[topic, partition] = Mark(topic_id, offset)
        return found

    async def verdicts(self) -> dict[str, tuple[Verdict, datetime]]:
        rows = await self._access.read(lambda connection: connection.execute(sa.select(verdict)).all())
        return {group: (Verdict(found), _moment(since_us)) for group, found, since_us in rows}

    async def troubles(self) -> dict[str, Trouble]:
        rows = await self._access.read(lambda connection: connection.execute(sa.select(trouble)).all())
        return {subject: Trouble(found, _moment(began_us)) for subject, found, began_us in rows}

    async def remember(self, marks: Marks, verdicts: Mapping[str, tuple[Verdict, datetime]]) -> None:
        """In place of what was remembered."""
        places = [
            {"group": group, "topic": topic, "partition": number, "topic_id": one.topic_id, "offset": one.offset}
            for group, found in marks.items()
            for (topic, number), one in found.items()
        ]
        since = [{"group": g, "verdict": v.value, "since_us": _us(since)} for g, (v, since) in verdicts.items()]

        def write(connection: sa.Connection) -> None:
            for table, rows in ((mark, places), (verdict, since)):
                connection.execute(table.delete())
                if rows:
                    connection.execute(table.insert(), rows)

        await self._access.write(write)

    async def note(self, change: Change, channels: Sequence[str]) -> None:
        """The change, and that each channel owes it to somebody: both or neither, and once."""
        await self._access.write(partial(_note, change=change, channels=channels))

    async def owed(self, now: datetime) -> list[Owed]:
        """What is to be sent now, the oldest first."""
        query = sa.select(alert).where(alert.c.next_us <= _us(now)).order_by(alert.c.at_us)
        rows = await self._access.read(lambda connection: connection.execute(query).all())
        return [_owed(row) for row in rows]

    async def taken(self, owed: Owed) -> None:
        """It is sent, or given up."""
        await self._access.write(lambda connection: connection.execute(alert.delete().where(_is(owed))))

    async def later(self, owed: Owed, next_at: datetime) -> None:
        values = {"attempts": owed.attempts + 1, "next_us": _us(next_at)}
        await self._access.write(lambda connection: connection.execute(alert.update().where(_is(owed)).values(values)))


def _note(connection: sa.Connection, change: Change, channels: Sequence[str]) -> None:
    mine = trouble.c.subject == change.subject
    connection.execute(trouble.delete().where(mine))
    if change.state is not State.ended:
        row = {"subject": change.subject, "verdict": change.verdict, "began_us": _us(change.began)}
        connection.execute(trouble.insert(), row)
    rows: list[dict[str, Any]] = [
        {
            "id": str(change.id),
            "channel": channel,
            "state": change.state.value,
            "subject": change.subject,
            "verdict": change.verdict,
            "why": change.why,
            "began_us": _us(change.began),
            "at_us": _us(change.at),
            "attempts": 0,
            "next_us": 0,
        }
        for channel in channels
    ]
    if rows:
        connection.execute(upsert(connection, alert).on_conflict_do_nothing(), rows)


def _owed(row: sa.Row[Any]) -> Owed:
    change = Change(
        UUID(row.id), State(row.state), row.subject, row.verdict, row.why, _moment(row.began_us), _moment(row.at_us)
    )
    return Owed(change, row.channel, row.attempts)


def _is(owed: Owed) -> sa.ColumnElement[bool]:
    return sa.and_(alert.c.id == str(owed.change.id), alert.c.channel == owed.channel)


def _us(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)


def _moment(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1_000_000, UTC)
