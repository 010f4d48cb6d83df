"""Access tokens of partners' systems: signed JWTs by OAuth2 client credentials (RFC 6749 §4.4, RFC 8725, RFC 9068).

What is pinned here is what the known attacks turn: the algorithm (never `none`, and never a symmetric one, by which the
public key itself would sign), the key (by its id among the issuer's, whatever the token brings), issuer and audience.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError

from services.bus.clock import Clock
from services.bus.errors import UserMistake
from services.bus.settings import Settings
from services.partner_gateway.partners.jwks import Jwks, PublicKey

ALGORITHMS = ("RS256", "PS256", "ES256")
TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
LONGEST = 8192
"""Characters of a token."""
LEEWAY = 30
"""Seconds by which the issuer's clock and ours may differ."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a valid token says."""

    client_id: str
    expires_us: int


class Tokens:
    """Verifies the tokens of the one issuer that the settings name; without one, none is valid."""

    def __init__(self, at: Settings, clock: Clock) -> None:
        """
        Raises:
            UserMistake: an issuer without its keys' address, or the other way round, or an address that is not safe.
        """
        if bool(at.jwt_issuer) != bool(at.jwks_url):
            raise UserMistake("SAFEBUS_JWT_ISSUER and SAFEBUS_JWKS_URL are given together or not at all")
        self._keys = Jwks(at.jwks_url) if at.jwks_url else None
        self._clock = clock
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(clock.now().timestamp()),
            leeway=LEEWAY,
            iss={"essential": True, "value": at.jwt_issuer or ""},
            aud={"essential": True, "value": at.jwt_audience},
            exp={"essential": True},
        )

    async def verify(self, token: str) -> Claimed | None:
        """What it says, if it is valid now.

        Raises:
            Surroundings: the issuer's keys cannot be had.
        """
        if self._keys is None or len(token) > LONGEST or token.count(".") != 2:
            return None
        header = _header(token)
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(kid, str) or not isinstance(algorithm, str) or not _plain(header):
            return None
        key = await self._keys.find(kid) if algorithm in ALGORITHMS else None
        return self._verified(token, key, algorithm) if key else None

    def _verified(self, token: str, key: PublicKey, algorithm: str) -> Claimed | None:
        try:  # which also refuses a key that is of another kind, or is meant for something else
            claims = jwt.decode(token, key, algorithms=[algorithm]).claims
            self._claims.validate(claims)
            expires_us = int((float(claims["exp"]) + LEEWAY) * 1_000_000)
        except (JoseError, ValueError, TypeError, OverflowError):
            return None
        named = {claims[name] for name in ("client_id", "azp") if isinstance(claims.get(name), str)}
        if len(named) != 1:
            return None
        return Claimed(named.pop(), expires_us)


def _header(token: str) -> dict[str, Any]:
    """The token's own header, which proves nothing; empty if it has none."""
    encoded = token.partition(".")[0]
    try:
        said = json.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _plain(header: dict[str, Any]) -> bool:
    """Nothing that must be understood (`crit`), and an access token's type where it says one."""
    return "crit" not in header and str(header.get("typ", "jwt")).lower() in TYPES
