"""What a person has typed and not sent is kept for that person, and shown to nobody else: a page that locks loses none.

It stands in the board's own database for a day at most, and is gone once the form was sent or thrown away. A browser
keeps nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from pydantic_core import from_json, to_json
from starlette.datastructures import FormData

from services.bus.tables import upsert
from services.handover_feed.people.tables import draft

KEPT_US = 24 * 3600 * 1_000_000
MOST = 20
"""Of one person; of more, the oldest are gone."""

FORMS = re.compile(r"/board/(?:note|shift|matters/[^?#]{1,300}/[a-z-]{1,20})")
NOT_TYPED = ("csrf", "act_id", "addresses", "path")


class Draft(NamedTuple):
    """What stands in one form."""

    path: str
    at_us: int
    typed: Mapping[str, Sequence[str]]

    @property
    def sent(self) -> FormData:
        """As if it had been sent."""
        return FormData([(name, value) for name, values in self.typed.items() for value in values])


def is_form(path: str) -> bool:
    """Whether that is the address of a form of the board's."""
    return FORMS.fullmatch(path) is not None


def typed_in(sent: FormData) -> dict[str, list[str]]:
    """By field, without what no person types."""
    names = dict.fromkeys(name for name in sent if name not in NOT_TYPED)
    found = {name: [str(value) for value in sent.getlist(name)] for name in names}
    return {name: values for name, values in found.items() if any(value.strip() for value in values)}


def keep(connection: sa.Connection, person_id: str, path: str, typed: Mapping[str, Sequence[str]], now_us: int) -> None:
    """This is what stands there now; of nothing typed, nothing is kept."""
    forget(connection, now_us)
    if not typed:
        drop(connection, person_id, path)
        return
    insert = upsert(connection, draft)
    row = {"person_id": person_id, "path": path, "at_us": now_us, "typed": to_json(typed)}
    now = {"at_us": insert.excluded.at_us, "typed": insert.excluded.typed}
    connection.execute(insert.on_conflict_do_update(index_elements=["person_id", "path"], set_=now), row)
    for old in of(connection, person_id, now_us)[MOST:]:
        drop(connection, person_id, old.path)


def of(connection: sa.Connection, person_id: str, now_us: int) -> list[Draft]:
    """All of this person's, the latest first."""
    mine = sa.select(draft).where(draft.c.person_id == person_id, draft.c.at_us >= now_us - KEPT_US)
    rows = connection.execute(mine.order_by(draft.c.at_us.desc(), draft.c.path))
    return [Draft(row.path, row.at_us, from_json(bytes(row.typed))) for row in rows]


def drop(connection: sa.Connection, person_id: str, path: str) -> None:
    connection.execute(draft.delete().where(draft.c.person_id == person_id, draft.c.path == path))


def forget(connection: sa.Connection, now_us: int) -> None:
    """Whatever is older than a day, of everybody."""
    connection.execute(draft.delete().where(draft.c.at_us < now_us - KEPT_US))
