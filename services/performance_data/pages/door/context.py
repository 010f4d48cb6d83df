"""What every route of the performance pages works with."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol, cast

from fastapi import Request

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.settings import Settings
from services.performance_data.measures import Figures


class Computes(Protocol):
    """Whoever has the figures."""

    def __call__(self, months: Sequence[date], *, outside: bool) -> Awaitable[Figures]:
        """All measures of these months, each given by its first day. Small numbers are suppressed if `outside`."""


@dataclass(slots=True)
class ReadingRoom:
    """One process that serves the pages."""

    settings: Settings
    access: Access
    clock: Clock
    figures: Computes

    @property
    def now_us(self) -> int:
        """Microseconds since 1970, UTC, on the installation's clock."""
        return int(self.clock.now().timestamp() * 1_000_000)


def reading_room_of(request: Request) -> ReadingRoom:
    return cast(ReadingRoom, request.app.state.reading_room)
