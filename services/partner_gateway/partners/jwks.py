"""The issuer's public keys, fetched when they are needed, kept for a while, and never waited for without end."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from services.bus.errors import Surroundings, UserMistake

log = structlog.get_logger()

PublicKey = RSAKey | ECKey

FRESH = 600.0
"""Seconds after which they are fetched again, so that a key which the issuer has withdrawn falls away."""
USABLE = 3600.0
"""Seconds for which they are good when the issuer is away."""
PAUSE, PAUSE_AFTER_FAILURE = 30.0, 5.0
"""Seconds between two fetches: whoever invents key ids must not make the gateway hammer the issuer."""
TIMEOUT = 5.0
MOST_BYTES = 262_144
LEAST_RSA_BITS = 2048


class Jwks:
    """`await keys.find(kid)`. Durations are real time."""

    def __init__(self, url: str) -> None:
        """
        Raises:
            UserMistake: the address is neither https nor this machine's own.
        """
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
            raise UserMistake("SAFEBUS_JWKS_URL begins with https:// (http:// only for this machine itself)")
        self._url = url
        self._keys: Mapping[str, PublicKey] = MappingProxyType({})
        self._fetched = self._next = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, kid: str) -> PublicKey | None:
        """The public key of that id; None if the issuer has none.

        Raises:
            Surroundings: no keys are at hand and the issuer is away.
        """
        found = self._keys.get(kid)
        if found is None or time.monotonic() > self._fetched + FRESH:
            async with self._lock:
                if time.monotonic() >= self._next:
                    await self._fetch()
            found = self._keys.get(kid)
        if time.monotonic() > self._fetched + USABLE:
            raise Surroundings("the public keys of the issuer of access tokens cannot be had")
        return found

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                keys = _usable(await self._download())
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            self._next = time.monotonic() + PAUSE_AFTER_FAILURE
            log.warning("jwks_away", reason=type(error).__name__)
            return
        self._keys = MappingProxyType(keys)
        self._fetched = time.monotonic()
        self._next = self._fetched + PAUSE

    async def _download(self) -> object:
        """
        Raises:
            ValueError: it is not JSON, or too large.
        """
        async with (
            httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client,
            client.stream("GET", self._url, headers={"Accept": "application/json"}) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise ValueError("not 200")
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    raise ValueError("too large")
        return httpx.Response(200, content=bytes(body)).json()


def _usable(document: object) -> dict[str, PublicKey]:
    """Public keys to verify with, by id. A symmetric key is none: whoever can read it could sign."""
    match document:
        case {"keys": list(entries)}:
            pass
        case _:
            raise ValueError("no keys")
    return {kid: key for entry in entries if isinstance(entry, dict) for kid, key in _key(entry)}


def _key(entry: dict[str, Any]) -> list[tuple[str, PublicKey]]:
    kid, kind = entry.get("kid"), entry.get("kty")
    if not isinstance(kid, str) or kind not in ("RSA", "EC"):
        return []
    public = {name: value for name, value in entry.items() if name not in _PRIVATE}
    try:
        key: PublicKey = RSAKey.import_key(public) if kind == "RSA" else ECKey.import_key(public)
        weak = isinstance(key, RSAKey) and key.public_key.key_size < LEAST_RSA_BITS
    except (JoseError, ValueError, TypeError):
        return []  # one key of a kind that we do not know must not lose the others
    return [] if weak else [(kid, key)]


_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
