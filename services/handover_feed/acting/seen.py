"""Who saw what → HandoverSeen, ids only, in the background: no page waits for it.

What is seen is written down in lots a moment later, and sent until Kafka has it, also by the next process. An orderly
end writes down everything; a process that is killed loses what was seen within that moment.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self
from uuid import uuid4

import structlog
from prometheus_client import Counter

from services.bus.errors import Surroundings
from services.bus.events import HandoverSeen, SeenWhat, Team
from services.handover_feed.acting.letters import Letters

if TYPE_CHECKING:
    from services.handover_feed.door.context import Board

A_MOMENT = 0.2
"""Seconds in which a lot is gathered."""

MOST = 20_000
"""Entries that wait while the database is away. Then nobody sees a card either; of what is shown still, such as a page
without one, the oldest entries are lost, loudly."""

LOT = 500
PAUSE = 1.0

LATELY_US = 600 * 1_000_000
"""A list or a stream that shows a matter again within so long is no new sight of it: it does so at every change."""

MOST_LATELY = 50_000
"""Sights that are remembered; beyond, all are forgotten, and some are recorded once more."""

LOST = Counter("safebus_board_seen_lost_total", "Entries of who saw what that could not be written down")

log = structlog.get_logger()


class Seen:
    """Gathers within the block; at its end everything is written down."""

    def __init__(self, letters: Letters) -> None:
        self._letters = letters
        self._waiting: deque[HandoverSeen] = deque()
        self._lately: dict[tuple[str, SeenWhat, str], int] = {}
        self._bell = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            await self._write_down()
        except Surroundings as error:
            self._lost(len(self._waiting), str(error))

    def note(self, entry: HandoverSeen) -> None:
        """To be written down in a moment."""
        if len(self._waiting) >= MOST:
            self._waiting.popleft()
            self._lost(1, "too many wait")
        self._waiting.append(entry)
        self._bell.set()

    def is_new(self, person_id: str, what: SeenWhat, matter_id: str, now_us: int) -> bool:
        """Whether this one has not seen that matter so lately; from now on, it has."""
        sight = (person_id, what, matter_id)
        if now_us - self._lately.get(sight, -LATELY_US) < LATELY_US:
            return False
        if len(self._lately) >= MOST_LATELY:
            self._lately.clear()
        self._lately[sight] = now_us
        return True

    async def _run(self) -> None:
        while True:
            await self._bell.wait()
            await asyncio.sleep(A_MOMENT)
            self._bell.clear()
            try:
                await self._write_down()
            except Surroundings as error:
                log.warning("waiting", reason=str(error))
                self._bell.set()
                await asyncio.sleep(PAUSE)

    async def _write_down(self) -> None:
        while self._waiting:
            lot = [self._waiting[n] for n in range(min(LOT, len(self._waiting)))]
            await self._letters.later({entry.seen_id: entry for entry in lot})
            for entry in lot:
                with suppress(ValueError):  # it was lost meanwhile
                    self._waiting.remove(entry)

    def _lost(self, number: int, why: str) -> None:
        if number:
            LOST.inc(number)
            log.error("seen_lost", entries=number, reason=why)


def saw(board: Board, person_id: str, team: Team, what: SeenWhat, matter_id: str | None = None) -> None:
    """Somebody saw or did this now; it is recorded in a moment."""
    board.seen.note(
        HandoverSeen(
            seen_id=str(uuid4()),
            person_id=person_id,
            team=team,
            what=what,
            matter_id=matter_id,
            happened_at=datetime.fromtimestamp(board.now_us / 1_000_000, UTC),
        )
    )


def saw_each(board: Board, person_id: str, team: Team, what: SeenWhat, matter_ids: Iterable[str]) -> None:
    """Somebody saw these matters among others now, so that it can be told which child was seen by whom."""
    now_us = board.now_us
    for matter_id in matter_ids:
        if board.seen.is_new(person_id, what, matter_id, now_us):
            saw(board, person_id, team, what, matter_id)
