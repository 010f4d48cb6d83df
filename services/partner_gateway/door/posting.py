from __future__ import annotations

from typing import Self

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.settings import Settings


class Postbox:
    def __init__(self, at: Settings, access: Access, clock: Clock) -> None: ...
    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...
