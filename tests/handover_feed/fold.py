"""The board's loop without Kafka, for tests of the pages: what is said is folded at once, and its card on the board."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.envelope import Envelope, Event
from services.bus.events import ShiftClosed
from services.bus.run import codec_for
from services.bus.settings import Settings
from services.handover_feed.acting.letters import Letter, NotRecorded, _acknowledged, _written
from services.handover_feed.acting.seen import Seen
from services.handover_feed.board.hub import Hub
from services.handover_feed.board.order import order_of
from services.handover_feed.board.projection import BOARD
from services.handover_feed.card import NOBODY
from services.handover_feed.decide import show
from services.handover_feed.door.context import Board
from services.handover_feed.door.serve import NAME
from services.handover_feed.tables import metadata
from services.handover_feed.view import Matter
from services.web.serving import make_tables
from tests.handover_feed.conftest import tell


class Fold:
    """Stands where the board's letters do."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self.matters: dict[str, Matter] = {}
        self.seen: list[Event] = []
        self.away = False
        """Kafka does not answer."""
        self._access, self._clock = access, clock
        self.board: Board | None = None

    async def say(self, event: Event, event_id: str) -> None:
        if self.away:
            raise NotRecorded("Kafka does not answer")
        now_us = int(self._clock.now().timestamp() * 1_000_000)
        new = Letter.of(event, event_id, now_us)
        await self._access.write(lambda c: _written(c, new))
        await self._access.write(lambda c: _acknowledged(c, event_id))
        await self.hear(event, event_id)

    async def later(self, events: Mapping[str, Event]) -> None:
        self.seen += events.values()

    async def hear(self, event: Event, event_id: str | None = None) -> None:
        """As the loop does with one event, and with the card that comes of it."""
        assert self.board
        if not event.is_said:
            own_id = event_id or str(event.disclosure.id if hasattr(event, "disclosure") else id(event))
            event.enveloped(Envelope(own_id, "urn:safebus:test", event.topic, self._clock.now()))
        if isinstance(event, ShiftClosed) or (matter_id := Matter.key_of(event)) is None:
            return
        matter = self.matters.get(matter_id, Matter())
        for card in show(event, matter, cast(Any, NOBODY)):
            await tell(self.board, cast(Any, card))
        self.matters[matter_id] = matter.evolve(event)


@asynccontextmanager
async def folded(at: Settings) -> AsyncIterator[tuple[Board, Fold]]:
    """A board of which everything is real but Kafka."""
    async with AsyncExitStack() as stack:
        access = Access(at, NAME)
        stack.callback(access.close)
        await make_tables(access, NAME, BOARD, [metadata])
        clock = Clock.of(at)
        fold, hub = Fold(access, clock), Hub(access)
        seen = await stack.enter_async_context(Seen(cast(Any, fold)))
        rest = dict.fromkeys(("catalogue", "keys"), cast(Any, None))
        board = Board(
            settings=at, access=access, clock=clock, codec=codec_for(at), letters=cast(Any, fold), seen=seen, hub=hub,
            order=order_of(at),            **rest,
        )  # fmt: skip
        fold.board = board
        BOARD.listeners.append(hub.ring)
        stack.callback(BOARD.listeners.remove, hub.ring)
        await stack.enter_async_context(hub)
        yield board, fold
