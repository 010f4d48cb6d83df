"""An issuer of access tokens for tests: real keys, a real JWKS address on this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

NAME, AUDIENCE = "https://issuer.test/realms/partners", "safebus"
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec-1", "use": "sig"})


class Issuer:
    """`url` gives `document`; `asked` counts how often it was fetched."""

    def __init__(self) -> None:
        self.document: Any = {"keys": [RSA.as_dict(private=False), EC.as_dict(private=False)]}
        self.status, self.asked, self.url = 200, 0, ""


def claims(client: str, **other: Any) -> dict[str, Any]:
    """What a good token says; None leaves a claim out."""
    now = int(time.time())
    said = {"iss": NAME, "aud": AUDIENCE, "client_id": client, "iat": now, "exp": now + 3600} | other
    return {name: value for name, value in said.items() if value is not None}


def signed(said: dict[str, Any], *, key: Any = RSA, alg: str = "RS256", **header: Any) -> str:
    """A token with this content."""
    return jwt.encode({"alg": alg, "kid": key.kid, "typ": "at+jwt"} | header, said, key, algorithms=[alg])


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer for the block."""
    issuer = Issuer()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked += 1
            body = json.dumps(issuer.document).encode()
            self.send_response(issuer.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing to standard error."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        issuer.url = f"http://127.0.0.1:{server.server_address[1]}/jwks"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()
