"""Who gets in, by what, and for how long; and what a link, a form and a return address can be made to do."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from services.bus.settings import Settings
from services.partner_gateway.door.app import application
from services.partner_gateway.door.context import Gateway
from services.partner_gateway.partners import registry
from services.partner_gateway.tables import person, session
from tests.partner_gateway import people
from tests.partner_gateway.conftest import tell
from tests.partner_gateway.people import NOW, SCHOOL, csrf_of, link_for, named_person, signed_in


@pytest.fixture
def at(stack: Settings, tmp_path: Path) -> Settings:
    """A gateway whose clock stands at NOW until a test steps it."""
    clock = tmp_path / "clock"
    clock.write_text(NOW.isoformat())
    return stack.model_copy(update={"data_dir": tmp_path, "gateway_port": 0, "clock_file": clock})


def browser(gateway: Gateway, base_url: str = "http://gateway.test") -> httpx.AsyncClient:
    """Another browser: its own cookies."""
    transport = httpx.ASGITransport(application(gateway), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=base_url)


async def test_nobody_gets_in_without_signing_in(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Every page and every form sends to the sign-in page, with the number to come back to and nothing else."""
    await tell(gateway, people.alert())
    for path in ("/inbox", "/inbox/finished", "/inbox/1", "/inbox/1/recorded", "/inbox/1/document"):
        answer = await client.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"] == ("/sign-in?entry=1" if "/1" in path else "/sign-in")
    for path in ("/inbox/1/read", "/inbox/1/acted", "/inbox/1/conflict", "/sign-out"):
        assert (await client.post(path, data={"csrf": "x"})).headers["location"].startswith("/sign-in")
    answer = await client.get("/inbox", headers={"Cookie": "safebus=made-up"})
    assert answer.headers["location"] == "/sign-in?ended=yes"


