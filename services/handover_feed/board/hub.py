"""Tells streams what is new on the board (services/web/hub.py), and whoever acted what became of the act."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import sqlalchemy as sa

from services.bus.access import Access
from services.handover_feed.board import reading
from services.handover_feed.board.reading import ActResult, Change
from services.handover_feed.board.shown import hint, screen
from services.web import hub
from services.web.hub import Found, Frame

SCREENS = "screens"
"""The channel of teams' own screens: whole cards."""

PAGES = "pages"
"""The channel of the board's pages: which card changed, and nothing about anybody."""

FRAMES: Mapping[str, Callable[[Change, str], bytes]] = {SCREENS: screen, PAGES: hint}


class Hub(hub.Hub):
    """The board's two channels."""

    def __init__(self, access: Access) -> None:
        super().__init__(access, _news)

    async def wait_for_act(self, act_id: str, seconds: float) -> ActResult | None:
        """What became of the act, as soon as the board has it; None if it has not within so many seconds.

        Raises:
            Surroundings: the database is away.
        """
        with self.watch(PAGES) as watcher, suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not watcher.channel.closed:
                    # Woken only by what comes after: so wait from before the look.
                    waiting = asyncio.ensure_future(watcher.wait())
                    await asyncio.sleep(0)
                    try:
                        found = await self._access.read(lambda connection: reading.act(connection, act_id))
                        if found is not None:
                            return found
                        await waiting
                    finally:
                        waiting.cancel()
        return None


def frames_of(channel: str, changes: Sequence[Change], epoch: str) -> list[Frame]:
    """Encoded for that channel."""
    encode = FRAMES[channel]
    return [Frame(change.no, encode(change, epoch), change.card.matter_id) for change in changes]


def _news(connection: sa.Connection, known: Mapping[str, tuple[str, int]]) -> tuple[str, Mapping[str, Found]]:
    epoch, last = reading.epoch(connection), reading.last(connection)
    behind = [after for was, after in known.values() if was == epoch and after < last]
    changes = reading.changes_after(connection, min(behind), hub.KEEP + 1) if behind else []
    found = {}
    for channel, (was, after) in known.items():
        if was != epoch:
            found[channel] = Found(last, ())
        elif after < last:
            new = [change for change in changes if change.no > after]
            found[channel] = Found(last, frames_of(channel, new, epoch) if len(changes) <= hub.KEEP else ())
    return epoch, found
