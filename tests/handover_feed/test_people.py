"""Who comes to the board, in which role, and that nobody leaves it with a matter that they have taken."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, cast

import httpx
import pytest
import sqlalchemy as sa
from fastapi import Depends, FastAPI
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.envelope import Envelope
from services.bus.errors import UserMistake
from services.bus.events import HandoverSeen, MatterChanged, SeenWhat, Team
from services.bus.heard import Heard
from services.bus.memory import MemoryRecord
from services.bus.settings import Settings, settings
from services.cli.board import app as command
from services.handover_feed.board.projection import BOARD
from services.handover_feed.door.app import application as whole
from services.handover_feed.door.context import Board
from services.handover_feed.door.keys import screen
from services.handover_feed.people import staff
from services.handover_feed.people.site import ROLES, SITE
from services.handover_feed.people.tables import session
from services.handover_feed.people.tables import staff as staff_table
from services.handover_feed.people.visit import May, Visit, Visited, Watch, may, router
from services.handover_feed.tables import metadata
from services.people.sign_in import link_path
from services.web import problems
from services.web.stream import Few
from tests.partner_gateway.issuer import CLIENT, local_issuer
from tests.partner_gateway.issuer import SECRET as SECRET_THERE
from tests.partner_gateway.test_authorisation import routes_of
from tests.people.sites import csrf_of

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
SECRET = "Maya Hartley-Osei"


class Noted:
    """Keeps what would be recorded (acting/seen.py)."""

    def __init__(self) -> None:
        self.entries: list[HandoverSeen] = []

    def note(self, entry: HandoverSeen) -> None:
        self.entries.append(entry)


@pytest.fixture
def at(tmp_path: Path) -> Settings:
    clock = tmp_path / "clock"
    clock.write_text(NOW.isoformat())
    return Settings(data_dir=tmp_path, clock_file=clock)


@pytest.fixture
def board(at: Settings) -> Iterator[Board]:
    """A board with the database alone: neither Kafka nor a loop is asked who somebody is."""
    access = Access(at, "handover-feed")
    for tables in (BOARD.tables, metadata):
        access.run(tables.create_all)
    access.run(BOARD.begin)
    rest = dict.fromkeys((part.name for part in fields(Board)), cast(Any, None))
    known = {"settings": at, "access": access, "clock": Clock.of(at), "seen": cast(Any, Noted()), "streams": Few(20)}
    yield Board(**rest | known)
    access.close()


@pytest.fixture
def application(board: Board) -> FastAPI:
    """The ways in and out, and a page of each kind."""
    app = FastAPI()
    app.state.board = board
    problems.install(app)
    app.router.route_class = router.route_class

    @app.get("/board/matters/{matter_id}")
    async def matter(matter_id: str, visit: Visit) -> str:
        return f"{SECRET} {visit.staff.name}"

    @app.get("/board")
    async def everything(visit: Visit) -> str:
        return SECRET

    @app.get("/board/stream")
    async def stream(visit: Watch) -> str:
        return SECRET

    @app.get("/board/measures")
    async def measures(visit: Annotated[Visited, Depends(may("manager"))]) -> str:
        return "how long it took"

    @app.get("/board/log")
    async def log(visit: Annotated[Visited, Depends(may("auditor"))]) -> str:
        return "who saw what"

    @app.get("/board/nobody")
    async def nobody(visit: Annotated[Visited, Depends(may())]) -> str:
        return SECRET

    app.include_router(router)
    return app


@pytest.fixture
async def client(application: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test") as made:
        yield made


async def named(board: Board, role: str = "worker-night", name: str = "Sam Okafor") -> str:
    team = ROLES[role] or Team.NIGHT
    return await board.access.write(lambda c: staff.add(c, name, "out-of-hours social worker", team, role))


async def signs_in(board: Board, client: httpx.AsyncClient, person_id: str) -> None:
    now_us = board.now_us
    token = await board.access.write(lambda c: staff.new_link(c, person_id, now_us=now_us, minutes=30))
    button = await client.get(link_path(token), follow_redirects=True)
    done = await client.post("/sign-in/link", data={"csrf": csrf_of(button)})
    assert done.headers["location"] == "/", done.text


async def takes(board: Board, person_id: str, *, version: int = 1, taken: bool = True, danger: bool = False) -> None:
    """A matter is theirs, or no more, as the log says it."""
    by = {"person_id": person_id, "name": "Sam Okafor", "post": "social worker", "team": "NIGHT"}
    said = MatterChanged.model_validate(
        {
            "matter_id": "child-1", "child_id": "child-1", "version": version, "changed_at": NOW, "caused_by": "x",
            "state": "TAKEN" if taken else "OPEN", "team": "NIGHT", "taken_by": by if taken else None,
            "taken_at": NOW if taken else None, "location_confidential": False, "declare_no_conflict": False,
            "circumstances": [], "protection_plan": "UNKNOWN", "hazards": [], "protective_instructions": [],
            "adults_of_concern": [], "facts": [], "acts": [], "risk": [], "told": [],
            "interrupts": danger,
        }
    )  # fmt: skip
    said.enveloped(Envelope(f"e-{version}", "urn:safebus:test", said.topic, NOW))
    heard = Heard(MemoryRecord(said.topic, 0, 0, b"", b"", [], 0), event=said, envelope=said.envelope)
    await board.access.write(lambda c: list(BOARD.record(c, [heard])))


def recorded(board: Board) -> list[tuple[str, SeenWhat]]:
    return [(one.person_id, one.what) for one in cast(Noted, board.seen).entries]


# --- roles ------------------------------------------------------------------------------------------------------------

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


# --- what is held -----------------------------------------------------------------------------------------------------


async def test_a_session_never_expires_while_it_holds_a_taken_matter(board: Board, client: httpx.AsyncClient) -> None:
    """It is locked: nothing of a child on the screen, the matter theirs, and their own sign-in leads back to it."""
    person_id = await named(board)
    await signs_in(board, client, person_id)
    await takes(board, person_id)
    board.clock.step(NOW + timedelta(minutes=board.settings.board_session_minutes + 1))
    assert (await client.get("/board/stream")).status_code == 401
    page = await client.get("/board/matters/child-1", follow_redirects=True)
    assert page.url.path == "/locked"
    assert "Sam Okafor still holds 1 matter" in page.text
    assert SECRET not in page.text
    assert (await client.get("/board")).headers["location"] == "/locked"
    await signs_in(board, client, person_id)
    assert SECRET in (await client.get("/board/matters/child-1")).text
    said = [SeenWhat.SIGNED_IN, SeenWhat.LOCKED, SeenWhat.SIGNED_IN]
    assert recorded(board) == [(person_id, what) for what in said]


@pytest.mark.parametrize("factors", [["pwd"], ["pwd", "otp", "mfa"]])
async def test_only_a_second_factor_opens_it_again(factors: list[str], board: Board, client: httpx.AsyncClient) -> None:
    """At the issuer, freshly, and back at the matter; a password alone leaves it locked, and the matter theirs."""
    async with local_issuer() as issuer:
        board.settings = board.settings.model_copy(
            update={
                "oidc_issuer": issuer.address, "oidc_client_id": CLIENT, "oidc_client_secret": SecretStr(SECRET_THERE)
            }
        )  # fmt: skip
        person_id = await named(board)
        await board.access.write(lambda c: c.execute(staff_table.update().values(subject=issuer.sub)))

        async def by_issuer(start: str) -> httpx.Response:
            code = issuer.sign_in((await client.get(start)).headers["location"])
            return await client.get("/sign-in/callback", params={"code": code, "state": issuer.asked["state"]})

        assert (await by_issuer("/sign-in/start")).headers["location"] == "/"
        await takes(board, person_id)
        board.clock.step(NOW + timedelta(minutes=board.settings.board_session_minutes + 1))
        page = await client.get("/board/matters/child-1", follow_redirects=True)
        assert 'href="/sign-in/start?entry=child-1"' in page.text
        issuer.claims = {"amr": factors}
        answer = await by_issuer("/sign-in/start?entry=child-1")
        good = "mfa" in factors
        assert answer.headers.get("location") == ("/board/matters/child-1" if good else None)
        again = await client.get("/board/matters/child-1")
        assert (SECRET in again.text) == good
        assert good or again.headers["location"] == "/locked?entry=child-1"
        assert await board.access.read(lambda c: SITE.holds and SITE.holds(c, person_id)) == ["child-1"]


async def test_nobody_signs_out_with_a_matter_in_hand(board: Board, client: httpx.AsyncClient) -> None:
    """They are led to what they hold; handed on, it lets them go."""
    person_id = await named(board)
    await signs_in(board, client, person_id)
    await takes(board, person_id)
    csrf = csrf_of(await client.get("/hand-on"))
    page = await client.post("/sign-out", data={"csrf": csrf}, follow_redirects=True)
    assert 'href="/board/mine"' in page.text
    assert (await client.get("/board")).status_code == 200
    await takes(board, person_id, version=2, taken=False)
    assert (await client.post("/sign-out", data={"csrf": csrf})).headers["location"] == "/signed-out"
    assert recorded(board) == [(person_id, SeenWhat.SIGNED_IN), (person_id, SeenWhat.SIGNED_OUT)]


async def test_h7_danger_interrupts_at_a_locked_screen(board: Board, client: httpx.AsyncClient) -> None:
    """H7: as a number, until somebody takes it; about whom is for those who sign in."""
    await signs_in(board, client, await named(board))
    board.clock.step(NOW + timedelta(minutes=board.settings.board_session_minutes + 1))
    page = await client.get("/board", follow_redirects=True)
    assert "Immediate danger" not in page.text
    await takes(board, "staff-1", taken=False, danger=True)
    page = await client.get("/locked")
    assert "Immediate danger: 1 matter that nobody has taken." in page.text
    assert SECRET not in page.text
    await takes(board, "staff-1", version=2)
    assert "Immediate danger" not in (await client.get("/locked")).text


async def test_a_session_that_holds_nothing_ends(board: Board, client: httpx.AsyncClient) -> None:
    """After a whole night."""
    await signs_in(board, client, await named(board))
    board.clock.step(NOW + timedelta(hours=board.settings.board_session_hours, minutes=1))
    page = await client.get("/board", follow_redirects=True)
    assert "You have been signed out" in page.text


# --- who is named -----------------------------------------------------------------------------------------------------


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


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SAFEBUS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SAFEBUS_BOARD_URL", "https://board.example")
    settings.cache_clear()
    yield
    settings.cache_clear()


def said(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def told(*arguments: str) -> Any:
    done = said(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


SAM = ("person", "add", "Sam Okafor", "--post", "out-of-hours social worker", "--team", "night", "--role")


def test_a_person_from_the_first_day_to_the_last(here: None) -> None:
    """Named before the board ever ran, linked, listed, removed; then neither the list nor a link knows them."""
    person_id = told(*SAM, "worker-night")["person_id"]
    url = told("link", person_id)["url"]
    assert url.startswith("https://board.example/sign-in/link/")
    (one,) = told("list")
    assert one == {
        "person_id": person_id, "name": "Sam Okafor", "post": "out-of-hours social worker", "team": "night",
        "role": "worker-night",
    }  # fmt: skip
    assert "Sam Okafor" in said("list").stdout
    assert told("person", "remove", person_id) == {"person_id": person_id, "removed": True, "still_holds": []}
    assert told("list") == []
    assert "nobody may sign in yet" in said("list").stdout
    for arguments in (("link", person_id), ("person", "remove", person_id)):
        assert isinstance(said(*arguments).exception, UserMistake)


def test_on_postgresql_too(here: None, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the board's own schema, made if the board has not run yet; nothing of it is made twice."""
    monkeypatch.setenv("SAFEBUS_STORE_URL", postgres)
    settings.cache_clear()
    person_id = told(*SAM, "manager")["person_id"]
    assert [one["person_id"] for one in told("list")] == [person_id]
    assert told("link", person_id)["minutes"] == 30


def test_a_mistake_is_one_sentence(here: None) -> None:
    """Exit code 2, and nobody is named."""
    assert isinstance(said(*SAM, "worker-day").exception, UserMistake)
    assert said(*SAM, "director").exit_code == 2
    assert told("list") == []


def test_the_list_shows_no_subject(here: None) -> None:
    """How the issuer calls somebody is nobody's business at the screen."""
    told(*SAM, "manager", "--subject", "issuer-sub-77")
    assert "issuer-sub-77" not in said("list").stdout + said("list", "--json").stdout
