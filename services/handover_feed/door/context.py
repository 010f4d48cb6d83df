"""What every route of the board works with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from fastapi import Request

from services.bus.access import Access
from services.bus.catalogue import Catalogue
from services.bus.clock import Clock
from services.bus.codec import Codec
from services.bus.events import RiskCriterion
from services.bus.settings import Settings
from services.handover_feed.risk import ORDER
from services.web.stream import Few

if TYPE_CHECKING:
    from services.handover_feed.acting.letters import Letters
    from services.handover_feed.acting.seen import Seen
    from services.handover_feed.board.hub import Hub
    from services.handover_feed.door.keys import Keys


@dataclass(slots=True)
class Board:
    """One board process: its settings, its database, and what is made once and used by every request."""

    settings: Settings
    access: Access
    catalogue: Catalogue
    clock: Clock
    codec: Codec
    letters: Letters
    """Says what people do, as the principal `board-door`, each thing once."""
    seen: Seen
    """Notes in the background who saw what."""
    hub: Hub
    """Tells streams, and whoever waits for an act, what is new on the board."""
    keys: Keys
    """Knows the keys of teams' own screens."""
    order: tuple[RiskCriterion, ...] = ORDER
    """What makes a matter stand above others, the weightiest first."""
    streams: Few = field(default_factory=lambda: Few(20))
    """By key and by person, how many streams are open here."""

    @property
    def now_us(self) -> int:
        """Microseconds since 1970, UTC, on the installation's clock."""
        return int(self.clock.now().timestamp() * 1_000_000)


def board_of(request: Request) -> Board:
    return cast(Board, request.app.state.board)
