"""Who holds something is never signed out without handing it on, and never leaves a page open to whoever comes by."""

from __future__ import annotations

from datetime import timedelta

import httpx
import sqlalchemy as sa

from services.people import sessions
from tests.people.conftest import NOW
from tests.people.sites import SECRET, Place, csrf_of

WHILE = timedelta(minutes=16)
"""Longer than a session lives unused."""
NIGHT = timedelta(minutes=601)
"""Longer than a session lives, however much it is used."""


async def rows(place: Place) -> int:
    count = sa.select(sa.func.count()).select_from(place.site.session)
    return await place.access.read(lambda c: c.execute(count).scalar_one())


async def test_a_session_that_holds_something_is_locked_and_not_ended(one: Place, client: httpx.AsyncClient) -> None:
    """It asks whether they are still there, says who holds what is held, and shows nothing of it; nothing is lost."""
    person = await one.name_one("Ada")
    csrf = await one.signs_in(client, person)
    one.holding[person] = ["7", "8"]
    one.clock.step(NOW + WHILE)
    for answer in (await client.get("/entries/7"), await client.post("/entries/7", data={"csrf": csrf})):
        assert answer.headers["location"] == "/locked?entry=7"
    page = await client.get("/locked?entry=7")
    assert page.status_code == 200
    assert "Are you still there, Ada?" in page.text
    assert "Ada still holds 2 matters" in page.text
    assert SECRET not in page.text
    assert csrf not in page.text
    assert one.acted == []
    assert one.holding[person] == ["7", "8"]
    assert (await client.get("/stream")).status_code == 303
    assert (await client.get("/still-there")).json() == {"seconds": 0, "danger": 0}


async def test_nothing_but_a_new_sign_in_opens_it(one: Place, client: httpx.AsyncClient) -> None:
    """No page, no form, no waiting and no longer session time unlocks; signing in does, with a new secret."""
    person = await one.name_one("Ada")
    csrf = await one.signs_in(client, person)
    former = client.cookies["safebus-one"]
    one.holding[person] = ["7"]
    one.clock.step(NOW + WHILE)
    await client.get("/locked")
    one.clock.step(NOW)  # were it only a matter of time, it would live again
    for path in ("/", "/entries/7", "/hand-on"):
        assert (await client.get(path)).headers["location"].startswith("/locked")
    for path in ("/entries/7", "/still-there", "/lock", "/sign-out"):
        assert (await client.post(path, data={"csrf": csrf})).headers["location"].startswith("/locked")
    await one.signs_in(client, person)
    assert SECRET in (await client.get("/entries/7")).text
    assert client.cookies["safebus-one"] != former
    assert await rows(one) == 1


async def test_a_use_that_is_noted_late_unlocks_nothing(one: Place, client: httpx.AsyncClient) -> None:
    """A page that was asked for just before the lock is noted just after it."""
    person = await one.name_one("Ada")
    await one.signs_in(client, person)
    one.holding[person] = ["7"]
    token = client.cookies["safebus-one"]

    def lock_first(connection: sa.Connection) -> None:
        sessions.lock(one.site, connection, token)
        sessions.note_use(one.site, connection, one.settings, token, one.now_us)

    await one.access.write(lock_first)
    assert (await client.get("/entries/7")).headers["location"] == "/locked?entry=7"


async def test_it_is_recorded_once(one: Place, client: httpx.AsyncClient) -> None:
    """However often the page is asked for."""
    person = await one.name_one("Ada")
    await one.signs_in(client, person)
    one.holding[person] = ["7"]
    one.clock.step(NOW + WHILE)
    for _ in range(3):
        await client.get("/locked")
    assert one.seen == [("SIGNED_IN", person), ("LOCKED", person)]


async def test_who_holds_nothing_is_signed_out_at_last(one: Place, client: httpx.AsyncClient) -> None:
    """Locked for disuse, ended at the session's longest; so for who held something that was handed on by others."""
    person = await one.name_one("Ada")
    await one.signs_in(client, person)
    one.clock.step(NOW + WHILE)
    page = await client.get("/locked")
    assert "Are you still there, Ada?" in page.text
    assert "holds" not in page.text
    one.holding[person] = ["7"]
    one.clock.step(NOW + NIGHT)
    assert (await client.get("/entries/7")).headers["location"] == "/locked?entry=7"
    one.holding.clear()
    answer = await client.get("/locked?entry=7")
    assert answer.headers["location"] == "/sign-in?entry=7&ended=yes"
    assert "safebus-one" not in client.cookies


async def test_a_page_that_nobody_uses_is_left_without_a_script(one: Place, client: httpx.AsyncClient) -> None:
    """The browser goes to where the session is asked for; while another window is used, that leads back."""
    await one.signs_in(client, await one.name_one("Ada"))
    leaves = '<noscript><meta http-equiv="refresh" content="901; url=/locked?entry=7"></noscript>'
    assert leaves in (await client.get("/entries/7")).text
    answer = await client.get("/locked?entry=7")
    assert answer.headers["location"] == "/entries/7"
    assert (await client.get("/locked")).headers["location"] == "/"
    assert "refresh" not in (await client.get("/sign-in")).text


