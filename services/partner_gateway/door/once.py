"""The table of posted ids: whichever process an event comes to, the first content of an id is the only one.

Rows are always touched in one order, or two processes that share events would lock each other out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import NamedTuple, TypeVar

import sqlalchemy as sa

from services.bus.work import AT_ONCE, inserted
from services.partner_gateway.tables import disclosing, posted

T = TypeVar("T")

Id = tuple[str, str]
"""Source and id."""


class Claim(NamedTuple):
    """An event that somebody wants to post."""

    source: str
    event_id: str
    organisation: str
    type: str
    digest: bytes
    """Of the content (codec.digest)."""

    @property
    def id(self) -> Id:
        return self.source, self.event_id


def claim(connection: sa.Connection, claims: Sequence[Claim], now_us: int) -> dict[Id, tuple[Claim, bool]]:
    """Write down those that are new; for each that is not, what stands and whether Kafka is known to have it.

    When some were not new, the answer has the new ones too. No two of `claims` may have one id.
    """
    ordered = sorted(claims)
    rows = [(*c, now_us, False) for c in ordered]
    written, _ = inserted(connection, posted, rows, "ON CONFLICT DO NOTHING")
    return {} if written == len(claims) else standing(connection, [c.id for c in ordered])


_STANDING = sa.select(
    posted.c.source, posted.c.event_id, posted.c.organisation, posted.c.type, posted.c.digest, posted.c.acknowledged
).where(sa.tuple_(posted.c.source, posted.c.event_id).in_(sa.bindparam("ids", expanding=True)))


def standing(connection: sa.Connection, ids: Sequence[Id]) -> dict[Id, tuple[Claim, bool]]:
    """What is written of these ids."""
    found: dict[Id, tuple[Claim, bool]] = {}
    for some in _lots(ids):
        for row in connection.execute(_STANDING, {"ids": some}).all():
            stands = Claim(*row[:4], bytes(row[4]))
            found[stands.id] = (stands, bool(row[5]))
    return found


def acknowledge(connection: sa.Connection, ids: Collection[Id]) -> None:
    """Kafka has these."""
    style = connection.dialect.paramstyle
    for some in _lots(sorted(ids)):
        these = tuple(part for one in some for part in one)
        if connection.dialect.name != "sqlite":  # whose writers are alone; an update alone has no order of locks
            connection.exec_driver_sql(_these("SELECT 1 FROM posted", len(some), style, _LOCKED), these)
        connection.exec_driver_sql(_these("UPDATE posted SET acknowledged = true", len(some), style), these)


_LOCKED = " ORDER BY source, event_id FOR UPDATE"


@cache
def _these(doing: str, count: int, paramstyle: str, then: str = "") -> str:
    mark = "(?, ?)" if paramstyle == "qmark" else "(%s, %s)"
    return f"{doing} WHERE (source, event_id) IN (VALUES {', '.join([mark] * count)}){then}"


def _lots(of: Sequence[T]) -> Iterator[Sequence[T]]:
    """So many as go into one statement (services/bus/work.py says why not one by one)."""
    for start in range(0, len(of), AT_ONCE):
        yield of[start : start + AT_ONCE]


def forget(connection: sa.Connection, before_us: int, most: int) -> int:
    """Delete ids from before that moment, of events and of the disclosures they told, `most` of each at once; how many
    of the more numerous. The bus refuses so old an event by itself.
    """
    return max(_forget(connection, table, before_us, most) for table in (posted, disclosing))


def _forget(connection: sa.Connection, table: sa.Table, before_us: int, most: int) -> int:
    key = list(table.primary_key.columns)
    old = sa.select(*key).where(table.c.at_us < before_us).limit(most)
    return connection.execute(table.delete().where(sa.tuple_(*key).in_(old))).rowcount
