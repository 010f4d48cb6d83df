"""Keys of teams' own screens: whoever has one reads the board, and does nothing else.

A key is `sbb_<key id>_<secret>`; only the secret's hash is kept. A screen is no named person, so what a key shows
leaves out what a person must open (H3, board/shown.py).
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from typing import Any

import sqlalchemy as sa
import structlog
from fastapi import Request

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.errors import UserMistake
from services.bus.events import SeenWhat, Team
from services.handover_feed.acting.seen import saw, saw_each
from services.handover_feed.door.context import Board, board_of
from services.handover_feed.tables import board_key
from services.web.problems import Problem

log = structlog.get_logger()

PREFIX = "sbb"
KEY_DAYS = 400.0
DAY_US = 86_400_000_000
SECRET_BYTES = 32

KEPT = 2.0
"""Seconds of real time for which an answer is good: so long after a revocation a key may still be taken."""

MOST_KEPT = 1000

_KEY = re.compile(rf"{PREFIX}_([0-9a-f]{{16}})_([A-Za-z0-9_-]{{43}})")
_NOBODY = bytes(32)
"""No secret's hash: what an unknown key is compared with, so that it takes as long as a wrong one."""


@dataclass(frozen=True, slots=True)
class Screen:
    """Whoever showed a key."""

    key_id: str
    name: str

    @property
    def by(self) -> str:
        """For the log, and for whatever is counted."""
        return f"key {self.key_id}"


def add_key(connection: sa.Connection, name: str, *, now_us: int, days: float = KEY_DAYS) -> str:
    """A new key, for so many days. It is shown here and never again.

    Raises:
        UserMistake: the name is empty.
    """
    if not name.strip():
        raise UserMistake("a key has the name of whose screen it is for, such as `emergency duty team`")
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(SECRET_BYTES)
    row = {
        "key_id": key_id,
        "name": name.strip(),
        "hash": _hash(secret),
        "created_us": now_us,
        "expires_us": now_us + int(days * DAY_US),
    }
    connection.execute(board_key.insert(), row)
    return f"{PREFIX}_{key_id}_{secret}"


def id_of(key: str) -> str:
    """What a key may be called by: no secret."""
    return key.split("_")[1]


def revoke_key(connection: sa.Connection, key_id: str, *, now_us: int) -> bool:
    """This key works no longer. Whether it did."""
    live = (board_key.c.key_id == key_id) & board_key.c.revoked_us.is_(None) & (board_key.c.expires_us > now_us)
    return connection.execute(board_key.update().where(live).values(revoked_us=now_us)).rowcount == 1


def keys_now(connection: sa.Connection, *, now_us: int) -> Sequence[sa.Row[tuple[Any, ...]]]:
    """Every key that works now, the newest first."""
    live = board_key.c.revoked_us.is_(None) & (board_key.c.expires_us > now_us)
    query = sa.select(board_key).where(live).order_by(board_key.c.created_us.desc(), board_key.c.key_id)
    return connection.execute(query).all()


class Keys:
    """`await keys.screen(token)`: whose key that is now; None if it is nobody's, or has expired or was revoked."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._access, self._clock = access, clock
        self._known: dict[bytes, tuple[float, int, Screen]] = {}

    async def screen(self, token: str) -> Screen | None:
        """
        Raises:
            Surroundings: the database is away.
        """
        at, now_us = _hash(token), int(self._clock.now().timestamp() * 1_000_000)
        known = self._known.get(at)
        if known is not None and time.monotonic() < known[0] and now_us < known[1]:
            return known[2]
        self._known.pop(at, None)
        match = _KEY.fullmatch(token)
        if match is None:
            return None
        query = sa.select(board_key).where(board_key.c.key_id == match[1])
        row = await self._access.read(lambda connection: connection.execute(query).first())
        right = compare_digest(_hash(match[2]), row.hash if row else _NOBODY)
        if not right or row is None or row.revoked_us is not None or now_us >= row.expires_us:
            return None
        if len(self._known) >= MOST_KEPT:
            self._known.clear()
        found = Screen(row.key_id, row.name)
        self._known[at] = (time.monotonic() + KEPT, row.expires_us, found)
        return found


async def screen(request: Request) -> Screen:
    """FastAPI dependency: which screen asks, by `Authorization: Bearer …`.

    Raises:
        Problem: 401 without a key, or with one that is unknown, expired or revoked: all with the same answer.
    """
    token = token_of(request)
    found = await board_of(request).keys.screen(token) if token else None
    path = getattr(request.scope.get("route"), "path", "")
    log.info("allowed" if found else "denied", action=f"GET {path}", by=found.by if found else "")
    if found is None:
        raise Problem(
            401, "not-identified", "send a valid key of the board as `Authorization: Bearer …`",
            headers={"WWW-Authenticate": "Bearer"},
        )  # fmt: skip
    request.state.owner = found.by  # whose rate it counts towards (services/web/limits.py)
    return found


def used(board: Board, who: Screen, matter_id: str | None = None) -> None:
    """Somebody with this key sees the board, or one matter, now: it is recorded."""
    saw(board, who.by, Team.UNKNOWN, SeenWhat.KEY_USED, matter_id)


def showed(board: Board, who: Screen, matter_ids: Iterable[str]) -> None:
    """These matters are shown to somebody with this key: each is recorded, once within a while."""
    saw_each(board, who.by, Team.UNKNOWN, SeenWhat.KEY_USED, matter_ids)


def token_of(request: Request) -> str:
    """The key that was sent, or nothing; of two, something before us may have checked the other."""
    given = request.headers.getlist("authorization")
    scheme, _, token = (given[0] if len(given) == 1 else "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _hash(secret: str) -> bytes:
    return sha256(secret.encode(errors="replace")).digest()
