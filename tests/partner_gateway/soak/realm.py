"""A realm as a local authority's identity team would set it up for the gateway: password, then a code, and both told.

Three clients for the gateway: one whose sign-in climbs to the level that it asks for (Keycloak's "step-up
authentication"), one that asks everybody for both, and one as a mistake in the set-up would leave it. And partners'
systems, which have tokens of their own (client credentials).
"""

from __future__ import annotations

import json
from base64 import b32encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pyotp

CLIMBS, BOTH_ALWAYS, PASSWORD_ONLY = "safebus-gateway", "both-always", "password-only"
"""Names of clients, and ids of the latter two's flows."""

SYSTEM, OTHER_SYSTEM, FOR_SOMETHING_ELSE = "agency-system", "other-system", "for-something-else"
"""Clients whose tokens are for the gateway, but for the last one's."""

SECRET = "not much of a secret"
SECOND_LEVEL = "mfa"
"""What the realm's `acr` says of a sign-in with the second factor."""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who can sign in at the issuer."""

    subject: str
    username: str
    password: str
    otp: str | None
    """The secret that their phone shares with the issuer."""

    @classmethod
    def new(cls, username: str, *, otp: bool = True) -> Account:
        return cls(str(uuid4()), username, f"password of {username}", uuid4().hex if otp else None)

    def code(self, windows: int = 0) -> str:
        """What the phone shows now, or so many half minutes later: Keycloak takes a code once."""
        assert self.otp
        totp = pyotp.TOTP(b32encode(self.otp.encode()).decode())
        return totp.at(datetime.now(UTC) + windows * timedelta(seconds=totp.interval))

    def wrong_code(self) -> str:
        near = {self.code(windows) for windows in range(-3, 4)}
        return next(code for code in map("{:06}".format, range(10)) if code not in near)

    def as_user(self) -> dict[str, Any]:
        credentials: list[dict[str, Any]] = [{"type": "password", "value": self.password, "temporary": False}]
        if self.otp:
            how = {"subType": "totp", "digits": 6, "counter": 0, "period": 30, "algorithm": "HmacSHA1"}
            credentials.append(
                {"type": "otp", "userLabel": "phone", "secretData": json.dumps({"value": self.otp}),
                 "credentialData": json.dumps(how)}
            )  # fmt: skip
        return {
            "id": self.subject, "username": self.username, "enabled": True, "firstName": "A", "lastName": "B",
            "email": f"{self.username}@school.test", "emailVerified": True, "credentials": credentials,
        }  # fmt: skip


def realm(redirect_uri: str, accounts: list[Account]) -> dict[str, Any]:
    """What Keycloak imports."""
    password = _execution("auth-username-password-form", alias="pwd reference", **_told_as("pwd"))
    otp = _execution("auth-otp-form", alias="otp reference", **_told_as("otp"))
    flows, configs = [], [config for _, config in (password, otp)]
    for level, step in (("1", password), ("2", otp)):
        # Proved within the hour is enough for Keycloak: that it asks anew is then the gateway's doing.
        at = {"loa-condition-level": level, "loa-max-age": "3600"}
        condition, config = _execution("conditional-level-of-authentication", alias=f"level {level}", **at)
        configs.append(config)
        flows.append(_flow(f"level {level} of two", [condition, step[0]], top=False))
    forms = [_subflow(flow["alias"], "CONDITIONAL") for flow in flows]
    flows += [
        _flow("levels", forms, top=False),
        _flow("browser by levels", [_plain("auth-cookie", "ALTERNATIVE"), _subflow("levels", "ALTERNATIVE")]),
        _flow("both, always", [password[0], otp[0]]) | {"id": BOTH_ALWAYS},
        _flow("by password alone", [_plain("auth-username-password-form", "REQUIRED")]) | {"id": PASSWORD_ONLY},
    ]
    return {
        "realm": "county",
        "enabled": True,
        "sslRequired": "external",
        "attributes": {"acr.loa.map": json.dumps({"pwd": 1, SECOND_LEVEL: 2})},
        "authenticationFlows": flows,
        "authenticatorConfig": configs,
        "browserFlow": "browser by levels",
        "clients": [
            _client(CLIMBS, redirect_uri),
            *(
                _client(name, redirect_uri) | {"authenticationFlowBindingOverrides": {"browser": name}}
                for name in (BOTH_ALWAYS, PASSWORD_ONLY)
            ),
            *(_system(name, audience="safebus") for name in (SYSTEM, OTHER_SYSTEM)),
            _system(FOR_SOMETHING_ELSE, audience="another-service"),
        ],
        "users": [account.as_user() for account in accounts],
    }


def _told_as(reference: str) -> dict[str, str]:
    """How `amr` calls a step, and for so many seconds: unless that is said, it is forgotten within one."""
    return {"default.reference.value": reference, "default.reference.maxAge": "300"}


def _client(client_id: str, redirect_uri: str) -> dict[str, Any]:
    amr = {
        "name": "amr", "protocol": "openid-connect", "protocolMapper": "oidc-amr-mapper",
        "config": {"id.token.claim": "true", "access.token.claim": "false"},
    }  # fmt: skip
    return {
        "clientId": client_id, "enabled": True, "protocol": "openid-connect", "publicClient": False, "secret": SECRET,
        "clientAuthenticatorType": "client-secret", "standardFlowEnabled": True, "directAccessGrantsEnabled": False,
        "implicitFlowEnabled": False, "redirectUris": [redirect_uri],
        "attributes": {"pkce.code.challenge.method": "S256"}, "protocolMappers": [amr],
    }  # fmt: skip


def _system(client_id: str, *, audience: str) -> dict[str, Any]:
    mapper = {
        "name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
        "config": {"included.custom.audience": audience, "access.token.claim": "true"},
    }  # fmt: skip
    return {
        "clientId": client_id, "enabled": True, "protocol": "openid-connect", "publicClient": False, "secret": SECRET,
        "clientAuthenticatorType": "client-secret", "standardFlowEnabled": False, "serviceAccountsEnabled": True,
        "protocolMappers": [mapper],
    }  # fmt: skip


def _flow(alias: str, executions: list[dict[str, Any]], *, top: bool = True) -> dict[str, Any]:
    numbered = [execution | {"priority": 10 * n} for n, execution in enumerate(executions, 1)]
    return {
        "alias": alias, "providerId": "basic-flow", "topLevel": top, "builtIn": False,
        "authenticationExecutions": numbered,
    }  # fmt: skip


def _plain(authenticator: str, requirement: str) -> dict[str, Any]:
    return {"authenticator": authenticator, "requirement": requirement, "authenticatorFlow": False}


def _subflow(alias: str, requirement: str) -> dict[str, Any]:
    return {"flowAlias": alias, "requirement": requirement, "authenticatorFlow": True}


def _execution(authenticator: str, *, alias: str, **config: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A required step, and how it is configured."""
    step = _plain(authenticator, "REQUIRED") | {"authenticatorConfig": alias}
    return step, {"alias": alias, "config": config}
