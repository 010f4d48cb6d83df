"""Who calls, and what they may: the one place that decides, and denies by default. Decisions are logged by ids only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import structlog
from fastapi import Request

from services.partner_gateway.door.context import gateway_of
from services.web.problems import Problem

log = structlog.get_logger()

INBOX = "inbox"
"""The scope to read the own inbox, its documents, and to manage the own webhooks."""

RECEIPTS = "receipts.v1"
"""The scope to write receipts: as any other event type's, the topic's name."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who has proved who they are."""

    organisation: str
    scopes: frozenset[str]
    """Event types that it may post, and `inbox`."""
    by: str
    """Which proof: `key KEY_ID`, `token CLIENT_ID` or `person PERSON_ID`. For the log."""
    kind: Literal["system", "person"] = "system"
    person_id: str | None = None
    sandbox: bool = False


async def caller(request: Request) -> Caller:
    """FastAPI dependency: who calls, by `Authorization: Bearer …` (an API key, or a JWT by the issuer's JWKS).

    Raises:
        Problem: 401 without a proof, or with one that is unknown, expired or revoked: all with the same answer.
    """
    given = request.headers.getlist("authorization")  # of two, something before us may have checked the other
    scheme, _, token = (given[0] if len(given) == 1 else "").partition(" ")
    found = None
    if scheme.lower() == "bearer" and token:
        found = await gateway_of(request).identify(token.strip())
    if found is None:
        log.info("denied", action="identify", path=_route(request))
        raise Problem(
            401, "not-identified", "send a valid API key or token as `Authorization: Bearer …`",
            headers={"WWW-Authenticate": "Bearer"},
        )  # fmt: skip
    request.state.owner = found.organisation  # whose rate it counts towards (services/web/limits.py)
    return found


def authorise(caller: Caller, scope: str) -> None:
    """What the caller does now needs this scope. Whose data it gets is not asked: it is always its own alone.

    Raises:
        Problem: 403, the scope is not among the caller's.
    """
    allowed = scope in caller.scopes
    log.info("allowed" if allowed else "denied", action=scope, organisation=caller.organisation, by=caller.by)
    if not allowed:
        raise Problem(403, "not-allowed", f"this key or token does not have the scope {scope}")


def _route(request: Request) -> str:
    """The route's pattern, never the path: that may hold an id somebody guessed."""
    return str(getattr(request.scope.get("route"), "path", ""))
