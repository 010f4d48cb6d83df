"""What an operator does that others must be able to look up, on `operators.acts.v1`: who, what, to which, and why.

Whoever shows personal fields awaits `record` first: what could not be logged is not shown.
"""

from __future__ import annotations

import os
import pwd
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

from services.bus.clock import Clock
from services.bus.errors import UserMistake
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

    async def record(
        self,
        act: OperatorAct,
        about: str,
        reason: str | None = None,
        *,
        act_id: str | None = None,
        service: str | None = None,
        event_id: str | None = None,
        event_source: str | None = None,
        became: str | None = None,
        covers: int | None = None,
    ) -> OperatorActed:
        """Log one act; it is in Kafka when this returns.

        Args:
            about: `dead-letter:ID`, `event:ID`, `child:ID`, `topic:NAME` or `service:NAME`.
            act_id: the same act done once more has the same.

        Raises:
            UserMistake: there is no reason where one is needed, or it is too long.
            NotPermitted, Surroundings: it cannot be logged, and nothing may be shown.
            Unacknowledged: unknown whether it was logged; nothing may be shown.
        """
        acted = OperatorActed(
            act_id=act_id or str(uuid4()),
            act=act,
            about=about,
            by=login_name(self._at),
            reason=fit(act, reason),
            service=service,
            event_id=event_id,
            event_source=event_source,
            became=became,
            covers=covers,
            acted_at=Clock.of(self._at).now(),
        )
        await self._bus.publish([self._bus.envelope(acted, f"{acted.act_id} {acted.act.lower()}")])
        return acted


async def record(
    act: OperatorAct,
    about: str,
    reason: str | None = None,
    *,
    at: Settings | None = None,
    service: str | None = None,
    covers: int | None = None,
) -> OperatorActed:
    """Log one act alone, as `Acts.record` does."""
    fit(act, reason)  # a mistake is told before anything is connected
    async with Acts(at) as acts:
        return await acts.record(act, about, reason, service=service, covers=covers)


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
