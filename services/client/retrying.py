"""How long to go on, and how long to pause between two tries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import inf, isfinite
from random import SystemRandom

import anyio
import httpx

from services.client.errors import BadAnswer, TryAgain

UNSETTLED = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses after which the same request may well succeed: here every request is one that takes effect once."""

_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. A pause is chosen by chance up to `first`, then twice that and so on, never above `longest`."""

    total: float = 60.0
    """After so long without an answer that settles it, TryAgain is raised."""
    first: float = 0.25
    longest: float = 15.0


class Tries:
    """The tries at one thing."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self.begin_anew()

    def begin_anew(self) -> None:
        """It worked: what comes next is a new thing."""
        self._failed = 0
        self.heard()

    def heard(self) -> None:
        """There was contact: patience begins anew, the pauses stay as long as they are."""
        self._until = anyio.current_time() + self._patience.total

    async def pause(self, why: str, asked: float | None = None, *, id: str | None = None) -> None:  # noqa: A002
        """Wait before the next try.

        Args:
            why: what was wrong with the last one.
            asked: seconds that the gateway asked for (`Retry-After`); some more are added, so that those who were
                sent away together do not return together.

        Raises:
            TryAgain: patience would end first.
        """
        longest = min(self._patience.longest, self._patience.first * 2 ** min(self._failed, 30))
        seconds = (asked or 0.0) + _random.uniform(0.0, longest)
        if anyio.current_time() + seconds > self._until:
            raise TryAgain(why, id=id, retry_after=asked)
        self._failed += 1
        await anyio.sleep(seconds)


async def until_settled(
    patience: Patience,
    ask: Callable[[], Awaitable[httpx.Response]],
    *,
    id: str | None = None,  # noqa: A002
) -> httpx.Response:
    """The answer that settles it, from as many tries as it takes: what is asked takes effect once, however often.

    Raises:
        TryAgain: patience ended; it has that `id`.
        BadAnswer: what answered does not speak HTTP as a gateway does.
    """
    tries = Tries(patience)
    while True:
        response, why = None, "the gateway did not answer"
        try:
            response = await ask()
        except httpx.TransportError:
            pass
        except httpx.HTTPError as error:
            raise BadAnswer("what answered does not speak HTTP as a gateway does") from error
        else:
            if response.status_code not in UNSETTLED:
                return response
            why = f"the gateway asked to try again later ({response.status_code})"
        await tries.pause(why, retry_after(response), id=id)


def retry_after(response: httpx.Response | None) -> float | None:
    """Seconds that an answer asks to wait: `Retry-After`, in seconds or as a date. None if it does not ask."""
    said = response.headers.get("retry-after", "").strip() if response is not None else ""
    if not said:
        return None
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(said).astimezone(UTC) - datetime.now(UTC)).total_seconds()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if isfinite(seconds) else inf if seconds > 0 else None
