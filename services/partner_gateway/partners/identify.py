from __future__ import annotations

from typing import TYPE_CHECKING

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.settings import Settings

if TYPE_CHECKING:
    from services.partner_gateway.door.who import Caller


class Identifier:
    def __init__(self, at: Settings, access: Access, clock: Clock) -> None: ...
    async def identify(self, _token: str) -> Caller | None:
        return None
