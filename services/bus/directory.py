"""The directory: organisations and children as the loop last read them, in the service's own database.

Rows carry a version and a lower one is ignored, so reading the topic again, in any order of its partitions, changes
nothing (DESIGN.md §1, rule 8). A closed record stays and is marked closed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, Protocol

import sqlalchemy as sa

from services.bus.contract.identifiers import plain
from services.bus.events import ChildRecorded, OrganisationRecorded, Role
from services.bus.tables import directory_ids, directory_rows, upsert, worded
from services.bus.work import AT_ONCE

Recorded = OrganisationRecorded | ChildRecorded
TOPICS = (OrganisationRecorded.topic, ChildRecorded.topic)
CACHED = 5_000
"""Rows, of some 4 kB each: a service that has met many children stays within its memory."""

LONGEST_INDEXED = 250
"""Characters of an identifier."""


class Directory(Protocol):
    """What a decision may ask. Nothing here writes."""

    def organisation(self, organisation_id: str) -> OrganisationRecorded | None: ...
    def child(self, child_id: str) -> ChildRecorded | None: ...
    def children_with(self, scheme: str, value: str) -> list[ChildRecorded]:
        """Children with that identifier: `nhs-number`, `upn`, `police-reference`, `social-care-id`, and for finding
        candidates `date-of-birth` (ISO) and `family-name` (case folded). Closed records are among them."""
        ...

    def organisations_in(self, role: Role, authority: str | None = None) -> list[OrganisationRecorded]:
        """Organisations of that kind, of one local authority or of all, in the order of their ids."""
        ...


def identifiers(row: Recorded) -> Iterator[tuple[str, str]]:
    """What a row can be found by: scheme and value."""
    if isinstance(row, OrganisationRecorded):
        yield "role", row.kind.value
        return
    identity = row.identity
    found = {
        "nhs-number": plain(identity.nhs_number or ""),
        "upn": plain(identity.upn or ""),
        "police-reference": row.police_reference,
        "social-care-id": row.social_care_id,
        "date-of-birth": identity.date_of_birth.isoformat() if identity.date_of_birth else None,
        "family-name": identity.family_name.casefold() or None,
    }
    for scheme, value in found.items():
        if value:
            yield scheme, value


def row_id(row: Recorded) -> str:
    return row.organisation_id if isinstance(row, OrganisationRecorded) else row.child_id


class MemoryDirectory:
    """A directory of given rows, for plain calls of a decision."""

    def __init__(self, rows: Iterable[Recorded] = ()) -> None:
        self._rows: dict[str, Recorded] = {row_id(row): row for row in rows}

    def organisation(self, organisation_id: str) -> OrganisationRecorded | None:
        row = self._rows.get(organisation_id)
        return row if isinstance(row, OrganisationRecorded) else None

    def child(self, child_id: str) -> ChildRecorded | None:
        row = self._rows.get(child_id)
        return row if isinstance(row, ChildRecorded) else None

    def children_with(self, scheme: str, value: str) -> list[ChildRecorded]:
        return [r for r in self._found(scheme, value) if isinstance(r, ChildRecorded)]

    def organisations_in(self, role: Role, authority: str | None = None) -> list[OrganisationRecorded]:
        rows = [r for r in self._found("role", role.value) if isinstance(r, OrganisationRecorded)]
        return [r for r in rows if authority is None or r.local_authority_code == authority]

    def _found(self, scheme: str, value: str) -> list[Recorded]:
        return sorted((r for r in self._rows.values() if (scheme, value) in identifiers(r)), key=row_id)


class DirectoryTable:
    """The directory in a store's tables. Hot rows and look-ups stay in memory until the directory changes."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Recorded | None] = {}
        self._lookups: dict[tuple[str, str], list[Recorded]] = {}
        self._connection: sa.Connection | None = None

    def within(self, connection: sa.Connection) -> DirectoryTable:
        """The same directory, asking through this transaction."""
        self._connection = connection
        return self

    def forget(self) -> None:
        """Another worker has changed the directory, or a transaction was undone."""
        self._rows.clear()
        self._lookups.clear()

    def record(self, rows: Iterable[Recorded]) -> None:
        """Write the rows that are newer than what stands; the last of several versions wins."""
        newest: dict[tuple[str, str], Recorded] = {}
        for row in rows:
            at = (row.topic, row_id(row))
            if at not in newest or newest[at].version < row.version:
                newest[at] = row
        asked = {"kinds": sorted({kind for kind, _ in newest}), "ids": [own_id for _, own_id in newest]}
        stands = {(row.kind, row.id): row.version for row in self._open().execute(_VERSIONS, asked)}
        newer = {at: row for at, row in newest.items() if stands.get(at, -1) < row.version}
        if newer:
            self._write(self._open(), newer)
            self.forget()

    @staticmethod
    def _write(connection: sa.Connection, newer: Mapping[tuple[str, str], Recorded]) -> None:
        insert = upsert(connection, directory_rows)
        put = insert.on_conflict_do_update(
            index_elements=["kind", "id"],
            set_={name: insert.excluded[name] for name in ("version", "body")},
            where=directory_rows.c.version < insert.excluded.version,
        )
        connection.execute(
            put,
            [
                {"kind": kind, "id": own_id, "version": row.version, "body": row.model_dump_json().encode()}
                for (kind, own_id), row in newer.items()
            ],
        )
        connection.execute(_FORGET_IDS, [{"k": kind, "r": own_id} for kind, own_id in newer])
        found_by = [
            {"scheme": scheme, "value": _indexed(value), "row_id": own_id, "kind": kind}
            for (kind, own_id), row in newer.items()
            for scheme, value in identifiers(row)
        ]
        if found_by:  # a child may have nothing to be found by
            connection.execute(upsert(connection, directory_ids).on_conflict_do_nothing(), found_by)

    def organisation(self, organisation_id: str) -> OrganisationRecorded | None:
        row = self._row(OrganisationRecorded.topic, organisation_id)
        return row if isinstance(row, OrganisationRecorded) else None

    def child(self, child_id: str) -> ChildRecorded | None:
        row = self._row(ChildRecorded.topic, child_id)
        return row if isinstance(row, ChildRecorded) else None

    def children_with(self, scheme: str, value: str) -> list[ChildRecorded]:
        return [row for row in self._found(scheme, value) if isinstance(row, ChildRecorded)]

    def organisations_in(self, role: Role, authority: str | None = None) -> list[OrganisationRecorded]:
        rows = [row for row in self._found("role", role.value) if isinstance(row, OrganisationRecorded)]
        return [row for row in rows if authority is None or row.local_authority_code == authority]

    def prefetch(self, keys: Collection[str]) -> None:
        """Read in one query what a batch is likely to ask for: most events are keyed by their child."""
        if wanted := [key for key in keys if (ChildRecorded.topic, key) not in self._rows]:
            if len(self._rows) + len(wanted) > CACHED:
                self.forget()
            self._rows |= dict.fromkeys((ChildRecorded.topic, key) for key in wanted)
            for start in range(0, len(wanted), AT_ONCE):
                some = [key.encode() for key in wanted[start : start + AT_ONCE]]
                for own_id, kind, body in self._ask(_MANY % ", ".join("?" * len(some)), ChildRecorded.topic, *some):
                    self._rows[kind, own_id.decode()] = _read(kind, body)

    def _open(self) -> sa.Connection:
        assert self._connection is not None, "within() a transaction first"
        return self._connection

    def _ask(self, statement: str, *values: object) -> Iterable[Any]:
        """In the driver's own words: through SQLAlchemy each costs some 100 µs more, measured."""
        connection = self._open()
        return connection.exec_driver_sql(worded(statement, connection.dialect.paramstyle), values).fetchall()

    def _row(self, kind: str, own_id: str) -> Recorded | None:
        """That there is none is known as long, too: an incident may name a force that is in no directory."""
        if (kind, own_id) not in self._rows:
            found = [_read(kind, body) for (body,) in self._ask(_ONE, kind, own_id.encode())]
            self._keep(kind, own_id, found[0] if found else None)
        return self._rows[kind, own_id]

    def _keep(self, kind: str, own_id: str, row: Recorded | None) -> None:
        if len(self._rows) >= CACHED:
            self.forget()
        self._rows[kind, own_id] = row

    def _found(self, scheme: str, value: str) -> list[Recorded]:
        at = (scheme, value)
        if at not in self._lookups:
            found = [
                (kind, own_id.decode(), _read(kind, body))
                for own_id, kind, body in self._ask(_FOUND, scheme, _indexed(value).encode())
            ]
            if len(self._lookups) >= CACHED:
                self.forget()
            for kind, own_id, row in found:
                self._keep(kind, own_id, row)
            self._lookups[at] = [row for _, _, row in found]
        return self._lookups[at]


