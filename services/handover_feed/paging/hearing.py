"""A board that hears nothing of the bus pages the on-call manager by itself: no escalation can reach it then (H7).

Once, and once more when it hears again. It is told under an id that follows from what the board heard last, so that two
processes that are deaf together, or one that was started again, tell of it once. Without a database it is told all the
same; then it may be told twice.
"""

from __future__ import annotations

import asyncio
import time
from secrets import token_hex
from typing import TYPE_CHECKING, NamedTuple, Self

import sqlalchemy as sa
import structlog

from services.bus.envelope import same_cause_same_id
from services.bus.errors import Surroundings
from services.bus.health import Health
from services.bus.tables import upsert
from services.handover_feed.board import reading
from services.handover_feed.paging.message import about_hearing
from services.handover_feed.paging.pager import way_out
from services.handover_feed.paging.tables import deaf
from services.web.egress import Egress

if TYPE_CHECKING:
    from services.handover_feed.door.context import Board

POLL = 5.0
"""Seconds between looks; after a page that failed, the next look tries again."""
GONE_US = 60_000_000
"""A process that has not said for so long that it still hears nothing is gone, and another may say that it is over."""
OVER = ""
"""Holds what is over. It is remembered for a day, so that what comes after it is told under an id of its own."""
DAY_US = 24 * 3600 * 1_000_000

log = structlog.get_logger()


class Told(NamedTuple):
    """That a board heard nothing was told."""

    deaf_id: str
    since_us: int


class Hearing:
    """Watches while the block lasts."""

    def __init__(self, board: Board, health: Health) -> None:
        self._board, self._health = board, health
        self._egress = Egress(way_out(board.settings))
        self._name = token_hex(8)
        self._told: Told | None = None
        self._before = 0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._egress.__aenter__()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._egress.__aexit__()

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - told by its kind alone: its text may quote a URL or a row
                log.error("hearing_fault", kind=type(error).__name__)  # noqa: TRY400
            await asyncio.sleep(POLL)

    async def look(self) -> None:
        """Tell what is to be told now."""
        seconds = self._health.deaf_for
        if seconds >= self._board.settings.board_deaf_minutes * 60:
            await self._deaf(int(seconds))
        elif self._health.is_ready:  # one that has only begun does not know yet whether it hears
            await self._hears()

    async def _deaf(self, seconds: int) -> None:
        if self._told is None:
            told = Told(await self._id(), self._board.now_us - seconds * 1_000_000)
            if await self._stands(told) or await self._page(told.deaf_id, seconds, deaf=True):
                self._told = told
        if self._told is not None:
            await self._keep(self._told)

    async def _hears(self) -> None:
        """Of each that was told, if nobody is deaf by it any more."""
        now_us = time.time_ns() // 1000
        for one in await self._over(now_us):
            seconds = max(0, self._board.now_us - one.since_us) // 1_000_000
            if not await self._page(f"{one.deaf_id} over", seconds, deaf=False):
                return
            await self._end(one)
        self._before += self._told is not None
        self._told = None

    async def _page(self, own_id: str, seconds: int, *, deaf: bool) -> bool:
        at = self._board.settings
        say = log.error if deaf else log.info
        if not at.board_page_url:
            say("board_deaf" if deaf else "board_hears", seconds=seconds, paged=False)
            return True
        headers, body = about_hearing(at, own_id, seconds // 60, self._board.now_us, deaf=deaf)
        outcome = await self._egress.post(at.board_page_url, headers, body)
        say("board_deaf" if deaf else "board_hears", seconds=seconds, paged=outcome.taken, what=outcome.what)
        return outcome.taken

    # What is remembered, if the database is there

    async def _id(self) -> str:
        def look(connection: sa.Connection) -> str:
            heard = f"{reading.epoch(connection)}.{reading.last(connection)}"
            over = set(connection.execute(sa.select(deaf.c.deaf_id).where(deaf.c.holder == OVER)).scalars())
            return next(own_id for n in range(len(over) + 1) if (own_id := _named(heard, n)) not in over)

        try:
            return await self._board.access.read(look)
        except Surroundings:
            return _named(self._name, self._before)

    async def _stands(self, told: Told) -> bool:
        this = sa.select(deaf.c.deaf_id).where(deaf.c.deaf_id == told.deaf_id, deaf.c.holder != OVER)
        try:
            return await self._board.access.read(lambda c: c.execute(this).first()) is not None
        except Surroundings:
            return False

    async def _keep(self, told: Told) -> None:
        until_us = time.time_ns() // 1000 + GONE_US
        row = {"deaf_id": told.deaf_id, "since_us": told.since_us, "holder": self._name, "until_us": until_us}

        def keep(connection: sa.Connection) -> None:
            mine = {"holder": self._name, "until_us": until_us}
            connection.execute(upsert(connection, deaf).values(row).on_conflict_do_update(["deaf_id"], set_=mine))

        try:
            await self._board.access.write(keep)
        except Surroundings as error:
            log.warning("hearing_waits", reason=str(error))

    async def _over(self, now_us: int) -> list[Told]:
        try:
            found = await self._board.access.read(
                lambda c: c.execute(sa.select(deaf).where(deaf.c.holder != OVER)).all()
            )
        except Surroundings:
            found = []
        over = [one for one in found if one.holder == self._name or one.until_us < now_us]
        unknown = self._told is not None and self._told.deaf_id not in {one.deaf_id for one in found}
        mine = [self._told] if self._told and unknown else []
        return [*mine, *(Told(one.deaf_id, one.since_us) for one in over)]

    async def _end(self, one: Told) -> None:
        now_us = time.time_ns() // 1000
        row = {"deaf_id": one.deaf_id, "since_us": one.since_us, "holder": OVER, "until_us": now_us}

        def end(connection: sa.Connection) -> None:
            old = sa.and_(deaf.c.holder == OVER, deaf.c.until_us < now_us - DAY_US)
            connection.execute(deaf.delete().where(old))
            now = {"holder": OVER, "until_us": now_us}
            connection.execute(upsert(connection, deaf).values(row).on_conflict_do_update(["deaf_id"], set_=now))

        try:
            await self._board.access.write(end)
        except Surroundings as error:
            log.warning("hearing_waits", reason=str(error))


def _named(heard: str, before: int) -> str:
    """What is told of it: of the same board, after so many others since it heard something."""
    return str(same_cause_same_id("board", "deaf", heard, str(before)))
