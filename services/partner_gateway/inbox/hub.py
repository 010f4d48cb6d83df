from __future__ import annotations

from typing import Self

from services.bus.access import Access


class Hub:
    def __init__(self, access: Access) -> None: ...
    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...
    def ring(self) -> None: ...
    async def close(self) -> None: ...
