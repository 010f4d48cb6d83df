"""What an operator does that others must be able to look up, on `operators.acts.v1`: who, what, to which, and why.

Whoever shows personal fields awaits `record` first: what could not be logged is not shown.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

from services.bus.clock import Clock
from services.bus.errors import NotPermitted, Unacknowledged, UserMistake
from services.bus.events import OperatorAct, OperatorActed
from services.bus.publish import Publisher
from services.bus.settings import Settings, settings

OPERATOR: Final = "operator"
"""The principal that reads dead letters and writes acts."""

NEEDS_A_REASON: Final = frozenset({OperatorAct.REVEALED, OperatorAct.DISCARDED})
LONGEST_REASON: Final = 500


class Acts:
    """`async with Acts() as acts: await acts.record(OperatorAct.REVEALED, "dead-letter:…", "why")`."""

    def __init__(self, at: Settings | None = None) -> None:
        self._at = at or settings()
        self._bus = Publisher(OPERATOR, self._at)

    async def __aenter__(self) -> Self:
        await self._bus.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        await self._bus.__aexit__(kind, error, trace)

    def acted(self, act: OperatorAct, about: str, reason: str | None = None, **more: Any) -> OperatorActed:
        """One act, not logged yet.

        Args:
            about: `dead-letter:ID`, `event:ID`, `child:ID`, `topic:NAME` or `service:NAME`.
            more: other fields of OperatorActed.

        Raises:
            UserMistake: there is no reason where one is needed, or it is too long.
        """
        said = {"act_id": str(uuid4()), "by": login_name(self._at), "acted_at": Clock.of(self._at).now()} | more
        one = OperatorActed(act=act, about=about, reason=fit(act, reason), **said)
        self._bus.envelope(one, one.act_id)
        return one

    async def log(self, acts: Sequence[OperatorActed]) -> None:
        """They are in Kafka when this returns.

        Raises:
            NotPermitted, Surroundings: they cannot be logged, and nothing may be shown.
            Unacknowledged: unknown whether they were logged; nothing may be shown.
        """
        if not acts:
            return
        try:
            await self._bus.publish(acts)
        except Unacknowledged as error:
            if "Authorization" in type(error.__cause__).__name__:
                raise NotPermitted(
                    f"{OPERATOR} may not log what it does, so nothing is done: see topics.yaml"
                ) from None
            raise

    async def record(self, act: OperatorAct, about: str, reason: str | None = None, **more: Any) -> OperatorActed:
        """Log one act (see `acted` and `log`)."""
        one = self.acted(act, about, reason, **more)
        await self.log([one])
        return one


async def record(
    act: OperatorAct,
    about: str,
    reason: str | None = None,
    *,
    at: Settings | None = None,
    **more: Any,
) -> OperatorActed:
    """Log one act alone, as `Acts.record` does."""
    fit(act, reason)  # a mistake is told before anything is connected
    async with Acts(at) as acts:
        return await acts.record(act, about, reason, **more)


def fit(act: OperatorAct, reason: str | None) -> str | None:
    """The reason as it is logged.

    Raises:
        UserMistake: it is missing where one is needed, or too long.
    """
    said = " ".join((reason or "").split())
    if act in NEEDS_A_REASON and not said:
        raise UserMistake('this is logged with a reason: add --reason "…", and name nobody in it')
    if len(said) > LONGEST_REASON:
        raise UserMistake(f"a reason has at most {LONGEST_REASON} characters; this one has {len(said)}")
    return said or None


def login_name(at: Settings) -> str:
    """Who acts: SAFEBUS_OPERATOR_NAME where several share one account, else the account that signed in."""
    if at.operator_name:
        return at.operator_name
    if os.getuid() == 0 and (before := os.environ.get("SUDO_USER")):
        return before
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's account may have no name
        return f"uid {os.getuid()}"
