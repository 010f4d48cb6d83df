"""/figures, beside /metrics: how `safebus report` gets the figures from the process that has them all.

From the process and not from its files, since it alone knows whether everything has been heard. Every number is told
only to whoever holds the room's own secret, as those who look after the installation do; for others small ones are
suppressed.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import Protocol

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.bus.errors import NotPermitted, Surroundings
from services.bus.secrets import password_of
from services.bus.settings import Settings
from services.performance_data.hearing import NAME
from services.performance_data.measures import Figures

AS_JSON = TypeAdapter(Figures)
MOST_MONTHS = 120
_MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")


class Computes(Protocol):
    """Whoever has the figures."""

    def __call__(self, months: Sequence[date], *, outside: bool) -> Awaitable[Figures]:
        """All measures of these months, each given by its first day. Small numbers are suppressed if `outside`."""
        ...


def proof(at: Settings) -> str | None:
    """What shows that one may see every number; None where there is no secret to show it by."""
    try:
        password = password_of(NAME, at)
    except NotPermitted:
        return None
    return hmac.new(password.encode(), b"every number", "sha256").hexdigest()


def answer(figures: Computes, at: Settings) -> Callable[[Request], Awaitable[Response]]:
    """The route: `months`, as in 2026-09,2026-10, and `numbers=all`."""

    async def told(request: Request) -> Response:
        try:
            months = months_of(request.query_params.get("months", ""))
        except ValueError as error:
            return JSONResponse({"detail": str(error)}, 400)
        every = request.query_params.get("numbers") == "all"
        if every and not _proved(request.headers.get("authorization", ""), proof(at)):
            return JSONResponse({"detail": "only those who hold this room's secret may see every number"}, 403)
        try:
            made = await figures(months, outside=not every)
        except Surroundings as error:
            return JSONResponse({"detail": str(error)}, 503)
        return Response(AS_JSON.dump_json(made), media_type="application/json")

    return told


def _proved(header: str, expected: str | None) -> bool:
    return expected is not None and hmac.compare_digest(header.encode(), f"Bearer {expected}".encode())


def months_of(text: str) -> tuple[date, ...]:
    """`2026-09,2026-10` as first days, in order, each once.

    Raises:
        ValueError: one of them is no month, or they are none or too many.
    """
    found = set()
    for part in (part.strip() for part in text.split(",")):
        said = _MONTH.fullmatch(part)
        if not said:
            raise ValueError(f"{part[:20]!r} is no month; write it as in 2026-10")
        found.add(date(int(said[1]), int(said[2]), 1))
    if len(found) > MOST_MONTHS:
        raise ValueError(f"{len(found)} months are too many; ask for {MOST_MONTHS} at most")
    return tuple(sorted(found))
