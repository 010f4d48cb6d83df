from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from services.partner_gateway.door.context import Gateway


class Sender:
    def __init__(self, gateway: Gateway) -> None: ...
    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...
