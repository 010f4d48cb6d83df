"""Who calls, by an API key or an access token: one question for both, and one answer, None, to all that is no good."""

from __future__ import annotations

import asyncio
import re
import time
from hashlib import sha256
from hmac import compare_digest

import sqlalchemy as sa

from services.bus.access import Access
from services.bus.catalogue import load
from services.bus.clock import Clock
from services.bus.errors import UserMistake
from services.bus.settings import Settings
from services.partner_gateway.door.who import Caller
from services.partner_gateway.partners.registry import KEY_PREFIX, SANDBOX, hash_of, scopes_of
from services.partner_gateway.partners.tokens import Tokens
from services.partner_gateway.tables import api_key, partner, token_client

KEPT = 2.0
"""Seconds of real time for which an answer is good: so long after a revocation a key may still be taken."""
MOST_KEPT = 10_000

_KEY = re.compile(rf"{KEY_PREFIX}_([0-9a-f]{{16}})_([A-Za-z0-9_-]{{43}})")
_NOBODY = bytes(32)
"""No secret's hash: what an unknown key is compared with, so that it takes as long as a wrong one."""


class Identifier:
    """`await identifier.identify(token)`; many may ask at once."""

    def __init__(self, at: Settings, access: Access, clock: Clock) -> None:
        """
        Raises:
            UserMistake: the settings for access tokens contradict each other.
        """
        self._access, self._clock, self._catalogue = access, clock, load(at.catalogue)
        self._tokens = Tokens(at, clock)
        self._known: dict[bytes, tuple[float, int, Caller]] = {}
        self._asked: dict[bytes, asyncio.Task[tuple[int, Caller] | None]] = {}

    async def identify(self, token: str) -> Caller | None:
        """Whose this is now; None if it is nobody's, or has expired, was revoked, or its partner is none any more.

        Raises:
            Surroundings: the database is away, or the issuer's keys cannot be had.
        """
        # By hash: what stands in memory for long is no secret, and finding it takes no time that tells about one.
        at = sha256(token.encode(errors="replace")).digest()
        known = self._known.get(at)
        if known is not None and time.monotonic() < known[0] and self._now_us() < known[1]:
            return known[2]
        task = self._asked.get(at)
        if task is None:
            task = self._asked[at] = asyncio.create_task(self._ask(token))
            task.add_done_callback(lambda _: self._asked.pop(at, None))
        found = await asyncio.shield(task)  # one who hangs up must not take the answer from the others
        if found is None:
            self._known.pop(at, None)
            return None
        self._keep(at, *found)
        return found[1]

    async def _ask(self, token: str) -> tuple[int, Caller] | None:
        if token.startswith(KEY_PREFIX):
            return await self._by_key(token)
        claimed = await self._tokens.verify(token)
        if claimed is None:
            return None
        query = sa.select(token_client.c.scopes, partner).join(partner).where(
            token_client.c.client_id == claimed.client_id, partner.c.closed_us.is_(None)
        )  # fmt: skip
        row = await self._access.read(lambda connection: connection.execute(query).first())
        return (claimed.expires_us, self._caller(row, f"token {claimed.client_id}")) if row else None

    async def _by_key(self, token: str) -> tuple[int, Caller] | None:
        match = _KEY.fullmatch(token)
        if match is None:
            return None
        key_id, secret = match.groups()
        query = (
            sa.select(api_key.c.hash, api_key.c.scopes, api_key.c.expires_us, api_key.c.revoked_us, partner)
            .join(partner)
            .where(api_key.c.key_id == key_id)
        )
        row = await self._access.read(lambda connection: connection.execute(query).first())
        right = compare_digest(hash_of(secret), row.hash if row else _NOBODY)
        if not right or row is None or row.revoked_us is not None or row.closed_us is not None:
            return None
        return (row.expires_us, self._caller(row, f"key {key_id}")) if self._now_us() < row.expires_us else None

    def _caller(self, row: sa.Row[tuple[object, ...]], by: str) -> Caller:
        """What the key or client was given, as far as the catalogue still allows it."""
        try:
            allowed = scopes_of(row.acts_as, self._catalogue) | {SANDBOX}
        except UserMistake:  # the catalogue no longer has that agency: deny
            allowed = frozenset()
        return Caller(row.organisation, frozenset(row.scopes.split()) & allowed, by, sandbox=row.sandbox)

    def _keep(self, at: bytes, expires_us: int, caller: Caller) -> None:
        now = time.monotonic()
        if len(self._known) >= MOST_KEPT:
            self._known = {key: kept for key, kept in self._known.items() if now < kept[0]}
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
        self._known[at] = (now + KEPT, expires_us, caller)

    def _now_us(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)
