"""Two sites on one host: what proves who somebody is at one is nothing at the other; and the pages they share."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

import services.people
from services.people import sessions
from services.people.pending import Pending
from tests.partner_gateway.issuer import local_issuer
from tests.people.sites import SECRET, Place, a_place, csrf_of


async def test_the_cookie_of_one_site_is_of_no_use_at_the_other(one: Place, other: Place) -> None:
    """A browser sends both sites every cookie of the host: neither the cookie nor its value opens the other."""
    person = await one.name_one("Ada")
    await other.name_one("Ada")
    async with one.browser() as here, other.browser() as there:
        await one.signs_in(here, person)
        (kept,) = here.cookies.jar
        assert kept.value
        for name in (kept.name, "safebus-other", "__Host-safebus-other", "safebus"):
            answer = await there.get("/entries/7", headers={"Cookie": f"{name}={kept.value}"})
            assert answer.status_code == 303
            assert SECRET not in answer.text
        assert (await here.get("/entries/7")).status_code == 200


async def test_signing_out_of_one_leaves_the_other(one: Place, other: Place) -> None:
    """One browser, two sites: each cookie has a name of its own, so neither session ends the other."""
    async with one.browser() as here, other.browser() as there:
        there._cookies = here._cookies  # one browser
        csrf = await one.signs_in(here, await one.name_one("Ada"))
        await other.signs_in(there, await other.name_one("Ada"))
        assert (await here.get("/entries/7")).status_code == 200
        assert (await here.post("/sign-out", data={"csrf": csrf})).headers["location"] == "/signed-out"
        assert (await there.get("/entries/7")).status_code == 200


async def test_a_link_of_one_site_is_none_of_the_other(one: Place, other: Place) -> None:
    """Nor is the form that uses it."""
    path = await one.link_for(await one.name_one("Ada"))
    await other.name_one("Ada")
    async with other.browser() as there:
        assert (await there.get(path, follow_redirects=True)).status_code == 410
    async with one.browser() as here:
        assert (await here.get(path, follow_redirects=True)).status_code == 200


async def test_each_site_is_a_client_of_its_own_at_the_issuer(tmp_path: Path) -> None:
    """Its own name, its own way back; and a sign-in that was begun at one is not ended at the other."""
    async with (
        local_issuer() as issuer,
        a_place("one", tmp_path, oidc_issuer=issuer.address) as one,
        a_place("other", tmp_path, oidc_issuer=issuer.address) as other,
        one.browser() as here,
        other.browser() as there,
    ):
        start = await here.get("/sign-in/start?entry=unmatched:7")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(start.headers["location"]).query).items()}
        assert (asked["client_id"], asked["redirect_uri"]) == ("client-one", "http://one.test/sign-in/callback")
        pending = here.cookies["safebus-one-sign-in"]
        begun = Pending.of(pending, one.site)
        assert begun
        assert begun.entry == "unmatched:7"
        for name in ("safebus-one-sign-in", "safebus-one-link"):
            answer = await there.get(
                "/sign-in/callback", params={"code": "c", "state": begun.state}, headers={"Cookie": f"{name}={pending}"}
            )
            assert answer.status_code == 400


@pytest.mark.parametrize(
    "entry", ["//evil.test", "https://evil.test", "/\\evil.test", "a/../../b", "A", "a" * 41, "", "a\n", "a?b", "%2F"]
)
async def test_there_is_no_address_to_return_to(entry: str, one: Place, client: httpx.AsyncClient) -> None:
    """Open redirect: what is not written as an entry's id is not taken along, by an address or by a cookie."""
    assert one.site.valid(entry) is None
    assert Pending.of(Pending("s", "n", "v", entry).cookie(), one.site) is None
    page = await client.get("/sign-in", params={"entry": entry})
    assert "evil" not in page.text
    answer = await client.get(f"/entries/{entry.strip()}" if entry.isalpha() else "/entries/x%20y")
    assert answer.headers["location"] == "/sign-in"


