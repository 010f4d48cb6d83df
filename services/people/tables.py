"""The tables that a site's sessions and one-time links stand in, beside its own table of people."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateSchema

from services.bus.tables import Bytes


def link_table(name: str, metadata: sa.MetaData, person_id: sa.Column[Any]) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("hash", Bytes, primary_key=True),
        sa.Column("person_id", sa.Text, sa.ForeignKey(person_id), nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
        sa.Column("used_us", sa.BigInteger),
    )


def session_table(name: str, metadata: sa.MetaData, person_id: sa.Column[Any]) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("hash", Bytes, primary_key=True),  # of the cookie's value
        sa.Column("person_id", sa.Text, sa.ForeignKey(person_id), nullable=False),
        sa.Column("csrf", sa.Text, nullable=False),
        sa.Column("used_us", sa.BigInteger, nullable=False),  # 0: locked, until its person signs in again
        sa.Column("began_us", sa.BigInteger, nullable=False),
    )


def make(connection: sa.Connection, store: str, *tables: sa.MetaData) -> None:
    """A site's tables in its own store, where they are not there yet."""
    if connection.dialect.name != "sqlite":
        connection.execute(CreateSchema(store.replace("-", "_"), if_not_exists=True))
    for each in tables:
        each.create_all(connection)
