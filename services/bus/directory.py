"""The directory: organisations and children as the loop last read them, in the service's own database.

Rows carry a version and a lower one is ignored, so reading the topic again, in any order of its partitions, changes
nothing (DESIGN.md §1, rule 8). A closed record stays and is marked closed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.bus.contract.identifiers import plain
from services.bus.events import ChildRecorded, OrganisationRecorded, Role
from services.bus.tables import directory_ids, directory_rows

Recorded = OrganisationRecorded | ChildRecorded
TOPICS = (OrganisationRecorded.topic, ChildRecorded.topic)
CACHED = 20_000


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


class DirectoryTable(MemoryDirectory):
    """The directory in a store's tables. Hot rows and look-ups stay in memory until the directory changes."""

    def __init__(self) -> None:
        super().__init__()
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
        newest: dict[str, Recorded] = {}
        for row in rows:
            if row_id(row) not in newest or newest[row_id(row)].version < row.version:
                newest[row_id(row)] = row
        if not newest:
            return
        connection = self._open()
        versions = sa.select(directory_rows.c.id, directory_rows.c.version).where(directory_rows.c.id.in_(list(newest)))
        stands = {row.id: row.version for row in connection.execute(versions)}
        newer = {key: row for key, row in newest.items() if stands.get(key, -1) < row.version}
        if not newer:
            return
        self._write(connection, newer)
        self.forget()

    @staticmethod
    def _write(connection: sa.Connection, newer: dict[str, Recorded]) -> None:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        insert = dialect.insert(directory_rows)
        put = insert.on_conflict_do_update(
            index_elements=["id"],
            set_={name: insert.excluded[name] for name in ("kind", "version", "body")},
            where=directory_rows.c.version < insert.excluded.version,
        )
        connection.execute(
            put,
            [
                {"id": key, "kind": row.topic, "version": row.version, "body": row.model_dump_json().encode()}
                for key, row in newer.items()
            ],
        )
        connection.execute(directory_ids.delete().where(directory_ids.c.row_id == sa.bindparam("r")), [
            {"r": key} for key in newer
        ])  # fmt: skip
        connection.execute(
            dialect.insert(directory_ids).on_conflict_do_nothing(),
            [
                {"scheme": scheme, "value": value, "row_id": key}
                for key, row in newer.items()
                for scheme, value in identifiers(row)
            ],
        )

    def organisation(self, organisation_id: str) -> OrganisationRecorded | None:
        self._fetch(organisation_id)
        return super().organisation(organisation_id)

    def child(self, child_id: str) -> ChildRecorded | None:
        self._fetch(child_id)
        return super().child(child_id)

    def prefetch(self, keys: Collection[str]) -> None:
        """Read in one query what a batch is likely to ask for: most events are keyed by their child."""
        if wanted := [key for key in keys if key not in self._rows]:
            if len(self._rows) + len(wanted) > CACHED:
                self.forget()
            for row in self._open().execute(_MANY, {"keys": wanted}):
                self._rows[row.id] = _read(row.kind, row.body)

    def _open(self) -> sa.Connection:
        assert self._connection is not None, "within() a transaction first"
        return self._connection

    def _fetch(self, key: str) -> None:
        if key in self._rows:
            return
        row = self._open().execute(_ONE, {"key": key}).first()
        if row is not None:
            self._keep(key, _read(row.kind, row.body))

    def _keep(self, key: str, row: Recorded) -> Recorded:
        if len(self._rows) >= CACHED:
            self.forget()
        self._rows[key] = row
        return row

    def _found(self, scheme: str, value: str) -> list[Recorded]:
        at = (scheme, value)
        if at not in self._lookups:
            found = self._open().execute(_FOUND, {"scheme": scheme, "value": value})
            if len(self._lookups) >= CACHED:
                self.forget()
            self._lookups[at] = [self._keep(row.id, _read(row.kind, row.body)) for row in found]
        return self._lookups[at]


_MANY = sa.select(directory_rows.c.id, directory_rows.c.kind, directory_rows.c.body).where(
    directory_rows.c.id.in_(sa.bindparam("keys", expanding=True))
)
_ONE = sa.select(directory_rows.c.kind, directory_rows.c.body).where(directory_rows.c.id == sa.bindparam("key"))
_FOUND = (
    sa.select(directory_rows.c.id, directory_rows.c.kind, directory_rows.c.body)
    .join(directory_ids, directory_ids.c.row_id == directory_rows.c.id)
    .where(directory_ids.c.scheme == sa.bindparam("scheme"), directory_ids.c.value == sa.bindparam("value"))
    .order_by(directory_rows.c.id)
)


def _read(topic: str, body: bytes) -> Recorded:
    kind = OrganisationRecorded if topic == OrganisationRecorded.topic else ChildRecorded
    return kind.model_validate_json(body)
