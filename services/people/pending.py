"""A sign-in by OpenID Connect on its way, and how it ends; without the libraries of issuers, which take 11 MiB."""

from __future__ import annotations

import base64
import secrets
from dataclasses import asdict, dataclass
from typing import Any

from pydantic_core import from_json, to_json

from services.people.site import Site


class SignInRefused(Exception):
    """The issuer's answer does not prove who this is. `reason` is a code for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoSecondFactor(SignInRefused):
    """Who it is was proved, but by one factor alone."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that has begun, as the browser that began it keeps it; of no use to anybody else."""

    state: str
    nonce: str
    verifier: str
    entry: str | None
    """The id of the entry to go to afterwards."""

    @classmethod
    def new(cls, entry: str | None) -> Pending:
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), entry)

    def cookie(self) -> str:
        return base64.urlsafe_b64encode(to_json(asdict(self))).decode().rstrip("=")

    @classmethod
    def of(cls, cookie: str, site: Site[Any]) -> Pending | None:
        """What `cookie` made, or None: a browser may send anything."""
        try:
            said = from_json(base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4)))
            made = cls(str(said["state"]), str(said["nonce"]), str(said["verifier"]), said["entry"])
        except (ValueError, TypeError, KeyError):
            return None
        return made if made.entry == site.valid(made.entry) else None
