"""The tables of one service's store. Ids and digests are 16 bytes; moments are integers, the same in both databases."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.bus.errors import UserMistake

metadata = sa.MetaData()


def refuse_earlier(connection: sa.Connection, tables: sa.MetaData, service: str) -> None:
    """Refuse a database whose tables an earlier version made otherwise: whatever would be written there would fail.

    Raises:
        UserMistake: it was, and what to do.
    """
    found = sa.inspect(connection)
    for table in tables.sorted_tables:
        if not found.has_table(table.name):
            continue
        stands = {column["name"]: column for column in found.get_columns(table.name)}
        for column in table.columns:
            one = stands.get(column.name)
            if one is None or (column.nullable and not one["nullable"]):
                raise UserMistake(
                    f"the database of {service} was made by an earlier safebus ({table.name}.{column.name} differs); "
                    f"before 1.0 none is upgraded: put it away, then `safebus recover {service}` fills a new one"
                )


def upsert(connection: sa.Connection, table: sa.Table) -> Any:
    """An INSERT that may say what becomes of a row that stands already, as SQLAlchemy's of either database can."""
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


@cache
def worded(statement: str, paramstyle: str) -> str:
    """A statement whose values are question marks, in the words of a driver with that style."""
    return statement if paramstyle == "qmark" else statement.replace("?", "%s")


class Bytes(sa.LargeBinary):
    """Bytes as both drivers take and give them. SQLAlchemy's own type wraps each value once more: measured, 10 µs."""

    cache_ok = True

    def bind_processor(self, dialect: sa.Dialect) -> None:
        return None

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> None:
        return None


class Words(Bytes):
    """Text from an event, as UTF-8: PostgreSQL's own text takes no NUL, and sorts by the server's language."""

    cache_ok = True

    def bind_processor(self, dialect: sa.Dialect) -> Any:
        return str.encode

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Any:
        return bytes.decode


ID = Bytes(16)

guard = sa.Table(
    "guard",
    metadata,
    sa.Column("cluster_id", sa.Text, primary_key=True),
    sa.Column("topic_id", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("next_offset", sa.BigInteger, nullable=False),
    sa.Column("rings", sa.BigInteger, nullable=False),  # how often its owners let alarms ring, which moves no offset
)

seen = sa.Table(
    "seen",
    metadata,
    sa.Column("id", ID, primary_key=True),  # of source and id together
    sa.Column("digest", ID, nullable=False),  # of the decoded content
    sa.Column("died", sa.Boolean, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),  # seconds since 1970
    sqlite_with_rowid=False,
)

dead = sa.Table(
    "dead",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("key_hash", ID, nullable=False, index=True),  # of topic and key
    sa.Column("offset", sa.BigInteger, nullable=False),  # where it died first
    sa.Column("overtaken", sa.Boolean, nullable=False),  # a later event of the key was decided
    sa.Column("retried", sa.Boolean, nullable=False),
    sqlite_with_rowid=False,
)

state = sa.Table(
    "state",
    metadata,
    sa.Column("key", Words, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("body", Bytes, nullable=False),
    sa.Column("alarm_us", sa.BigInteger, index=True),  # microseconds since 1970; null when nothing is awaited
    sa.Column("topic", sa.Text, nullable=False),  # whose owner fires the alarm
    sa.Column("partition", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),  # the place of its last output's input; the order of sending
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("offset", sa.BigInteger, primary_key=True),
    sa.Column("ordinal", sa.BigInteger, primary_key=True),
    sa.Column("outputs", sa.Integer, nullable=False),  # how many it holds
    sa.Column("body", Bytes, nullable=False),  # packs.py
    sqlite_with_rowid=False,
)

directory_rows = sa.Table(
    "directory_rows",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),  # the topic: an organisation and a child may have one id
    sa.Column("id", Words, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("body", Bytes, nullable=False),
    sqlite_with_rowid=False,
)

directory_ids = sa.Table(
    "directory_ids",
    metadata,
    sa.Column("scheme", sa.Text, primary_key=True),  # nhs-number, upn, …, date-of-birth, role
    sa.Column("value", Words, primary_key=True),
    sa.Column("row_id", Words, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Index("directory_ids_of_row", "kind", "row_id"),
    sqlite_with_rowid=False,
)

recovering = sa.Table(
    "recovering",
    metadata,
    sa.Column("since", sa.BigInteger, primary_key=True),  # seconds since 1970; no row when no recovery is unfinished
)
