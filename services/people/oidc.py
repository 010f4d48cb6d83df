"""Sign-in by OpenID Connect: authorisation code with PKCE, state and nonce, and a second factor or no entry (H10)."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.bus.errors import Surroundings
from services.bus.settings import Settings
from services.people.pending import NoSecondFactor, Pending, SignInRefused
from services.people.site import Terms

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures by the issuer's private key; nothing that a client's secret or nobody at all could have made."""

SECOND_FACTOR = "mfa"
"""What `amr` says when several factors were used (RFC 8176); asked for if `oidc_acr` names nothing else."""

FACTORS = (
    frozenset({"pwd", "pin", "kba"}),
    frozenset({"otp", "hwk", "swk", "sms", "tel", "sc"}),
    frozenset({"face", "fpt", "iris", "retina", "vbm"}),
)
"""What somebody knows, has, and is, as `amr` says it (RFC 8176). Of two kinds is a second factor as well: Keycloak says
which steps were taken, and not that they were several."""

FRESH = 300
"""Seconds: how long ago somebody may have proved who they are. A session that ended is not renewed by a click."""

LEEWAY = 60
KEYS_FOR = 3600.0
FETCH_AGAIN = 60.0


class Issuer:
    """Who signs people in at a site. Its description and keys are fetched when first needed, and kept for an hour."""

    def __init__(self, at: Settings, terms: Terms) -> None:
        assert at.oidc_issuer
        assert terms.client_id
        self.name = at.oidc_issuer.rstrip("/")
        self._acr, self._client_id, self._secret = at.oidc_acr, terms.client_id, terms.client_secret
        self._about: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._fetched = 0.0

    async def address(self, pending: Pending, redirect_uri: str) -> str:
        """Where the browser goes to sign in.

        Raises:
            Surroundings: the issuer does not answer.
        """
        about = await self._metadata()
        wanted = {"acr_values": self._acr} if self._acr else {}
        async with self._client(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                about["authorization_endpoint"], state=pending.state, nonce=pending.nonce,
                code_verifier=pending.verifier, prompt="login", max_age=FRESH, **wanted,
            )  # fmt: skip
        return str(url)

    async def subject(self, pending: Pending, code: str, issuer: str | None, redirect_uri: str) -> str:
        """Who signed in, as the issuer calls them.

        Args:
            issuer: the answer's `iss` (RFC 9207), if it has one: another issuer's answer is not ours.

        Raises:
            SignInRefused: the answer proves nothing.
            Surroundings: the issuer does not answer.
        """
        if not code:
            raise SignInRefused("issuer_said_no")
        about = await self._metadata()
        if issuer is not None and issuer != about["issuer"]:
            raise SignInRefused("wrong_issuer")
        try:
            async with self._client(redirect_uri) as client:
                token = await client.fetch_token(about["token_endpoint"], code=code, code_verifier=pending.verifier)
        except AuthlibBaseError as error:
            raise SignInRefused("code_refused") from error
        except (httpx2.HTTPError, ValueError) as error:
            raise Surroundings("the sign-in issuer's token endpoint does not answer") from error
        claims = await self._claims(str(token.get("id_token", "")), pending.nonce, str(token.get("access_token", "")))
        self._proves_enough(claims)
        return str(claims["sub"])

    async def _claims(self, id_token: str, nonce: str, access_token: str) -> CodeIDToken:
        about = await self._metadata()
        try:
            try:
                decoded = jwt.decode(id_token, await self._key_set(), algorithms=ALGORITHMS)
            except (JoseError, ValueError):  # it may be signed by a key that is newer than what we know
                decoded = jwt.decode(id_token, await self._key_set(again=True), algorithms=ALGORITHMS)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                options={
                    "iss": {"essential": True, "value": about["issuer"]},
                    "aud": {"essential": True, "value": self._client_id},
                    "sub": {"essential": True},
                },
                params={
                    "nonce": nonce, "client_id": self._client_id, "max_age": FRESH, "access_token": access_token,
                },
            )  # fmt: skip
            claims.validate(now=int(time.time()), leeway=LEEWAY)
        except (JoseError, ValueError) as error:
            raise SignInRefused("id_token_invalid") from error
        return claims

    def _proves_enough(self, claims: CodeIDToken) -> None:
        """Just now, and by a second factor. Both are the issuer's word: what was asked for proves nothing."""
        if time.time() - float(claims["auth_time"]) > FRESH + LEEWAY:
            raise SignInRefused("not_fresh")
        wanted = set(self._acr.split())
        taken = set(map(str, claims.get("amr") or []))
        said = {str(claims.get("acr", ""))} | taken
        several = SECOND_FACTOR in said or sum(bool(kind & taken) for kind in FACTORS) > 1
        if not (wanted & said if wanted else several):
            raise NoSecondFactor("no_second_factor")

    def _client(self, redirect_uri: str) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            client_id=self._client_id,
            client_secret=self._secret.get_secret_value() if self._secret else None,
            token_endpoint_auth_method="client_secret_basic" if self._secret else "none",
            scope="openid",
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=10.0,
        )

    async def _metadata(self) -> dict[str, Any]:
        if not self._about or time.monotonic() - self._fetched > KEYS_FOR:
            about = await self._get(f"{self.name}/.well-known/openid-configuration")
            if str(about.get("issuer", "")).rstrip("/") != self.name:
                raise Surroundings("the sign-in issuer calls itself by another name than SAFEBUS_OIDC_ISSUER")
            self._about, self._keys, self._fetched = about, None, time.monotonic()
        return self._about

    async def _key_set(self, *, again: bool = False) -> KeySet:
        about = await self._metadata()
        if self._keys is None or (again and time.monotonic() - self._fetched > FETCH_AGAIN):
            self._keys = KeySet.import_key_set(await self._get(about["jwks_uri"]))  # type: ignore[arg-type]
            self._fetched = time.monotonic()
        return self._keys

    @staticmethod
    async def _get(url: str) -> dict[str, Any]:
        _safe(url)
        try:
            async with httpx2.AsyncClient(timeout=10.0) as client:
                answer = await client.get(url)
                answer.raise_for_status()
                found = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise Surroundings("the sign-in issuer does not answer") from error
        return found if isinstance(found, dict) else {}


def _safe(url: str) -> None:
    """Keys and codes travel by HTTPS, or not at all off this machine."""
    there = urlsplit(url)
    if there.scheme != "https" and there.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise Surroundings("the sign-in issuer is not reached by HTTPS")