async def test_what_a_page_asks_for_by_itself_keeps_nothing_alive(one: Place, client: httpx.AsyncClient) -> None:
    """A stream and a clock on the page are not a person; a person who says so is."""
    csrf = await one.signs_in(client, await one.name_one("Ada"))
    one.clock.step(NOW + timedelta(minutes=14))
    assert (await client.get("/stream")).text == "60.0"
    assert (await client.get("/still-there")).json()["seconds"] == 60
    assert (await client.post("/still-there", data={"csrf": "made-up"})).status_code == 403
    assert (await client.post("/still-there", data={"csrf": csrf})).json()["seconds"] == 900
    assert (await client.get("/still-there")).json()["seconds"] == 900
    one.clock.step(NOW + timedelta(minutes=30))
    assert (await client.get("/stream")).status_code == 303


async def test_a_whole_night_locks_too(one: Place, client: httpx.AsyncClient) -> None:
    """The session's longest time, however much it is used, ends it for nobody who holds something."""
    person = await one.name_one("Ada")
    await one.signs_in(client, person)
    one.holding[person] = ["7"]
    for minutes in range(0, 600, 10):
        one.clock.step(NOW + timedelta(minutes=minutes))
        assert (await client.get("/entries/7")).status_code == 200
    one.clock.step(NOW + NIGHT)
    assert (await client.get("/entries/7")).headers["location"] == "/locked?entry=7"


async def test_signing_out_asks_to_hand_on_first(one: Place, client: httpx.AsyncClient) -> None:
    """They stay signed in, and are shown the way to what they hold; once it is handed on, they go."""
    person = await one.name_one("Ada")
    csrf = await one.signs_in(client, person)
    one.holding[person] = ["7"]
    page = await client.post("/sign-out", data={"csrf": csrf}, follow_redirects=True)
    assert page.url.path == "/hand-on"
    assert "You hold 1 matter." in page.text
    assert 'href="/mine"' in page.text
    assert (await client.get("/entries/7")).status_code == 200
    one.holding.clear()
    assert "You can sign out now" in (await client.get("/hand-on")).text
    assert (await client.post("/sign-out", data={"csrf": csrf})).headers["location"] == "/signed-out"
    assert await rows(one) == 0
    assert one.seen == [("SIGNED_IN", person), ("SIGNED_OUT", person)]


async def test_who_goes_away_locks_the_screen(one: Place, client: httpx.AsyncClient) -> None:
    """At once, by a button on their own page alone; what they hold stays theirs."""
    person = await one.name_one("Ada")
    await one.signs_in(client, person)
    one.holding[person] = ["7"]
    csrf = csrf_of(await client.get("/hand-on"))
    assert (await client.post("/lock", data={"csrf": "made-up"})).status_code == 403
    assert (await client.get("/entries/7")).status_code == 200
    page = await client.post("/lock", data={"csrf": csrf}, follow_redirects=True)
    assert "Are you still there, Ada?" in page.text
    assert (await client.get("/entries/7")).headers["location"] == "/locked?entry=7"


async def test_h7_a_locked_page_says_that_somebody_is_in_danger(one: Place, client: httpx.AsyncClient) -> None:
    """H7: danger interrupts at a screen that nobody has used as well: the number, and nothing about a child."""
    person = await one.name_one("Ada")
    await one.signs_in(client, person)
    one.in_danger = 2
    assert (await client.get("/still-there")).json() == {"seconds": 900, "danger": 0}, "its own page says it"
    one.clock.step(NOW + WHILE)
    page = await client.get("/locked")
    assert "Immediate danger: 2 matters that nobody has taken." in page.text
    assert '<meta http-equiv="refresh" content="30">' in page.text
    assert SECRET not in page.text
    assert (await client.get("/still-there")).json() == {"seconds": 0, "danger": 2}
    one.in_danger = 0
    assert "Immediate danger" not in (await client.get("/locked")).text
    async with one.browser() as stranger:
        answer = await stranger.get("/still-there")
        assert (answer.status_code, answer.json()) == (404, {"seconds": 0})


async def test_who_signs_in_elsewhere_ends_nothing_that_is_held(one: Place, client: httpx.AsyncClient) -> None:
    """A sign-in clears what has ended; a locked session of somebody who holds something has not."""
    holder, idle = await one.name_one("Ada"), await one.name_one("Ben")
    await one.signs_in(client, holder)
    async with one.browser() as second, one.browser() as third:
        await one.signs_in(second, idle)
        one.holding[holder] = ["7"]
        one.clock.step(NOW + WHILE)
        third_id = await one.name_one("Cy")
        await one.signs_in(third, third_id)
        assert await rows(one) == 3
        one.clock.step(NOW + NIGHT)
        await one.signs_in(third, third_id)
        assert await rows(one) == 2
        assert (await client.get("/entries/7")).headers["location"] == "/locked?entry=7"
        assert (await second.get("/entries/7")).headers["location"] == "/sign-in?entry=7&ended=yes"


async def test_somebody_else_at_the_same_screen_gets_a_session_of_their_own(
    one: Place, client: httpx.AsyncClient
) -> None:
    """The former session is gone from that browser; what its person holds stays with them."""
    holder = await one.name_one("Ada")
    await one.signs_in(client, holder)
    former = client.cookies["safebus-one"]
    one.holding[holder] = ["7"]
    one.clock.step(NOW + WHILE)
    await client.get("/locked")
    await one.signs_in(client, await one.name_one("Ben"))
    find = await one.access.read(lambda c: sessions.find(one.site, c, one.settings, former, one.now_us))
    assert find is None
    assert one.holding == {holder: ["7"]}
