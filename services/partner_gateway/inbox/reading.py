"""Reading an inbox: always one organisation's own, by its name and the number, however long the inbox is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from pydantic_core import from_json

from services.partner_gateway.inbox import tables
from services.partner_gateway.tables import opening

WITHHELD = "declare-no-conflict"
_BEGAN = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of an inbox, as it stands now. Moments are µs since 1970, UTC."""

    organisation: str
    number: int
    disclosure_id: str
    type: str
    event_id: str
    source: str
    time_us: int
    child_id: str
    role: str
    due_us: int | None
    declare_no_conflict: bool
    location_confidential: bool
    content: bytes
    """The event's body as JSON. To be shown only if not `withheld`."""
    read_us: int | None
    """When a named person read it first, or acted on it without saying so before."""
    acted_us: int | None
    opened: bool
    """Whether somebody, or who was asked about, declared that there is no conflict (H3)."""

    late: bool
    """Whether it was not read by when it was due; once late it stays so."""

    @property
    def state(self) -> Literal["unread", "read", "acted"]:
        return "acted" if self.acted_us is not None else "unread" if self.read_us is None else "read"

    @property
    def withheld(self) -> bool:
        """Whether the content stays closed until a named person has declared that there is no conflict (H3)."""
        return self.declare_no_conflict and not self.opened

    @property
    def data(self) -> dict[str, Any]:
        """The event's body. Ask `withheld` first."""
        return from_json(self.content)  # type: ignore[no-any-return]


def entries(
    connection: sa.Connection, organisation: str, after: int, limit: int, now_us: int, *, person_id: str | None = None
) -> list[Row]:
    """At most `limit` entries with a number above `after`, in order.

    Args:
        person_id: `opened` then says whether this person has declared; without it, whether anybody has.
    """
    asked = {"organisation": organisation, "after": after, "limit": limit, "person": person_id}
    return _rows(connection, _page(someone=person_id is None), asked, now_us)


def entry(
    connection: sa.Connection, organisation: str, number: int, now_us: int, *, person_id: str | None = None
) -> Row | None:
    """The entry with that number; None if this organisation has none, whoever else has."""
    asked = {"organisation": organisation, "number": number, "person": person_id}
    return next(iter(_rows(connection, _by_number(someone=person_id is None), asked, now_us)), None)


class Stretch(NamedTuple):
    """Some of an inbox: the numbers above `after`, up to `last`."""

    organisation: str
    after: int
    last: int


def stretches(connection: sa.Connection, wanted: Sequence[Stretch], now_us: int) -> list[Row]:
    """The entries of several inboxes at once, a hundred or fewer, by organisation and in order."""
    asked = {f"{name}{n}": value for n, one in enumerate(wanted) for name, value in one._asdict().items()}
    rows = _rows(connection, _places(len(wanted)), asked, now_us)
    return sorted(rows, key=lambda row: (row.organisation, row.number))


def by_disclosure(
    connection: sa.Connection, organisation: str, disclosure_id: str, now_us: int, *, person_id: str | None = None
) -> Row | None:
    """The entry of that disclosure, if it stands in this organisation's inbox."""
    asked = {"organisation": organisation, "disclosure": disclosure_id, "person": person_id}
    return next(iter(_rows(connection, _by_disclosure(someone=person_id is None), asked, now_us)), None)


def epoch(connection: sa.Connection) -> str:
    """The epoch that numbers are given in now."""
    return connection.execute(_EPOCH).scalar_one()  # type: ignore[no-any-return]


def last(connection: sa.Connection, organisation: str) -> int:
    """The number given last, 0 if none was."""
    return connection.execute(_LAST, {"organisation": organisation}).scalar() or 0


@dataclass(frozen=True, slots=True)
class Proof:
    """That nothing is missing: `count` entries stand, from `first` to `last`, counted one by one."""

    epoch: str
    count: int
    first: int | None
    last: int | None


def proof(connection: sa.Connection, organisation: str) -> Proof:
    """What stands in this organisation's inbox. Gapless means that count = last - first + 1."""
    mine = tables.entry.c.organisation == organisation
    ends = [
        connection.execute(sa.select(tables.entry.c.number).where(mine).order_by(order).limit(1)).scalar()
        for order in (tables.entry.c.number.asc(), tables.entry.c.number.desc())
    ]
    # By the urgency, whose index holds no content: the table itself is a hundred times as large.
    count = connection.execute(sa.select(sa.func.count(tables.entry.c.urgency)).where(mine)).scalar_one()
    return Proof(epoch(connection), count, ends[0], ends[1])


