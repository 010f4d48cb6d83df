"""The figures of some months are kept for a minute: a page, its CSV and a second reader cost one computation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import date

from services.performance_data.measures import Figures
from services.performance_data.pages.door.context import Computes

SECONDS = 60.0
MOST = 8
"""Periods kept; what was made longest ago is forgotten."""

Asked = tuple[tuple[date, ...], bool]


class Kept:
    """Computes as another does, one at a time. Each page says when its figures were made."""

    def __init__(self, computes: Computes, seconds: float = SECONDS) -> None:
        self._computes, self._seconds = computes, seconds
        self._made: dict[Asked, tuple[float, Figures]] = {}
        self._turn = asyncio.Lock()

    async def __call__(self, months: Sequence[date], *, outside: bool) -> Figures:
        asked = (tuple(months), outside)
        async with self._turn:
            made_at, figures = self._made.get(asked, (0.0, None))
            if figures is None or time.monotonic() - made_at > self._seconds:
                figures = await self._computes(asked[0], outside=outside)
                self._made.pop(asked, None)
                self._made[asked] = (time.monotonic(), figures)
                if len(self._made) > MOST:
                    del self._made[next(iter(self._made))]
            return figures
