"""H10 against a real Keycloak: a named person with a second factor gets in, and nobody else, by the forms they see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.bus.settings import Settings
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.partners import registry
from services.people import oidc
from tests.keycloak import EmbeddedKeycloak
from tests.partner_gateway import people
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.people import SCHOOL, csrf_of, named_person
from tests.partner_gateway.soak.browser import GATEWAY, Browser, browser, changed
from tests.partner_gateway.soak.conftest import ACCOUNTS, WITHOUT
from tests.partner_gateway.soak.realm import BOTH_ALWAYS, CLIMBS, PASSWORD_ONLY, SECOND_LEVEL, SECRET, Account

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]  # the first run fetches and builds Keycloak


@pytest.fixture
def at(stack: Settings, tmp_path: Path, keycloak: EmbeddedKeycloak) -> Settings:
    return stack.model_copy(
        update={
            "data_dir": tmp_path,
            "gateway_port": 0,
            "oidc_issuer": keycloak.issuer,
            "oidc_client_id": CLIMBS,
            "oidc_client_secret": SecretStr(SECRET),
            "oidc_acr": SECOND_LEVEL,
        }
    )


@pytest.fixture
async def visitor(gateway: Gateway) -> AsyncIterator[Browser]:
    async with browser(gateway) as made:
        yield made


async def named(gateway: Gateway, account: Account) -> str:
    return await named_person(gateway, name=f"Person {account.username}", subject=account.subject)


async def sign_in(visitor: Browser, account: Account, *, windows: int = 0) -> None:
    """All of it, as it should be."""
    await visitor.go(f"{GATEWAY}/sign-in/start")
    await visitor.fill_in(username=account.username, password=account.password)
    await visitor.fill_in(otp=account.code(windows))


def is_in(visitor: Browser, account: Account) -> bool:
    return visitor.page.status_code == 200 and f"Person {account.username}" in visitor.page.text


async def is_out(visitor: Browser) -> bool:
    """Whether the inbox sends this browser away, and it has no session's cookie."""
    answer = await visitor.client.get(f"{GATEWAY}/inbox")
    return answer.status_code == 303 and "safebus" not in visitor.client.cookies


async def test_with_the_second_factor_to_the_entry_that_was_wanted(gateway: Gateway, visitor: Browser) -> None:
    """From the link in an e-mail, through password and code, to the entry; who it is stands on the page."""
    account = ACCOUNTS["ines"]
    await named(gateway, account)
    await tell(gateway, people.alert())
    await visitor.go(f"{GATEWAY}/inbox/1")
    assert "/sign-in/start?entry=1" in visitor.page.text
    await visitor.go(f"{GATEWAY}/sign-in/start?entry=1")
    assert visitor.fields >= {"username", "password"}
    await visitor.fill_in(username=account.username, password=account.password)
    assert await is_out(visitor), "by a password alone"
    assert "otp" in visitor.fields
    await visitor.fill_in(otp=account.code())
    assert str(visitor.page.url) == f"{GATEWAY}/inbox/1"
    assert is_in(visitor, account)


async def test_a_wrong_code_is_no_session(gateway: Gateway, visitor: Browser) -> None:
    """However often; the browser never comes back to the gateway."""
    account = ACCOUNTS["guesses"]
    await named(gateway, account)
    await visitor.go(f"{GATEWAY}/sign-in/start")
    await visitor.fill_in(username=account.username, password=account.password)
    for _ in range(2):
        await visitor.fill_in(otp=account.wrong_code())
        assert "Invalid authenticator code" in visitor.page.text
    assert not any("/sign-in/callback" in there for there in visitor.visited)
    assert await is_out(visitor)


async def test_to_ask_for_less_gets_nobody_in(gateway: Gateway, visitor: Browser) -> None:
    """Whoever rewrites the address so that the issuer asks for a password alone, has proved no more, and is told so."""
    account = ACCOUNTS["tampers"]
    await named(gateway, account)
    await visitor.go(f"{GATEWAY}/sign-in/start", changed(acr_values="pwd"))
    await visitor.fill_in(username=account.username, password=account.password)
    assert "/sign-in/callback" in str(visitor.page.url)
    assert (visitor.page.status_code, "second step" in visitor.page.text) == (403, True)
    assert await is_out(visitor)


@pytest.mark.parametrize("acr", [SECOND_LEVEL, ""])
async def test_an_issuer_that_asks_for_a_password_alone_lets_nobody_in(
    gateway: Gateway, visitor: Browser, acr: str
) -> None:
    """A mistake in the issuer's set-up shuts the door; it does not open it."""
    account = ACCOUNTS["password"]
    gateway.settings = gateway.settings.model_copy(update={"oidc_client_id": PASSWORD_ONLY, "oidc_acr": acr})
    await named(gateway, account)
    await visitor.go(f"{GATEWAY}/sign-in/start")
    await visitor.fill_in(username=account.username, password=account.password)
    assert (visitor.page.status_code, "second step" in visitor.page.text) == (403, True)
    assert await is_out(visitor)


