"""Sign-in by OpenID Connect, against a small issuer that really listens: only a fresh, two-factor proof gets in."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from pydantic import SecretStr

from services.bus.settings import Settings
from services.partner_gateway.door.app import application
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.person.site import SITE
from services.people.oidc import FRESH
from services.people.pending import Pending
from tests.partner_gateway import people
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.issuer import CLIENT, SECRET, LocalIssuer, local_issuer
from tests.partner_gateway.people import csrf_of, named_person


@pytest.fixture
async def issuer() -> AsyncIterator[LocalIssuer]:
    async with local_issuer() as made:
        yield made


@pytest.fixture
def at(stack: Settings, tmp_path: Path, issuer: LocalIssuer) -> Settings:
    return stack.model_copy(
        update={
            "data_dir": tmp_path,
            "gateway_port": 0,
            "oidc_issuer": issuer.address,
            "oidc_client_id": CLIENT,
            "oidc_client_secret": SecretStr(SECRET),
        }
    )


async def begin(client: httpx.AsyncClient, issuer: LocalIssuer, entry: str = "") -> dict[str, str]:
    """Go to the issuer and sign in there; what the browser brings back."""
    start = await client.get("/sign-in/start" + (f"?entry={entry}" if entry else ""))
    assert start.status_code == 303, start.text
    code = issuer.sign_in(start.headers["location"])
    return {"code": code, "state": issuer.asked["state"]}


async def come_back(client: httpx.AsyncClient, brought: dict[str, Any]) -> httpx.Response:
    return await client.get("/sign-in/callback", params=brought)


async def test_a_named_person_signs_in(gateway: Gateway, client: httpx.AsyncClient, issuer: LocalIssuer) -> None:
    """PKCE, state and nonce are asked with; a fresh sign-in is demanded; and it ends at the entry that was wanted."""
    await named_person(gateway, subject=issuer.sub)
    await tell(gateway, people.alert())
    page = await client.get("/inbox/1", follow_redirects=True)
    assert 'href="/sign-in/start?entry=1"' in page.text
    brought = await begin(client, issuer, "1")
    assert issuer.asked["code_challenge_method"] == "S256"
    assert issuer.asked["scope"] == "openid"
    assert (issuer.asked["prompt"], issuer.asked["max_age"]) == ("login", str(FRESH))
    assert issuer.asked["redirect_uri"] == "http://gateway.test/sign-in/callback"
    answer = await come_back(client, brought)
    assert answer.headers["location"] == "/inbox/1"
    opened = await client.get("/inbox/1")
    assert "Ines Okafor" in opened.text
    assert csrf_of(opened)
    assert "safebus-sign-in" not in client.cookies


async def test_an_answer_is_used_once(gateway: Gateway, client: httpx.AsyncClient, issuer: LocalIssuer) -> None:
    """The address with the code, found in a history, opens nothing."""
    await named_person(gateway, subject=issuer.sub)
    brought = await begin(client, issuer)
    assert (await come_back(client, brought)).status_code == 303
    client.cookies.delete("safebus")
    assert (await come_back(client, brought)).status_code == 400


WRONG: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "other"},
    "no nonce": {"nonce": None},
    "for another client": {"aud": "somebody-else"},
    "for several, by another": {"aud": [CLIENT, "other"], "azp": "other"},
    "of another issuer": {"iss": "https://other.test"},
    "expired": {"exp": int(time.time()) - 3600},
    "without an end": {"exp": None},
    "of nobody": {"sub": None},
    "long ago": {"auth_time": int(time.time()) - 3600},
    "who knows when": {"auth_time": None},
    "a word for a time": {"auth_time": "yesterday"},
    "a password alone": {"amr": ["pwd"]},
    "nothing said of how": {"amr": None},
    "a word for a list": {"amr": "mfa and more"},
}


@pytest.mark.parametrize("claims", WRONG.values(), ids=WRONG)
async def test_a_token_that_proves_less_is_refused(
    gateway: Gateway, client: httpx.AsyncClient, issuer: LocalIssuer, claims: dict[str, Any]
) -> None:
    """Whatever is missing or wrong, nobody gets in, and the page shows nothing of it."""
    await named_person(gateway, subject=issuer.sub)
    issuer.claims = claims
    answer = await come_back(client, await begin(client, issuer))
    assert answer.status_code == 403
    assert ("second step" in answer.text) == ("amr" in claims and claims["amr"] != "mfa and more")
    assert issuer.sub not in answer.text
    assert "safebus" not in client.cookies


@pytest.mark.parametrize(
    ("amr", "status"),
    [
        (["pwd", "otp"], 303),
        (["hwk", "fpt"], 303),
        (["pwd", "pin"], 403),
        (["otp", "sms"], 403),
        (["pwd", "geo", "user"], 403),
        ([], 403),
    ],
)
async def test_two_kinds_of_proof_are_a_second_factor(
    gateway: Gateway, client: httpx.AsyncClient, issuer: LocalIssuer, amr: list[str], status: int
) -> None:
    """RFC 8176: an issuer may say which steps there were, and not `mfa`. Two of one kind are one factor."""
    await named_person(gateway, subject=issuer.sub)
    issuer.claims = {"amr": amr}
    assert (await come_back(client, await begin(client, issuer))).status_code == status


@pytest.mark.parametrize("sign", ["none", "HS256"])
async def test_a_token_that_nobody_signed_is_refused(
    gateway: Gateway, client: httpx.AsyncClient, issuer: LocalIssuer, sign: str
) -> None:
    """`alg: none`, and the public key taken for a shared secret."""
    await named_person(gateway, subject=issuer.sub)
    issuer.sign = sign
    assert (await come_back(client, await begin(client, issuer))).status_code == 403


async def test_a_key_that_the_issuer_does_not_show_is_refused(
    gateway: Gateway, client: httpx.AsyncClient, issuer: LocalIssuer
) -> None:
    """Signed, by somebody else, under the same name."""
    await named_person(gateway, subject=issuer.sub)
    issuer.published = [RSAKey.generate_key(2048, {"kid": "1"})]
    assert (await come_back(client, await begin(client, issuer))).status_code == 403


@pytest.mark.parametrize(("asked", "said", "status"), [("gold", "gold", 303), ("gold", "silver", 403)])
async def test_the_context_that_is_configured_is_demanded(
    at: Settings, gateway: Gateway, client: httpx.AsyncClient, issuer: LocalIssuer, asked: str, said: str, status: int
) -> None:
    """SAFEBUS_OIDC_ACR is asked for, and then looked for in the answer: to ask proves nothing."""
    gateway.settings = at.model_copy(update={"oidc_acr": asked})
    await named_person(gateway, subject=issuer.sub)
    issuer.claims = {"acr": said, "amr": None}
    brought = await begin(client, issuer)
    assert issuer.asked["acr_values"] == asked
    assert (await come_back(client, brought)).status_code == status


async def test_an_answer_to_somebody_elses_question_is_refused(
    gateway: Gateway, client: httpx.AsyncClient, issuer: LocalIssuer
) -> None:
    """Login CSRF: an answer means something only in the browser that asked, with the state that it was given."""
    await named_person(gateway, subject=issuer.sub)
    brought = await begin(client, issuer)
    for state in ("", "other", "é"):
        assert (await come_back(client, brought | {"state": state})).status_code == 400
    transport = httpx.ASGITransport(application(gateway), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as victim:
        assert (await come_back(victim, brought)).status_code == 400
    assert (await come_back(client, brought | {"iss": "https://other.test"})).status_code == 403


async def test_the_verifier_is_the_browsers_own(
    gateway: Gateway, client: httpx.AsyncClient, issuer: LocalIssuer
) -> None:
    """PKCE: a code that was stolen is worth nothing without what only this browser holds."""
    await named_person(gateway, subject=issuer.sub)
    brought = await begin(client, issuer)
    mine = Pending.of(client.cookies["safebus-sign-in"], SITE)
    assert mine
    client.cookies.delete("safebus-sign-in")
    theirs = Pending(mine.state, mine.nonce, "another verifier", None).cookie()
    answer = await client.get("/sign-in/callback", params=brought, headers={"Cookie": f"safebus-sign-in={theirs}"})
    assert answer.status_code == 403
    assert issuer.refused == ["code or verifier"]


@pytest.mark.parametrize("cookie", ["", "x", "bm90IGpzb24", "e30", "W10", "eyJlbnRyeSI6Ii8vZXZpbCJ9"])
async def test_whatever_a_browser_sends_is_no_failure(
    gateway: Gateway, client: httpx.AsyncClient, issuer: LocalIssuer, cookie: str
) -> None:
    """A made-up cookie is a sign-in that was never begun."""
    answer = await client.get("/sign-in/callback?code=c&state=s", headers={"Cookie": f"safebus-sign-in={cookie}"})
    assert answer.status_code == 400


async def test_who_is_not_named_stays_out(gateway: Gateway, client: httpx.AsyncClient, issuer: LocalIssuer) -> None:
    """H10: an account is not enough; and somebody who said no at the issuer gets an answer in plain words."""
    answer = await come_back(client, await begin(client, issuer))
    assert answer.status_code == 403
    assert "not one of the named safeguarding people" in answer.text
    brought = await begin(client, issuer)
    said_no = await come_back(client, {"error": "access_denied<b>", "state": brought["state"]})
    assert said_no.status_code == 403
    assert "access_denied" not in said_no.text


async def test_an_issuer_that_is_away_is_a_page(at: Settings, gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Nobody gets in, and nobody sees a traceback. Off this machine it must be HTTPS."""
    for away in ("http://127.0.0.1:9", "http://issuer.test"):
        gateway.settings = at.model_copy(update={"oidc_issuer": away})
        client._transport.app.state.issuer = None  # type: ignore[attr-defined]
        del client._transport.app.state.issuer  # type: ignore[attr-defined]
        answer = await client.get("/sign-in/start")
        assert answer.status_code == 503
        assert "Try again in a few minutes" in answer.text


def test_a_return_is_a_number_even_in_a_made_up_cookie() -> None:
    """Open redirect: what a browser keeps is not believed either."""
    for entry in ("//evil.test", "-1", "0", "1/../x", 7, True, 1.5, ["x"]):
        made = Pending("s", "n", "v", entry)  # type: ignore[arg-type]
        assert Pending.of(made.cookie(), SITE) is None
    assert Pending.of(Pending("s", "n", "v", "7").cookie(), SITE) == Pending("s", "n", "v", "7")
    assert parse_qs(urlsplit("/inbox").query) == {}
