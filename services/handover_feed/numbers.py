"""How the handover board stands, as numbers for /metrics: matters open, danger that nobody took, pages not answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from prometheus_client import Gauge

from services.bus.errors import Surroundings
from services.bus.metrics import looking
from services.handover_feed.board.tables import card
from services.handover_feed.door.context import Board
from services.handover_feed.paging.tables import escalation

MATTERS = Gauge("safebus_board_matters_open", "Matters that stand on the handover board")
DANGER = Gauge("safebus_board_danger_untaken", "Matters of immediate danger that nobody has taken (H7)")
UNREACHED = Gauge(
    "safebus_board_escalations_unreached",
    "Escalations of danger untaken still for which no on-call manager was reached (H7)",
)


@contextmanager
def numbered(board: Board) -> Iterator[None]:
    """Tell them within the block."""

    async def look() -> None:
        try:
            found = await board.access.read(_read)
        except Surroundings:
            return  # safebus_store_up says so
        for gauge, number in zip((MATTERS, DANGER, UNREACHED), found, strict=True):
            gauge.set(number)

    with looking(look):
        yield


def _read(connection: sa.Connection) -> tuple[int, int, int]:
    count = sa.select(sa.func.count())
    unreached = (
        count.select_from(escalation)
        .join(card, card.c.matter_id == escalation.c.matter_id)
        .where(escalation.c.reached.is_(False), card.c.interrupts)
    )
    return (
        connection.execute(count.where(card.c.open)).scalar_one(),
        connection.execute(count.where(card.c.open, card.c.interrupts)).scalar_one(),
        connection.execute(unreached).scalar_one(),
    )
