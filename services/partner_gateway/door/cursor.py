"""Where a client stands in its inbox: EPOCH.NUMBER, the last entry that it has."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import sqlalchemy as sa

from services.partner_gateway.door.context import Gateway
from services.partner_gateway.inbox import reading
from services.web.problems import Problem

_FORM = re.compile(r"([0-9a-f]{8})\.([0-9]{1,18})")


class Cursor(NamedTuple):
    epoch: str
    number: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.number}"


class EpochChanged(Problem):
    """The numbers that the client has are of an epoch that has passed."""

    def __init__(self, epoch: str) -> None:
        super().__init__(
            410,
            "epoch-changed",
            f"the inbox was built anew and its entries have new numbers; read from the beginning with after={epoch}.0 "
            "and leave out the disclosures whose disclosure_id you have",
        )
        self._epoch = epoch

    def body(self) -> dict[str, Any]:
        return super().body() | {"epoch": self._epoch}


def cursor_of(text: str | None) -> Cursor | None:
    """The cursor that a client gave, None if it gave none.

    Raises:
        Problem: 422, it is not one.
    """
    if not text:
        return None
    found = _FORM.fullmatch(text)
    if found is None:
        raise Problem(
            422, "invalid-cursor", "a cursor is what an entry or a page gave you: EPOCH.NUMBER",
            errors=[("/query/after", "is not a cursor")],
        )  # fmt: skip
    return Cursor(found[1], int(found[2]))


def refuse_beyond(connection: sa.Connection, organisation: str, cursor: Cursor) -> None:
    """A number that was never given would wait for ever, and what comes before it would be lost.

    Raises:
        Problem: 422, the number is higher than the one given last.
    """
    if cursor.number > reading.last(connection, organisation):
        raise Problem(
            422, "invalid-cursor", "no entry of your inbox has had that number yet",
            errors=[("/query/after", "is beyond the last entry")],
        )  # fmt: skip


async def beyond(gateway: Gateway, organisation: str, cursor: Cursor) -> None:
    """Refuse a cursor of this epoch with a number that was never given."""

    def look(connection: sa.Connection) -> None:
        if cursor.epoch == reading.epoch(connection):
            refuse_beyond(connection, organisation, cursor)

    await gateway.access.read(look)
