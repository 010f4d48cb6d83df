"""The table of posted ids: whichever process an event comes to, the first content of an id is the only one.

Rows are always touched in one order, or two processes that share events would lock each other out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.partner_gateway.tables import posted

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
    """Write down those that are new; what stood already, and whether Kafka is known to have it.

    No two of `claims` may have one id.
    """
    rows = [{**c._asdict(), "at_us": now_us, "acknowledged": False} for c in sorted(claims)]
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(posted).on_conflict_do_nothing().returning(posted.c.source, posted.c.event_id)
    new = {(row[0], row[1]) for row in connection.execute(insert, rows)}
    old = [c.id for c in claims if c.id not in new]
    return standing(connection, old) if old else {}


def standing(connection: sa.Connection, ids: Collection[Id]) -> dict[Id, tuple[Claim, bool]]:
    """What is written of these ids."""
    columns = (posted.c.source, posted.c.event_id, posted.c.organisation, posted.c.type, posted.c.digest)
    these = sa.tuple_(posted.c.source, posted.c.event_id).in_(list(ids))
    found = connection.execute(sa.select(*columns, posted.c.acknowledged).where(these))
    claims = ((Claim(*row[:4], bytes(row[4])), bool(row[5])) for row in found)
    return {c.id: (c, acknowledged) for c, acknowledged in claims}


def acknowledge(connection: sa.Connection, ids: Collection[Id]) -> None:
    """Kafka has these."""
    this = sa.and_(posted.c.source == sa.bindparam("s"), posted.c.event_id == sa.bindparam("e"))
    rows = [{"s": source, "e": event_id} for source, event_id in sorted(ids)]
    connection.execute(posted.update().where(this).values(acknowledged=True), rows)


def forget(connection: sa.Connection, before_us: int, most: int) -> int:
    """Delete ids from before that moment, `most` at once; how many. The bus refuses so old an event by itself."""
    old = sa.select(posted.c.source, posted.c.event_id).where(posted.c.at_us < before_us).limit(most)
    gone = posted.delete().where(sa.tuple_(posted.c.source, posted.c.event_id).in_(old))
    return connection.execute(gone).rowcount
