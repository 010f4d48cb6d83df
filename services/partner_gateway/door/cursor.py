"""What a cursor may be of one inbox: of its epoch, and no number that was never given."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from services.partner_gateway.door.context import Gateway
from services.partner_gateway.inbox import reading
from services.web.cursor import Cursor
from services.web.problems import Problem


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