def as_json(row: Row, epoch: str) -> dict[str, Any]:
    """The entry as the API shows it, its content left out while it is withheld.

    What started the chain (`correlation`) is not shown: its source may be who raised the concern.
    """
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": row.event_id,
        "source": row.source,
        "type": row.type,
        "time": moment(row.time_us),
        "datacontenttype": "application/json",
    }
    shown: dict[str, Any] = {
        "cursor": f"{epoch}.{row.number}",
        "number": row.number,
        "disclosure_id": row.disclosure_id,
        "role": row.role,
        "due_by": None if row.due_us is None else moment(row.due_us),
        "state": row.state,
        "late": row.late,
        "event": event,
    }
    if row.withheld:
        shown["withheld"] = WITHHELD
    else:
        event["data"] = row.data
    return shown


def moment(us: int) -> str:
    """RFC 3339, UTC."""
    return (_BEGAN + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")


# Each statement is made once: building one costs 250 µs, and running it 20 (measured). `someone` asks whether anybody
# has opened an entry, instead of `person`.

_EPOCH = sa.select(tables.epoch.c.epoch)
_LAST = sa.select(tables.counter.c.last).where(tables.counter.c.organisation == sa.bindparam("organisation"))
_MINE = tables.entry.c.organisation == sa.bindparam("organisation")


@cache
def _page(*, someone: bool) -> sa.Select[Any]:
    page = _select(someone=someone).where(_MINE, tables.entry.c.number > sa.bindparam("after"))
    return page.order_by(tables.entry.c.number).limit(sa.bindparam("limit"))


@cache
def _by_number(*, someone: bool) -> sa.Select[Any]:
    return _select(someone=someone).where(_MINE, tables.entry.c.number == sa.bindparam("number"))


@cache
def _by_disclosure(*, someone: bool) -> sa.Select[Any]:
    return _select(someone=someone).where(_MINE, tables.entry.c.disclosure_id == sa.bindparam("disclosure"))


@cache
def _places(count: int) -> sa.Select[Any]:
    """So many stretches, each by its key; SQLite would look through the whole table for a list of pairs, or to sort."""
    places = [
        sa.and_(
            tables.entry.c.organisation == sa.bindparam(f"organisation{n}"),
            tables.entry.c.number > sa.bindparam(f"after{n}"),
            tables.entry.c.number <= sa.bindparam(f"last{n}"),
        )
        for n in range(count)
    ]
    return _select(someone=True).where(sa.or_(*places))


def _select(*, someone: bool) -> sa.Select[Any]:
    opened = sa.select(opening.c.person_id).where(opening.c.disclosure_id == tables.entry.c.disclosure_id)
    if not someone:
        opened = opened.where(opening.c.person_id == sa.bindparam("person"))
    return sa.select(
        tables.entry, _when("READ").label("read_us"), _when("ACTED").label("acted_us"), opened.exists().label("opened")
    )


def _when(state: str) -> sa.ScalarSelect[Any]:
    mine = sa.and_(tables.reading.c.disclosure_id == tables.entry.c.disclosure_id, tables.reading.c.state == state)
    return sa.select(tables.reading.c.at_us).where(mine).scalar_subquery()


def _rows(connection: sa.Connection, query: sa.Select[Any], asked: Mapping[str, Any], now_us: int) -> list[Row]:
    return [_row(found, now_us) for found in connection.execute(query, asked).mappings()]


def _row(found: Mapping[Any, Any], now_us: int) -> Row:
    due, acted = found["due_us"], found["acted_us"]
    read = min((us for us in (found["read_us"], acted) if us is not None), default=None)
    return Row(
        organisation=found["organisation"],
        number=found["number"],
        disclosure_id=found["disclosure_id"],
        type=found["type"],
        event_id=found["event_id"],
        source=found["source"],
        time_us=found["time_us"],
        child_id=found["child_id"],
        role=found["role"],
        due_us=due,
        declare_no_conflict=found["declare_no_conflict"],
        location_confidential=found["location_confidential"],
        content=found["content"],
        read_us=read,
        acted_us=acted,
        opened=bool(found["opened"]),
        late=due is not None and (now_us if read is None else read) > due,
    )
