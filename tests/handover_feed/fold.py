"""The board's loop without Kafka, for tests of the pages: what is said is folded at once, and its card on the board."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast
from uuid import uuid4

from pydantic import SecretStr

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.envelope import Envelope, Event
from services.bus.errors import Surroundings
from services.bus.events import DisclosureRead, HandoverEscalated, MatterChanged, ShiftClosed
from services.bus.run import codec_for
from services.bus.settings import Settings
from services.handover_feed.acting.letters import Letter, Letters
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


class Fold(Letters):
    """The board's letters: written down as ever, and heard instead of sent."""

    def __init__(self, at: Settings, access: Access, clock: Clock, matters: dict[str, Matter]) -> None:
        super().__init__(at.model_copy(update={"password": SecretStr("never sent")}), access, clock, codec_for(at))
        self._line = cast(Any, self)
        self.matters = matters
        self.noted: list[Event] = []
        """What the board noted by itself."""
        self.away = False
        """Kafka does not answer."""
        self.board: Board | None = None

    async def ready_for(self, _types: set[str]) -> None:
        if self.away:
            raise Surroundings("Kafka does not answer")

    def _fit(self, event: Event, event_id: str) -> Letter:
        return Letter.of(event, event_id, self.now_us)

    async def _send(self, letters: Sequence[Letter]) -> None:
        for one in letters:
            await self.hear(one.event)

    async def later(self, events: Mapping[str, Event]) -> None:
        self.noted += events.values()

    async def hear(self, event: Event) -> None:
        """As the loop does with one event, and with the card that comes of it."""
        assert self.board
        if not event.is_said:
            own_id = str(event.disclosure.id) if hasattr(event, "disclosure") else str(uuid4())
            event.enveloped(Envelope(own_id, "urn:safebus:test", event.topic, self._clock.now()))
        if isinstance(event, ShiftClosed) or (matter_id := Matter.key_of(event)) is None:
            return
        matter = self.matters.get(matter_id, Matter())
        said = [part for part in show(event, matter, NOBODY) if isinstance(part, Event)]
        self.matters[matter_id] = matter.evolve(event)
        for part in said:
            if isinstance(part, MatterChanged):
                await tell(self.board, part)
            elif not isinstance(part, DisclosureRead | HandoverEscalated):
                await self.hear(part)


@asynccontextmanager
async def folded(at: Settings, matters: dict[str, Matter] | None = None) -> AsyncIterator[tuple[Board, Fold]]:
    """A board of which everything is real but Kafka."""
    async with AsyncExitStack() as stack:
        access = Access(at, NAME)
        stack.callback(access.close)
        await make_tables(access, NAME, BOARD, [metadata])
        clock = Clock.of(at)
        fold, hub = Fold(at, access, clock, {} if matters is None else matters), Hub(access)
        seen = await stack.enter_async_context(Seen(fold))
        rest = dict.fromkeys(("catalogue", "keys"), cast(Any, None))
        board = Board(
            settings=at, access=access, clock=clock, codec=codec_for(at), letters=fold, seen=seen, hub=hub,
            order=order_of(at),            **rest,
        )  # fmt: skip
        fold.board = board
        BOARD.listeners.append(hub.ring)
        stack.callback(BOARD.listeners.remove, hub.ring)
        await stack.enter_async_context(hub)
        yield board, fold