async def test_two_kinds_of_proof_are_two_factors(gateway: Gateway, visitor: Browser) -> None:
    """Where the issuer has no levels and asks everybody for both, and says so (`amr`: pwd, otp), nothing is set."""
    account = ACCOUNTS["both"]
    gateway.settings = gateway.settings.model_copy(update={"oidc_client_id": BOTH_ALWAYS, "oidc_acr": ""})
    await named(gateway, account)
    await sign_in(visitor, account)
    assert is_in(visitor, account)


async def test_without_a_phone_there_is_no_way_past_it(gateway: Gateway, visitor: Browser) -> None:
    """Who has no second factor yet is made to set one up by the issuer, and is not in before."""
    await named(gateway, WITHOUT)
    await visitor.go(f"{GATEWAY}/sign-in/start")
    await visitor.fill_in(username=WITHOUT.username, password=WITHOUT.password)
    assert "CONFIGURE_TOTP" in str(visitor.page.url)
    assert await is_out(visitor)
    await visitor.go(f"{GATEWAY}/sign-in/start")
    assert not any("/sign-in/callback" in there for there in visitor.visited)


async def test_who_is_no_named_person_stays_out(gateway: Gateway, visitor: Browser) -> None:
    """Both factors are proved, of somebody who is nobody here; or was."""
    stranger, left = ACCOUNTS["stranger"], ACCOUNTS["left"]
    person_id, now_us = await named(gateway, left), gateway.now_us
    await gateway.access.write(lambda c: registry.close_person(c, SCHOOL, person_id, now_us=now_us))
    for account in (stranger, left):
        async with browser(gateway) as their:
            await sign_in(their, account)
            assert their.page.status_code == 403
            assert "not one of the named" in their.page.text
            assert await is_out(their)


async def test_a_session_that_ended_is_proved_anew(gateway: Gateway, visitor: Browser) -> None:
    """The issuer would know the browser still: it is asked to ask again, both factors, after signing out here."""
    account = ACCOUNTS["again"]
    await named(gateway, account)
    await sign_in(visitor, account)
    await visitor.client.post(f"{GATEWAY}/sign-out", data={"csrf": csrf_of(visitor.page)})
    assert await is_out(visitor)
    visitor.visited.clear()
    await visitor.go(f"{GATEWAY}/sign-in/start")
    assert visitor.fields >= {"password"}
    await visitor.fill_in(password=account.password)
    assert "otp" in visitor.fields
    assert await is_out(visitor)
    await visitor.fill_in(otp=account.code(1))
    assert is_in(visitor, account)


async def test_an_answer_of_the_issuer_is_used_once(gateway: Gateway, visitor: Browser) -> None:
    """Neither another browser, nor the same one with all that it had, gets in by the address that it came back to."""
    account = ACCOUNTS["replays"]
    await named(gateway, account)
    await visitor.go(f"{GATEWAY}/sign-in/start")
    pending = visitor.client.cookies["safebus-sign-in"]
    await visitor.fill_in(username=account.username, password=account.password)
    await visitor.fill_in(otp=account.code())
    assert is_in(visitor, account)
    [back] = [there for there in visitor.visited if "/sign-in/callback" in there]
    async with browser(gateway) as thief:
        assert (await thief.client.get(back)).status_code == 400
        again = await thief.client.get(back, headers={"Cookie": f"safebus-sign-in={pending}"})
        assert again.status_code == 403
        assert await is_out(thief)


async def test_a_code_for_another_verifier_is_worth_nothing(gateway: Gateway, visitor: Browser) -> None:
    """PKCE: the issuer gives no token for a sign-in that another began."""
    account = ACCOUNTS["pkce"]
    await named(gateway, account)
    await visitor.go(f"{GATEWAY}/sign-in/start", changed(code_challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"))
    await visitor.fill_in(username=account.username, password=account.password)
    await visitor.fill_in(otp=account.code())
    assert "/sign-in/callback" in str(visitor.page.url)
    assert visitor.page.status_code == 403
    assert await is_out(visitor)


async def test_the_issuer_changes_its_key(
    gateway: Gateway, visitor: Browser, keycloak: EmbeddedKeycloak, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who signs in by a key that the gateway has not seen yet is in: it asks the issuer for its keys."""
    monkeypatch.setattr(oidc, "FETCH_AGAIN", 0.0)
    account = ACCOUNTS["rotates"]
    await named(gateway, account)
    await sign_in(visitor, account)
    assert is_in(visitor, account)
    await keycloak.sign_by_another_key()
    visitor.client.cookies.clear()
    await sign_in(visitor, account, windows=1)
    assert is_in(visitor, account)