async def test_following_a_link_uses_nothing_up(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """A program that scans mail opens every link; the person's button still works afterwards, once."""
    path = await link_for(gateway, await named_person(gateway))
    async with browser(gateway) as scanner:
        for _ in range(3):
            assert "Your link is ready" in (await scanner.get(path, follow_redirects=True)).text
    page = await client.get(path, follow_redirects=True)
    token = path.rsplit("/", 1)[1]
    assert str(page.url) == "http://gateway.test/sign-in/link"
    assert token not in page.text
    answer = await client.post("/sign-in/link", data={"csrf": csrf_of(page)})
    assert answer.headers["location"] == "/inbox"
    assert "Ines Okafor" in (await client.get("/inbox")).text


async def test_a_link_works_once(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Used, it is dead for whoever holds it, even for a page that was opened before."""
    path = await link_for(gateway, await named_person(gateway))
    page = await client.get(path, follow_redirects=True)
    async with browser(gateway) as second:
        form = {"csrf": csrf_of(await second.get(path, follow_redirects=True))}
        await client.post("/sign-in/link", data={"csrf": csrf_of(page)})
        late = await second.post("/sign-in/link", data=form)
        assert late.status_code == 410
        again = await second.get(path, follow_redirects=True)
        assert again.status_code == 410
        assert again.text == late.text
        assert (await second.get("/inbox")).status_code == 303


async def test_a_link_expires(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """After its time it is as one that never was."""
    path = await link_for(gateway, await named_person(gateway), minutes=10)
    page = await client.get(path, follow_redirects=True)
    gateway.clock.step(NOW + timedelta(minutes=11))
    late = await client.post("/sign-in/link", data={"csrf": csrf_of(page)})
    never = await client.get("/sign-in/link/never-was-there-such-a-link", follow_redirects=True)
    assert (late.status_code, never.status_code) == (410, 410)
    assert late.text == never.text


async def test_a_link_that_nobody_makes_sets_nothing(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """What is not written as a token never reaches a cookie."""
    for token in ("short", "x" * 300, "a%0d%0aSet-Cookie:%20b=c" + "d" * 20, "a%3b%20b" + "c" * 30):
        answer = await client.get(f"/sign-in/link/{token}")
        assert answer.status_code == 410
        assert "set-cookie" not in answer.headers


async def test_a_link_of_somebody_who_left_is_dead(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """A person or a partner that was removed does not get in by what they still hold."""
    person_id = await named_person(gateway)
    path = await link_for(gateway, person_id)
    await gateway.access.write(lambda c: c.execute(person.update().values(closed_us=gateway.now_us)))
    assert (await client.get(path, follow_redirects=True)).status_code == 410


async def test_a_link_is_no_way_round_the_second_factor(at: Settings, gateway: Gateway) -> None:
    """H10: where people sign in by an issuer, a link alone does not open the inbox."""
    path = await link_for(gateway, await named_person(gateway))
    strict = at.model_copy(update={"oidc_issuer": "https://issuer.test", "oidc_client_id": "gateway"})
    gateway.settings = strict
    async with browser(gateway) as strict_browser:
        assert (await strict_browser.get(path, follow_redirects=True)).status_code == 410


async def test_a_session_ends_unused(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Use keeps it alive; fifteen minutes without end it, and the sign-in page says why."""
    await signed_in(gateway, client)
    for minutes in (10, 20, 30):
        gateway.clock.step(NOW + timedelta(minutes=minutes))
        assert (await client.get("/inbox")).status_code == 200
    gateway.clock.step(NOW + timedelta(minutes=46))
    ended = await client.get("/inbox", follow_redirects=True)
    assert "You have been signed out" in ended.text
    assert "safebus" not in client.cookies


async def test_a_session_ends_however_much_it_is_used(
    at: Settings, gateway: Gateway, client: httpx.AsyncClient
) -> None:
    """The whole of it has a limit as well."""
    await signed_in(gateway, client)
    minutes = 0
    while (await client.get("/inbox")).status_code == 200:
        minutes += 14
        assert minutes <= at.gateway_session_hours * 60 + 14
        gateway.clock.step(NOW + timedelta(minutes=minutes))
    assert minutes >= at.gateway_session_hours * 60


async def test_a_post_after_the_session_records_nothing(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """The button of a page left open leads to the sign-in page and back to the entry, and is not obeyed."""
    await tell(gateway, people.alert())
    csrf = await signed_in(gateway, client)
    gateway.clock.step(NOW + timedelta(minutes=16))
    answer = await client.post("/inbox/1/read", data={"csrf": csrf})
    assert answer.headers["location"] == "/sign-in?entry=1&ended=yes"


async def test_signing_in_makes_a_new_secret(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Session fixation: what a browser had before is never what it has after; the former session is gone."""
    await signed_in(gateway, client)
    former = client.cookies["safebus"]
    await signed_in(gateway, client, name="Jo Brandt")
    assert client.cookies["safebus"] != former
    async with browser(gateway) as thief:
        assert (await thief.get("/inbox", headers={"Cookie": f"safebus={former}"})).status_code == 303


async def test_signing_out_ends_the_session_itself(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Not only the cookie: a copy of it is worth nothing."""
    csrf = await signed_in(gateway, client)
    held = client.cookies["safebus"]
    out = await client.post("/sign-out", data={"csrf": csrf}, follow_redirects=True)
    assert "You are signed out" in out.text
    async with browser(gateway) as thief:
        assert (await thief.get("/inbox", headers={"Cookie": f"safebus={held}"})).status_code == 303
    assert await gateway.access.read(lambda c: c.execute(sa.select(session)).all()) == []


async def test_the_table_holds_no_secret(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Whoever reads the database cannot sign in with what they read."""
    await signed_in(gateway, client)
    (row,) = await gateway.access.read(lambda c: c.execute(sa.select(session)).all())
    assert client.cookies["safebus"].encode() not in bytes(row.hash)
    assert client.cookies["safebus"] not in {row.csrf, row.person_id}


async def test_somebody_removed_is_out_at_once(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Closing the partner ends the sessions of its people."""
    await signed_in(gateway, client)
    await gateway.access.write(lambda c: registry.close_partner(c, SCHOOL, now_us=gateway.now_us))
    assert (await client.get("/inbox")).status_code == 303


async def test_a_form_from_elsewhere_is_refused(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """No token, another session's, an empty one, or another site by the browser's own word: nothing is recorded."""
    await tell(gateway, people.alert())
    async with browser(gateway) as other:
        foreign = await signed_in(gateway, other, name="Jo Brandt")
    csrf = await signed_in(gateway, client)
    for data in ({}, {"csrf": ""}, {"csrf": foreign}, {"csrf": csrf + "é"}):
        for path in ("/inbox/1/read", "/inbox/1/acted", "/inbox/1/conflict", "/sign-out"):
            answer = await client.post(path, data=data)
            assert (answer.status_code, "This page is out of date" in answer.text) == (403, True)
    for site in ("cross-site", "same-site", "none"):
        headers = {"Sec-Fetch-Site": site}
        assert (await client.post("/inbox/1/read", data={"csrf": csrf}, headers=headers)).status_code == 403
    upload = await client.post("/inbox/1/read", files={"csrf": ("x", b"y")})
    assert upload.status_code in (400, 403)
    assert (await client.get("/inbox")).status_code == 200


async def test_a_sign_in_form_from_elsewhere_is_refused(gateway: Gateway, client: httpx.AsyncClient) -> None:
    """Nobody is signed in as somebody else by a button on another site."""
    path = await link_for(gateway, await named_person(gateway))
    await client.get(path)
    assert (await client.post("/sign-in/link", data={"csrf": "made-up"})).status_code == 403
    async with browser(gateway) as without:
        assert (await without.post("/sign-in/link", data={"csrf": "made-up"})).status_code == 410


@pytest.mark.parametrize(
    "entry", ["//evil.test", "https://evil.test", "/\\evil.test", "1/../../evil", "%2F%2Fevil.test", "-1", "1 ", "１"]
)
async def test_there_is_no_address_to_return_to(entry: str, at: Settings, gateway: Gateway) -> None:
    """Open redirect: only a number is taken along, so no page of ours leads anywhere else."""
    gateway.settings = at.model_copy(update={"oidc_issuer": "https://issuer.test", "oidc_client_id": "gateway"})
    async with browser(gateway) as visitor:
        page = await visitor.get("/sign-in", params={"entry": entry})
    assert "evil" not in page.text
    assert re.findall(r'href="(/sign-in/start[^"]*)"', page.text) == ["/sign-in/start"]


async def test_by_https_the_cookie_is_bound_to_the_host(at: Settings, gateway: Gateway) -> None:
    """RFC 6265bis: `__Host-`, Secure, HttpOnly, no domain, the whole path, and no other site's request carries it."""
    gateway.settings = at.model_copy(update={"gateway_url": "https://gateway.test"})
    async with browser(gateway, "https://gateway.test") as visitor:
        path = await link_for(gateway, await named_person(gateway))
        page = await visitor.get(path, follow_redirects=True)
        answer = await visitor.post("/sign-in/link", data={"csrf": csrf_of(page)})
        cookies = answer.headers.get_list("set-cookie")
        (made,) = [cookie for cookie in cookies if cookie.startswith("__Host-safebus=")]
        parts = {part.strip().lower() for part in made.split(";")[1:]}
        assert parts == {"path=/", "secure", "httponly", "samesite=lax"}
        assert (await visitor.get("/inbox")).status_code == 200
