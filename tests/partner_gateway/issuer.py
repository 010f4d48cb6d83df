"""A small OpenID Connect issuer on a real port, which answers as a test tells it to; it signs with joserfc."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from services.bus.http import QuietServer

CLIENT, SECRET = "safebus-gateway", "not much of a secret"


@dataclass
class LocalIssuer:
    """Signs `sub` in without asking anybody. `claims` replaces claims of the ID token; None leaves one out."""

    address: str
    sub: str = "issuer-sub-1"
    claims: dict[str, Any] = field(default_factory=dict)
    sign: str = "RS256"
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1"}))
    published: list[RSAKey] = field(default_factory=list)
    """The keys it shows; its own if none is named."""
    asked: dict[str, str] = field(default_factory=dict)
    """What the browser brought at last."""
    refused: list[str] = field(default_factory=list)

    def sign_in(self, address: str) -> str:
        """A browser that comes to `address` and signs in: the code that it takes back."""
        assert address.startswith(f"{self.address}/authorize?")
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        return "code-1"

    def token(self, form: dict[str, str]) -> JSONResponse:
        """The code for an ID token, if PKCE proves that the same client asks that began."""
        challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if form.get("code") != "code-1" or _base64(challenge) != self.asked["code_challenge"]:
            self.refused.append("code or verifier")
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {
            "iss": self.address, "aud": CLIENT, "sub": self.sub, "nonce": self.asked["nonce"], "iat": now,
            "exp": now + 60, "auth_time": now, "amr": ["pwd", "otp", "mfa"], **self.claims,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": self.signed(claims)})

    def signed(self, claims: dict[str, Any]) -> str:
        if self.sign in ("none", "HS256"):
            head = _base64(b'{"alg":"%s","kid":"1"}' % self.sign.encode())
            signed = f"{head}.{jwt.encode({'alg': 'RS256'}, claims, self.key).split('.')[1]}"
            # By the public key, as if it were a shared secret.
            proof = (
                hmac.digest(self.key.as_pem(private=False), signed.encode(), "sha256") if self.sign != "none" else b""
            )
            return f"{signed}.{_base64(proof)}"
        return jwt.encode({"alg": self.sign, "kid": self.key.kid}, claims, self.key)

    def application(self) -> FastAPI:
        app = FastAPI()

        @app.get("/.well-known/openid-configuration")
        async def about() -> dict[str, str]:
            return {
                "issuer": self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "jwks_uri": f"{self.address}/keys",
            }

        @app.get("/keys")
        async def keys() -> Any:
            return KeySet([*(self.published or [self.key])]).as_dict(private=False)

        @app.post("/token")
        async def token(request: Request) -> JSONResponse:
            basic = base64.b64encode(f"{CLIENT}:{SECRET}".replace(" ", "%20").encode()).decode()
            plain = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
            if request.headers.get("authorization") not in (f"Basic {basic}", f"Basic {plain}"):
                self.refused.append("client")
                return JSONResponse({"error": "invalid_client"}, 401)
            return self.token({name: str(value) for name, value in (await request.form()).items()})

        return app


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@asynccontextmanager
async def local_issuer() -> AsyncIterator[LocalIssuer]:
    """One that listens until the block ends."""
    listening = socket.create_server(("127.0.0.1", 0))
    issuer = LocalIssuer(f"http://127.0.0.1:{listening.getsockname()[1]}")
    config = uvicorn.Config(issuer.application(), log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = QuietServer(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield issuer
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 5)
