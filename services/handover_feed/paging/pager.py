"""Pages the on-call manager for immediate danger that nobody has taken (H7), until somebody is reached or takes it.

At least once: killed between the paging service's answer and its record, the next process pages again, under the same
`webhook-id`. One process pages for one escalation at a time. Without a paging service it says at once, in the log and
on the card, that nobody is paged.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Self

import httpx
import structlog
from prometheus_client import Counter

from services.bus.errors import Surroundings, UserMistake
from services.bus.settings import Settings
from services.handover_feed.board.projection import BOARD
from services.handover_feed.paging import pages
from services.handover_feed.paging.message import is_secret, signed
from services.handover_feed.paging.pages import Turn
from services.web.egress import Egress, NotAllowed, Way, check

if TYPE_CHECKING:
    from services.handover_feed.door.context import Board

POLL = 1.0
"""Seconds between looks for what is due again, or was left by a process that is gone."""

PAGES = Counter("safebus_board_pages_total", "Attempts to page the on-call manager, by what came of them", ["outcome"])

log = structlog.get_logger()


class Pager:
    """Pages while the block lasts. It ends at once: what was under way comes again, under the same id.

    Raises:
        UserMistake: the paging service's address or secret can never do.
    """

    def __init__(self, board: Board) -> None:
        require_sound(board.settings)
        self._board = board
        self._egress = Egress(way_out(board.settings))
        self._name = token_hex(8)
        self._bell = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._egress.__aenter__()
        if not self._board.settings.board_page_url:
            log.warning("nobody_is_paged", reason="SAFEBUS_BOARD_PAGE_URL is not set")
        BOARD.listeners.append(self._bell.set)
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        BOARD.listeners.remove(self._bell.set)
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._egress.__aexit__()

    async def _run(self) -> None:
        while True:
            self._bell.clear()
            try:
                await self._look()
            except Surroundings as error:
                log.warning("pages_wait", reason=str(error))
                await asyncio.sleep(POLL)
            except Exception as error:  # noqa: BLE001 - told by its kind alone: its text may quote a URL or a row
                log.error("pages_fault", kind=type(error).__name__)  # noqa: TRY400
                await asyncio.sleep(POLL)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await self._bell.wait()

    async def _look(self) -> None:
        """Page for everything that is due, all at once: no slow answer keeps another back."""
        board = self._board
        found = await board.access.read(lambda connection: pages.due(connection, board.now_us))
        await asyncio.gather(*map(self._page, found))

    async def _page(self, escalation_id: str) -> None:
        board = self._board
        turn = await board.access.write(
            partial(pages.take, escalation_id=escalation_id, holder=self._name, now_us=board.now_us)
        )
        if turn is None:
            return
        url = board.settings.board_page_url
        reached = await self._try(url, turn) if url else self._nobody(turn)
        await board.access.write(
            partial(pages.record, turn=turn, tried=bool(url), reached=reached, now_us=board.now_us)
        )
        board.letters.ring()

    async def _try(self, url: str, turn: Turn) -> bool:
        headers, body = signed(
            self._board.settings, turn.escalation_id, turn.waiting_us, self._board.now_us, passed_on=turn.passed_on
        )
        outcome = await self._egress.post(url, headers, body)
        PAGES.labels("taken" if outcome.taken else "failed").inc()
        say = log.info if outcome.taken else log.error
        say("page", escalation=turn.escalation_id, attempt=turn.attempts + 1, status=outcome.status, what=outcome.what)
        return outcome.taken

    def _nobody(self, turn: Turn) -> bool:
        log.error("nobody_is_paged", escalation=turn.escalation_id, reason="SAFEBUS_BOARD_PAGE_URL is not set")
        PAGES.labels("nowhere").inc()
        return False


def require_sound(at: Settings) -> None:
    """Refuse, when the board starts and not at the first danger, what would reach nobody. Raises UserMistake."""
    if at.board_page_url:
        try:
            check(way_out(at), at.board_page_url)
        except NotAllowed as error:
            raise UserMistake(f"SAFEBUS_BOARD_PAGE_URL leads nowhere: {error}") from error
    if at.board_page_secret is not None and not is_secret(at.board_page_secret.get_secret_value()):
        raise UserMistake(
            "SAFEBUS_BOARD_PAGE_SECRET must be as Standard Webhooks has it: whsec_ and at least 24 bytes in Base64"
        )


def way_out(at: Settings) -> Way:
    """To the paging service alone.

    It may be on loopback only where the board is too, as in a demo.
    """
    host = ""
    with suppress(httpx.InvalidURL, ValueError):
        host = httpx.URL(at.board_page_url or "").raw_host.decode("ascii").lower()
    return Way(host, at.board_host, at.board_url)
