"""Two databases of one service, row by row: what it keeps, and what a replay of the log makes of it.

Rows are compared by digests in a scratch file, so a large database needs no large memory. What depends on chance and
means nothing is left out: how batches fell, which epoch it is, in which order topics were read. What such numbers mean
is compared instead: an inbox's entries of one child and type stand in one order, and its numbers have no gap.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from pydantic_core import to_json


@dataclass(frozen=True, slots=True)
class Rule:
    """How one table is compared."""

    key: tuple[str, ...] = ()
    """What a row is known by; its primary key unless given."""
    without: tuple[str, ...] = ()
    """Columns that depend on chance."""
    order: str = ""
    """A column whose own values depend on chance, and whose order does not, among rows alike in `among`."""
    among: tuple[str, ...] = ()


SKIPPED: Final = frozenset({"outbox", "recovering", "inbox_epoch", "board_epoch"})
"""What is on its way, and what tells one filling of the tables from another."""

RULES: Final[Mapping[str, Rule]] = {
    "guard": Rule(key=("topic_id", "partition"), without=("cluster_id", "rings")),
    "state": Rule(without=("version", "topic", "partition")),
    "inbox_entry": Rule(
        key=("organisation", "disclosure_id"), order="number", among=("organisation", "child_id", "type")
    ),
    "inbox_distribution": Rule(key=("organisation", "disclosure_id"), without=("number",)),
    "board_card": Rule(without=("no",)),
}

OURS, REPLAYED = "ours", "replayed"
_DDL: Final = (
    "CREATE TABLE IF NOT EXISTS rows (side TEXT, tbl TEXT, key BLOB, digest BLOB, PRIMARY KEY (side, tbl, key))"
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is not the same on both sides."""

    table: str
    key: tuple[str, ...]
    how: str
    """`only here`, `only in the log`, `otherwise in the log`."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of it."""

    rows: Mapping[str, int]
    """By table, how many rows the service keeps."""
    differences: tuple[Difference, ...]


class Scratch:
    """Digests of both sides' rows, in a file that is thrown away."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.execute(_DDL)

    def take(self, side: str, connection: sa.Connection, tables: Sequence[sa.Table]) -> None:
        """Note every row that this database has, all of it as of one moment if the connection sees one."""
        self._db.execute("DELETE FROM rows WHERE side = ?", (side,))
        for table in tables:
            if table.name not in SKIPPED:
                self._db.executemany("INSERT INTO rows VALUES (?, ?, ?, ?)", _rows(side, connection, table))
        self._db.commit()

    def compare(self) -> Compared:
        """Both sides, once both were taken."""
        counted = self._db.execute("SELECT tbl, count(*) FROM rows WHERE side = ? GROUP BY tbl ORDER BY tbl", (OURS,))
        rows = dict(counted.fetchall())
        found = [*self._missing(OURS, REPLAYED, "only here"), *self._missing(REPLAYED, OURS, "only in the log")]
        other = (
            "SELECT a.tbl, a.key FROM rows a JOIN rows b ON b.side = ? AND b.tbl = a.tbl AND b.key = a.key "
            "WHERE a.side = ? AND a.digest <> b.digest"
        )
        found += [
            Difference(table, _told(key), "otherwise in the log")
            for table, key in self._db.execute(other, (REPLAYED, OURS))
        ]
        return Compared(rows, tuple(sorted(found, key=lambda one: (one.table, one.key))))

    def _missing(self, side: str, other: str, how: str) -> Iterator[Difference]:
        query = (
            "SELECT a.tbl, a.key FROM rows a LEFT JOIN rows b ON b.side = ? AND b.tbl = a.tbl AND b.key = a.key "
            "WHERE a.side = ? AND b.key IS NULL"
        )
        return (Difference(table, _told(key), how) for table, key in self._db.execute(query, (other, side)))

    def close(self) -> None:
        self._db.close()


def _rows(side: str, connection: sa.Connection, table: sa.Table) -> Iterator[tuple[str, str, bytes, bytes]]:
    rule = RULES.get(table.name, Rule())
    key = rule.key or tuple(column.name for column in table.primary_key.columns)
    left_out = {*rule.without, *([rule.order] if rule.order else [])}
    kept = [column for column in table.columns if column.name not in left_out]
    shown: list[Any] = list(kept)
    if rule.order:
        among = [table.c[name] for name in rule.among]
        shown.append(sa.func.row_number().over(partition_by=among, order_by=table.c[rule.order]).label("place"))
    result = connection.execution_options(yield_per=1000).execute(sa.select(*shown))
    for row in result:
        values = {name: _plain(value) for name, value in row._mapping.items()}
        digest = blake2b(to_json(values), digest_size=16).digest()
        yield side, table.name, to_json([values[name] for name in key]), digest


def _plain(value: Any) -> Any:
    """The same in both kinds of database."""
    if isinstance(value, bytes | bytearray | memoryview):
        held = bytes(value)
        try:
            return held.decode()
        except UnicodeDecodeError:
            return held.hex()
    return int(value) if isinstance(value, bool) else value


def _told(key: bytes) -> tuple[str, ...]:
    return tuple(str(part) for part in json.loads(key))


def gaps(connection: sa.Connection, counter: sa.Table, entry: sa.Table) -> list[str]:
    """Organisations whose inbox numbers do not run from 1 to the last without a gap."""
    entries = sa.select(
        entry.c.organisation,
        sa.func.count().label("many"),
        sa.func.min(entry.c.number).label("first"),
        sa.func.max(entry.c.number).label("last"),
    ).group_by(entry.c.organisation)
    last = {row.organisation: row.last for row in connection.execute(sa.select(counter))}
    return sorted(
        row.organisation
        for row in connection.execute(entries)
        if not (row.first == 1 and row.many == row.last == last.get(row.organisation))
    )
