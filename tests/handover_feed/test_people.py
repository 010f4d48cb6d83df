"""Who comes to the board, and in which role."""

from __future__ import annotations

import re

import httpx
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from services.bus.errors import UserMistake
from services.bus.events import Team
from services.bus.settings import Settings
from services.handover_feed.door.app import application as whole
from services.handover_feed.door.context import Board
from services.handover_feed.door.keys import screen
from services.handover_feed.people import staff
from services.handover_feed.people.site import ROLES, SITE
from services.handover_feed.people.tables import session
from services.handover_feed.people.visit import May
from tests.handover_feed.doorway import (
    SECRET,
    application,
    at,
    board,
    client,
    named,
    signs_in,
    takes,
)
from tests.partner_gateway.test_authorisation import routes_of

__all__ = ["application", "at", "board", "client"]


PAGES = {
    "/board": {"worker-night", "worker-day", "manager"},
    "/board/matters/child-1": {"worker-night", "worker-day", "manager"},
    "/board/stream": {"worker-night", "worker-day", "manager"},
    "/board/measures": {"manager"},
    "/board/log": {"auditor"},
    "/board/nobody": set(),
}


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_opens_its_own_pages(role: str, board: Board, client: httpx.AsyncClient) -> None:
    """And no other: an auditor sees no child, a worker no measures, and what names no role is open to nobody."""
    await signs_in(board, client, await named(board, role))
    for path, roles in PAGES.items():
        answer = await client.get(path)
        assert (answer.status_code == 200) == (role in roles), path
        assert answer.status_code in (200, 403)
        assert role in roles or SECRET not in answer.text
    first = (await client.get("/")).headers["location"]
    assert (await client.get(first)).status_code == 200


PUBLIC = {
    "/sign-in", "/sign-in/start", "/sign-in/callback", "/sign-in/link/{token}", "/sign-in/link", "/sign-out",
    "/signed-out", "/locked", "/still-there",
}  # fmt: skip
"""Paths of the ways in and out that show nothing of the board; GET, but for the button of a link."""


def test_every_route_of_the_board_asks_who_is_there_or_is_public_on_purpose(board: Board) -> None:
    """Deny by default: a route that is forgotten here, or that forgets to ask, fails; and none asks for no role."""
    asks: dict[tuple[str, str], list[May]] = {}
    for (method, path), on in routes_of(whole(board)).items():
        mays = [one for one in on if isinstance(one, May)]
        by_key = screen in on
        if path.startswith("/static/"):
            continue
        if not mays and not by_key:
            assert path in PUBLIC, f"{method} {path} asks nobody"
            assert method == "GET" or (method, path) == ("POST", "/sign-in/link")
        asks[method, path] = mays
    about = {route: mays for route, mays in asks.items() if route[1].startswith("/board")}
    assert len(about) > 10
    for (method, path), mays in about.items():
        (one,) = mays
        assert one.roles, f"{method} {path} is open to nobody"
        assert one.by_hand or method == "GET" or path == "/board/draft"  # it keeps what is typed, and nothing else
        if path != "/board/log":
            assert "auditor" not in one.roles, f"{method} {path} shows a child to an auditor"


async def test_every_page_of_the_board_is_shut_to_who_is_not_signed_in(board: Board) -> None:
    """Whatever the route is: nobody gets further than the sign-in page, with a made-up cookie neither."""
    transport = httpx.ASGITransport(app := whole(board), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test") as stranger:
        for (method, path), on in routes_of(app).items():
            for may_ in (one for one in on if isinstance(one, May)):
                address = re.sub(r"{\w+(:\w+)?}", "x", path)
                for headers in ({}, {"Cookie": "safebus-board=made-up"}):
                    answer = await stranger.request(method, address, headers=headers, data={"csrf": "x"})
                    if may_.by_hand:
                        assert answer.status_code == 303, (method, path, answer.text)
                        assert answer.headers["location"].startswith("/sign-in")
                    else:
                        assert answer.status_code == 401, (method, path)


async def test_nobody_gets_in_without_signing_in(client: httpx.AsyncClient) -> None:
    """A page leads to the sign-in page, with the matter to come back to; a script is told, and led nowhere."""
    for path in PAGES:
        answer = await client.get(path)
        assert SECRET not in answer.text
        if path == "/board/stream":
            assert answer.status_code == 401
        else:
            entry = "?entry=child-1" if "matters" in path else ""
            assert answer.headers["location"] == f"/sign-in{entry}"


@pytest.mark.parametrize("matter_id", ["child-1", "unmatched:0f3a", "held:8f14e45f-ceea-467f-a0e6-0d1f0a3b2c1d"])
async def test_a_sign_in_leads_back_to_the_matter(matter_id: str, board: Board, client: httpx.AsyncClient) -> None:
    """By its id, as every kind of matter has one."""
    answer = await client.get(f"/board/matters/{matter_id}")
    assert answer.headers["location"] == f"/sign-in?entry={matter_id}"
    assert SITE.after(SITE.valid(matter_id)) == f"/board/matters/{matter_id}"


async def test_somebody_removed_is_out_at_once(board: Board, client: httpx.AsyncClient) -> None:
    """With every session and link; and whoever removes them is told what stays taken in their name."""
    person_id = await named(board)
    await signs_in(board, client, person_id)
    await takes(board, person_id)
    now_us = board.now_us
    assert await board.access.write(lambda c: staff.remove(c, person_id, now_us=now_us)) == ["child-1"]
    assert (await client.get("/board")).headers["location"] == "/sign-in?ended=yes"
    assert await board.access.read(lambda c: c.execute(sa.select(session)).all()) == []


def test_the_board_is_the_gateways_client_unless_it_has_its_own(at: Settings) -> None:
    """One issuer for both; a name of its own, with its own secret, where there is one."""
    gateways = at.model_copy(update={"oidc_client_id": "gateway", "oidc_client_secret": SecretStr("g")})
    assert SITE.terms(gateways).client_id == "gateway"
    own = gateways.model_copy(update={"board_oidc_client_id": "board", "board_oidc_client_secret": SecretStr("b")})
    terms = SITE.terms(own)
    assert (terms.client_id, terms.client_secret) == ("board", SecretStr("b"))


@pytest.mark.parametrize(
    ("team", "role", "why"),
    [
        (Team.DAY, "worker-night", "the other team"),
        (Team.NIGHT, "worker-day", "the other team"),
        (Team.UNKNOWN, "manager", "day or night"),
        (Team.NIGHT, "director", "there is no role director"),
    ],
)
def test_a_role_belongs_to_its_team(board: Board, team: Team, role: str, why: str) -> None:
    """Nobody is of a side that does not exist, or works for one while named for the other."""
    with pytest.raises(UserMistake, match=why):
        board.access.run(lambda c: staff.add(c, "Sam Okafor", "social worker", team, role))


def test_one_sign_in_is_one_person(board: Board) -> None:
    """Until they are removed, nobody else has it."""

    def add(connection: sa.Connection) -> str:
        return staff.add(connection, "Sam Okafor", "manager", Team.DAY, "manager", subject="sub-1")

    first = board.access.run(add)
    with pytest.raises(UserMistake, match="another person's"):
        board.access.run(add)
    board.access.run(lambda c: staff.remove(c, first, now_us=board.now_us))
    assert board.access.run(add) != first