# With its kind, as the table is ordered by that first: to find an id alone, a database reads every row.
_AMONG = sa.and_(
    directory_rows.c.kind.in_(sa.bindparam("kinds", expanding=True)),
    directory_rows.c.id.in_(sa.bindparam("ids", expanding=True)),
)
_VERSIONS = sa.select(directory_rows.c.kind, directory_rows.c.id, directory_rows.c.version).where(_AMONG)
_MANY = "SELECT id, kind, body FROM directory_rows WHERE kind = ? AND id IN (%s)"
_ONE = "SELECT body FROM directory_rows WHERE kind = ? AND id = ?"
_FOUND = (
    "SELECT r.id, r.kind, r.body FROM directory_ids AS i "
    "JOIN directory_rows AS r ON r.kind = i.kind AND r.id = i.row_id "
    "WHERE i.scheme = ? AND i.value = ? ORDER BY r.id"
)
_FORGET_IDS = directory_ids.delete().where(
    directory_ids.c.kind == sa.bindparam("k"), directory_ids.c.row_id == sa.bindparam("r")
)


def _indexed(value: str) -> str:
    """What stands in the index: PostgreSQL's takes no long one, so that is hashed."""
    return value if len(value) <= LONGEST_INDEXED else blake2b(value.encode(), digest_size=16).hexdigest()


def _read(topic: str, body: bytes) -> Recorded:
    kind = OrganisationRecorded if topic == OrganisationRecorded.topic else ChildRecorded
    return kind.model_validate_json(body)