async def test_every_refusal_is_a_page_in_plain_words(one: Place, client: httpx.AsyncClient) -> None:
    """Not found, not allowed, wrong in form: each has a heading and says what to do, and nothing is recorded."""
    csrf = await one.signs_in(client, await one.name_one("Ada"))
    pages = {
        429: await client.get("/entries/too-many"),
        410: await client.get("/sign-in/link/short"),
        404: await client.get("/sign-in/start"),
        403: await client.post("/entries/7", data={"csrf": csrf + "x"}),
    }
    for status, page in pages.items():
        assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert "<h1>" in page.text
        assert "Traceback" not in page.text
    for files in ({"csrf": ("x", b"y")},):
        assert (await client.post("/entries/7", files=files)).status_code in (400, 403)
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert (await client.post("/entries/7", data={"csrf": csrf}, headers=elsewhere)).status_code == 403
    assert one.acted == []
    assert (await client.post("/entries/7", data={"csrf": csrf})).status_code == 204
    assert one.acted == ["7"]


async def test_a_database_that_is_away_is_a_page(one: Place, client: httpx.AsyncClient) -> None:
    """What was sent may or may not be recorded, and the page says so."""
    await one.signs_in(client, await one.name_one("Ada"))
    await one.access.write(lambda c: one.site.session.drop(c))
    answer = await client.get("/entries/7")
    assert answer.status_code == 503
    assert "Try again in a few minutes" in answer.text


async def test_every_page_leads_home_and_out(one: Place, client: httpx.AsyncClient) -> None:
    """Whoever is signed in sees as whom, and gets to their first page and out; before, there is nothing to leave."""
    page = (await client.get("/sign-in")).text
    assert "<title>Sign in – Test site</title>" in page
    assert "/sign-out" not in page
    await one.signs_in(client, await one.name_one("Ada"))
    page = (await client.get("/entries/7")).text
    assert f'href="{one.site.home}">Test site</a>' in page
    assert 'action="/sign-out"' in page
    assert 'Ada</strong>, <span dir="auto">social worker</span>' in page


async def test_a_static_file_is_kept_by_its_content(one: Place, client: httpx.AsyncClient) -> None:
    """For a year under the address that pages name; another content has another address; what is not there is not."""
    address = one.pages.static.address("site.css")
    assert address in (await client.get("/sign-in")).text
    answer = await client.get(address)
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert (await client.get("/static/site.css?v=other")).headers["cache-control"] == "no-cache"
    for name in ("../templates/base.html", "%2e%2e/templates/base.html", "base.html"):
        assert (await client.get(f"/static/{name}")).status_code == 404


async def test_who_signs_in_and_out_is_told(one: Place, client: httpx.AsyncClient) -> None:
    """By their id, each once."""
    person = await one.name_one("Ada")
    csrf = await one.signs_in(client, person)
    await client.get("/entries/7")
    await client.post("/sign-out", data={"csrf": csrf})
    assert one.seen == [("SIGNED_IN", person), ("SIGNED_OUT", person)]


async def test_what_must_be_recorded_and_is_not_gives_no_session(one: Place, client: httpx.AsyncClient) -> None:
    """Whoever records it fails: nobody gets in unseen."""
    from services.bus.errors import Surroundings

    async def fails(*_: object) -> None:
        raise Surroundings("the log is away")

    object.__setattr__(one.site, "seen", fails)
    button = await client.get(await one.link_for(await one.name_one("Ada")), follow_redirects=True)
    answer = await client.post("/sign-in/link", data={"csrf": csrf_of(button)})
    assert answer.status_code == 503
    assert sessions.cookie_name(one.site, one.settings) not in client.cookies


def test_the_shared_pages_are_in_the_package() -> None:
    """The wheel holds all of `services`."""
    here = Path(services.people.__path__[0])
    assert {file.name for file in (here / "templates").glob("*.html")} >= {
        "error.html", "hand_on.html", "link.html", "locked.html", "sign_in.html", "signed_out.html", "unattended.html",
    }  # fmt: skip
