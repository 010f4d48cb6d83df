"""What every route of the gateway works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from fastapi import Request

from services.bus.access import Access
from services.bus.catalogue import Catalogue
from services.bus.claims import Claims
from services.bus.clock import Clock
from services.bus.codec import Codec
from services.bus.settings import Settings
from services.web.stream import Few

if TYPE_CHECKING:
    from services.partner_gateway.door.posting import Postbox
    from services.partner_gateway.door.who import Caller
    from services.partner_gateway.inbox.hub import Hub
    from services.partner_gateway.partners.identify import Identifier


@dataclass(slots=True)
class Gateway:
    """One gateway process: its settings, its database, and what is made once and used by every request."""

    settings: Settings
    access: Access
    catalogue: Catalogue
    clock: Clock
    codec: Codec
    claims: Claims
    postbox: Postbox
    """Publishes events, each durable before it is answered."""
    hub: Hub
    """Tells streams what is new in an inbox."""
    identifier: Identifier
    """Knows API keys and tokens."""
    streams: Few
    """By organisation, how many streams it has open here."""

    async def identify(self, token: str) -> Caller | None:
        """Whose API key or token this is; None if it is nobody's now."""
        return await self.identifier.identify(token)

    @property
    def now_us(self) -> int:
        """Microseconds since 1970, UTC, on the installation's clock."""
        return int(self.clock.now().timestamp() * 1_000_000)


def gateway_of(request: Request) -> Gateway:
    return cast(Gateway, request.app.state.gateway)
