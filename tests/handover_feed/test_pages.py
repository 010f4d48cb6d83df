"""The board's pages without a browser: who sees what, what is kept from whom, and what a form must carry."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services import people
from services.bus.events import HandoverAct, MatterState, SeenWhat, Team
from services.bus.settings import Settings
from services.handover_feed import pages
from services.handover_feed.acting.seen import Seen
from services.handover_feed.door.app import application
from services.handover_feed.door.context import Board
from services.handover_feed.pages import words
from services.handover_feed.pages.shown import Shown
from services.handover_feed.people import staff
from services.handover_feed.people.site import ROLES
from services.people.sign_in import link_path
from tests.handover_feed import night
from tests.handover_feed.cards import NIGHT_WORKER, act, card, fact
from tests.handover_feed.conftest import tell
from tests.handover_feed.fold import Fold, folded
from tests.people.sites import csrf_of


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[tuple[Board, Fold]]:
    (tmp_path / "clock").write_text(night.NOW.isoformat())
    async with folded(Settings(data_dir=tmp_path, clock_file=tmp_path / "clock")) as made:
        yield made


@pytest.fixture
def board(house: tuple[Board, Fold]) -> Board:
    return house[0]


@pytest.fixture
def fold(house: tuple[Board, Fold]) -> Fold:
    return house[1]


@pytest.fixture
async def client(board: Board) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application(board), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test") as made:
        yield made


async def sign_in(board: Board, client: httpx.AsyncClient, role: str = "worker-night", name: str = "Sam Okafor") -> str:
    """The CSRF token of the session."""
    now_us, team = board.now_us, ROLES[role] or Team.NIGHT

    def link(connection: Any) -> str:
        person_id = staff.add(connection, name, "out-of-hours social worker", team, role)
        return staff.new_link(connection, person_id, now_us=now_us, minutes=30)

    button = await client.get(link_path(await board.access.write(link)), follow_redirects=True)
    page = await client.post("/sign-in/link", data={"csrf": csrf_of(button)}, follow_redirects=True)
    assert page.status_code == 200, page.text
    return csrf_of(page)


def hidden(page: httpx.Response, path: str) -> dict[str, str]:
    """What the form that goes there carries unseen."""
    form = next(form for form in re.findall(r"<form.*?</form>", page.text, re.S) if f'action="{path}' in form)
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)
    return {name: value.replace("&#34;", '"') for name, value in fields}


LISTS = ("/board", "/board/mine", "/board/waiting", "/board/done", "/board/shift", "/board/shift/summary")


async def test_headers_of_every_page(board: Board, fold: Fold, client: httpx.AsyncClient) -> None:
    """Nothing is kept by a browser or proxy, framed, or run from within a page; what cannot be found is a page too."""
    await fold.hear(night.danger())
    await sign_in(board, client)
    for path in (*LISTS, "/board/matters/child-amara", "/board/matters/child-amara/note", "/board/matters/nobody"):
        answer = await client.get(path)
        assert answer.headers["cache-control"] == "no-store"
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert not re.search(r"style=|<script(?![^>]* src=)| on\w+=", answer.text), path
        assert "child-amara" not in answer.url.query.decode()


async def test_what_people_write_is_text(board: Board, fold: Fold, client: httpx.AsyncClient) -> None:
    """Markup in a name, a narrative or a note is shown, and does nothing."""
    bad = "<script>alert(1)</script>"
    await fold.hear(night.police("child-1", f"{bad} {bad}", narrative=bad, voice=bad))
    await fold.hear(night.note(bad, child_id="child-1"))
    await sign_in(board, client)
    for path in (*LISTS, "/board/matters/child-1", "/board/matters/child-1/close"):
        assert bad not in (await client.get(path)).text
    assert "&lt;script&gt;" in (await client.get("/board/matters/child-1")).text


@pytest.mark.parametrize("path", ["take", "let-go", "note", "decision", "close", "to-day", "lower", "conflict"])
async def test_a_form_from_elsewhere_does_nothing(
    path: str, board: Board, fold: Fold, client: httpx.AsyncClient
) -> None:
    """Without the session's own token no act is said, whatever else it carries."""
    await fold.hear(night.danger())
    await sign_in(board, client)
    before = fold.matters["child-amara"]
    answer = await client.post(f"/board/matters/child-amara/{path}", data={"csrf": "x", "act_id": "a" * 36})
    assert answer.status_code == 403
    assert fold.matters["child-amara"] == before


async def test_h2_of_a_confidential_place_roles_alone_are_told(
    board: Board, fold: Fold, client: httpx.AsyncClient
) -> None:
    """H2: which school or team was told would give the place away; the warning stands at the top."""
    await fold.hear(night.police("child-leila", "Leila Haddad", location_confidential=True))
    await fold.hear(night.alert("child-leila", "Leila Haddad"))
    await sign_in(board, client)
    page = (await client.get("/board/matters/child-leila")).text
    assert "Where this child lives or stays is secret" in page
    assert "Roles only, since the place is secret" in page
    assert "110394" not in page


async def test_h3_nothing_names_anybody_before_the_question_is_answered(
    board: Board, fold: Fold, client: httpx.AsyncClient
) -> None:
    """H3: no page, form or script's answer does; nothing is done with it either; the answer counts for one worker."""
    await tell(board, card("child-x", declare_no_conflict=True, interrupts=True, waiting_since=night.NOW))
    csrf = await sign_in(board, client)
    for path in (*LISTS, "/board/danger", "/board/matters/child-x", "/board/matters/child-x/note"):
        page = await client.get(path, follow_redirects=True)
        assert "Ada" not in page.text
        assert "Domestic abuse" not in page.text
    told = {"csrf": csrf, "act_id": "a" * 36, "addresses": "[]", "conflict": "no"}
    assert (await client.post("/board/matters/child-x/take", data=told)).headers["location"] == "/board/matters/child-x"
    await client.post("/board/matters/child-x/conflict", data=told)
    assert "Ada Example" in (await client.get("/board/matters/child-x")).text
    await client.post("/board/matters/child-x/conflict", data=told | {"conflict": "yes"})
    assert "Ada Example" in (await client.get("/board/matters/child-x")).text, "what was said first stands"
    client.cookies.clear()
    await sign_in(board, client, name="Priya Nair")
    assert "Ada" not in (await client.get("/board/matters/child-x")).text


async def test_h7_what_is_not_known_interrupts_both_sides(board: Board, fold: Fold, client: httpx.AsyncClient) -> None:
    """H7: an ungraded report that does not say whether there is danger stands in the banner, by day and by night."""
    await fold.hear(night.police("child-1", "Ada Example", grading="UNKNOWN", immediate_danger="UNKNOWN"))
    for role in ("worker-night", "worker-day", "manager"):
        client.cookies.clear()
        await sign_in(board, client, role)
        for path in LISTS:
            page = (await client.get(path)).text
            assert "This board is not a substitute for 999" in page
            assert "<title>Immediate danger (1)" in page


async def test_an_act_is_about_what_was_shown(board: Board, fold: Fold, client: httpx.AsyncClient) -> None:
    """Nothing that came since is passed over: the form is shown again with it, and nothing was said."""
    await fold.hear(night.police("child-1", "Ada Example"))
    await sign_in(board, client)
    form = hidden(await client.get("/board/matters/child-1/close"), "/board/matters/child-1/close")
    await fold.hear(night.police("child-1", "Ada Example", timedelta(minutes=1), grading="RED"))
    sent = form | {"reason": "Seen at home."}
    answer = await client.post("/board/matters/child-1/close", data=sent)
    assert answer.status_code == 422
    assert "Something new came in" in answer.text
    assert "Seen at home." in answer.text
    again = hidden(answer, "/board/matters/child-1/close")
    assert again["act_id"] == form["act_id"]
    await client.post("/board/matters/child-1/close", data=again | {"reason": "Seen at home."})
    assert fold.matters["child-1"].standing.closed


async def test_who_saw_what_is_recorded(board: Board, fold: Fold, client: httpx.AsyncClient) -> None:
    """By ids alone: list, matter, summary, what was printed; what the page's script asks for by itself is none."""
    await fold.hear(night.danger())
    csrf = await sign_in(board, client)
    await client.get("/board/matters/child-amara")
    await client.get("/board/matters/child-amara/note")
    await client.get("/board/danger")
    await client.get("/board/shift")
    await client.get("/board/shift/summary")
    await client.get("/board")
    await client.post("/board/printed", data={"csrf": csrf, "matter_id": "child-amara"})
    assert isinstance(board.seen, Seen)
    await board.seen.__aexit__()
    said = [(getattr(one, "what", None), getattr(one, "matter_id", None)) for one in fold.noted]
    assert said == [
        (SeenWhat.SIGNED_IN, None), (SeenWhat.BOARD, None), (SeenWhat.BOARD, "child-amara"),
        (SeenWhat.MATTER, "child-amara"), (SeenWhat.MATTER, "child-amara"),
        (SeenWhat.SUMMARY, None), (SeenWhat.SUMMARY, "child-amara"), (SeenWhat.SUMMARY, None),
        (SeenWhat.BOARD, None), (SeenWhat.PRINTED, "child-amara"),
    ]  # fmt: skip


async def test_nobody_who_is_not_signed_in_sees_anything(client: httpx.AsyncClient) -> None:
    """Each page leads to the sign-in page; a script is told."""
    for path in (*LISTS, "/board/matters/child-1", "/board/matters/child-1/note", "/board/measures", "/board/log"):
        assert (await client.get(path)).headers["location"].startswith("/sign-in")
    assert (await client.get("/board/danger")).status_code == 401


async def test_every_route_asks_who_is_there(board: Board, client: httpx.AsyncClient) -> None:
    """Whatever stands below /board; a route that was forgotten would answer."""
    found = [route for route in flat(application(board).routes) if route.path.startswith("/board")]
    assert len(found) > 15
    for route in found:
        for method in route.methods or ():
            path = re.sub(r"{\w+(:\w+)?}", "take", route.path)
            answer = await client.request(method, path, data={"csrf": "x"} if method == "POST" else None)
            turned_away = answer.status_code == 401 or answer.headers.get("location", "").startswith("/sign-in")
            assert turned_away, (method, route.path)


def flat(routes: Sequence[Any]) -> Iterator[Any]:
    """The routes, those of routers within routers too."""
    for route in routes:
        if hasattr(route, "path") and hasattr(route, "methods"):
            yield route
        yield from flat(getattr(getattr(route, "original_router", None), "routes", ()))


async def test_each_act_by_its_form(board: Board, fold: Fold, client: httpx.AsyncClient) -> None:
    """Taken, let go, its risk lowered, handed to the day, taken back, closed: each says what became of it."""
    await fold.hear(night.police("child-1", "Ada Example", grading="RED"))
    await sign_in(board, client)
    matter = "/board/matters/child-1"
    for path, fields, said in (
        ("take", {}, "You have taken this"),
        ("let-go", {}, "You have let this go"),
        ("lower", {"no_longer": "GRADING", "reason": "Graded again, by telephone."}, "The risk is lowered"),
        ("to-day", {"reason": "He sleeps; see him at school."}, "Handed to the day team"),
        ("back", {"reason": "His mother rang."}, "Your side has this back"),
        ("close", {"reason": "Seen at home."}, "Closed"),
    ):
        page = await client.get(f"{matter}/{path}", follow_redirects=True)
        answer = await client.post(f"{matter}/{path}", data=hidden(page, f"{matter}/{path}") | fields)
        assert answer.status_code == 303, answer.text
        page = await client.get(answer.headers["location"])
        assert said in page.text
        assert not fields or fields["reason"] in page.text.replace("&#39;", "'")
    standing = fold.matters["child-1"].standing
    done = {"TAKEN", "LET_GO", "RISK_CHANGED", "HANDED_TO_DAY", "TAKEN_BACK", "CLOSED"}
    assert {one.act.value for one in standing.acts} == done
    assert not [one for one in standing.acts if one.refused]


async def test_a_note_by_itself(board: Board, fold: Fold, client: httpx.AsyncClient) -> None:
    """What is about no child here is a matter of its own, asked of the side that it is for, by its time."""
    await sign_in(board, client)
    form = hidden(await client.get("/board/note"), "/board/note")
    answer = await client.post("/board/note", data=form | {"kind": "ASKED", "text": "Ring the home."})
    assert answer.status_code == 422
    assert "Ring the home." in answer.text
    said = {"kind": "ASKED", "text": "Ring the home.", "to": "NIGHT", "due_day": "2026-11-24", "due_time": "07:00"}
    answer = await client.post("/board/note", data=form | said)
    page = (await client.get(answer.headers["location"])).text
    assert "Note about no one child" in page
    assert "By 07:00" in page
    assert "Note about no one child" in (await client.get("/board")).text


async def test_what_another_holds(board: Board, fold: Fold, client: httpx.AsyncClient) -> None:
    """Nobody else can close it or hand it on; who says why can release it, and both are told by name."""
    await fold.hear(night.police("child-1", "Ada Example"))
    matter = "/board/matters/child-1"
    await sign_in(board, client)
    page = await client.get(matter)
    await client.post(f"{matter}/take", data=hidden(page, f"{matter}/take"))
    client.cookies.clear()
    await sign_in(board, client, name="Priya Nair")
    page = await client.get(matter)
    assert "Taken by <bdi>Sam Okafor, out-of-hours social worker</bdi>" in page.text
    assert not re.search(r'(?:href|action)="[^"]*/(?:take|close|to-day|decision)"', page.text)
    form = hidden(await client.get(f"{matter}/make-let-go"), f"{matter}/make-let-go")
    answer = await client.post(f"{matter}/make-let-go", data=form)
    assert answer.status_code == 422
    answer = await client.post(f"{matter}/make-let-go", data=form | {"reason": "Sam was taken ill."})
    assert "Released" in (await client.get(answer.headers["location"])).text


def shown(**fields: Any) -> Shown:
    return Shown(card(**fields), night.NOW, night.NOW + timedelta(hours=5, minutes=25), NIGHT_WORKER.person_id)


@pytest.mark.parametrize(
    ("born", "stated", "said"),
    [
        ("2023-02-11", None, "3 years old"),
        ("2026-11-24", None, "0 days old"),
        ("2026-11-23", None, "1 day old"),
        ("2026-09-30", None, "1 month old"),
        ("2024-11-25", None, "23 months old"),
        ("2027-01-01", None, "not born yet"),
        (None, 4, "about 4 years old, as stated"),
        (None, None, "age not known, so treated as under 5"),
    ],
)
def test_an_age_is_told_in_words(born: str | None, stated: int | None, said: str) -> None:
    """Of a baby in days or months; one that nobody knows never reads as harmless (H7)."""
    about = {"forenames": "Ada", "family_name": "Example", "date_of_birth": born}
    assert shown(about=about, stated_age=stated).age == said


def test_how_long_is_told_in_words() -> None:
    """By its two largest units."""
    assert [words.span(timedelta(minutes=m)) for m in (0, 1, 60, 134, 1440 * 3 + 60 * 5 + 2)] == [
        "less than a minute", "1 minute", "1 hour", "2 hours 14 minutes", "3 days 5 hours",
    ]  # fmt: skip


def test_moments_in_summer_and_across_midnight() -> None:
    """As London's clocks show them; another day is named."""
    july = night.NOW.replace(month=7)
    assert words.near(july, july) == "04:05"
    assert words.near(night.NOW - timedelta(hours=4), night.NOW) == "yesterday at 23:05"
    assert words.near(night.NOW + timedelta(days=3), night.NOW) == "Friday 27 November 2026 at 03:05"


def test_what_is_asked_stands_while_somebody_sees_to_it() -> None:
    """To take a matter is to do nothing about it yet; what was closed before is not asked again."""
    old = fact("old", kind="ASKED", heard_at=night.NOW - timedelta(days=2), addressed=True)
    new = fact("new", kind="ASKED", heard_at=night.NOW - timedelta(hours=1), addressed=True)
    closed = act("closed", HandoverAct.CLOSED, acted_at=night.NOW - timedelta(days=1))
    m = shown(facts=[old, new], acts=[closed], state=MatterState.TAKEN, taken_by=NIGHT_WORKER)
    assert [one.fact_id for one in m.asked] == ["new"]
    assert m.mine


def test_nothing_moves_by_itself() -> None:
    """Whether or not a device asks for less motion, nothing glides, blinks or scrolls smoothly."""
    for file in (*Path(pages.__path__[0]).rglob("*.css"), *Path(people.__path__[0]).rglob("*.css")):
        assert not re.findall(r"transition|animation|@keyframes|scroll-behavior", file.read_text("utf-8")), file.name


def test_pages_are_in_the_package() -> None:
    """The wheel holds all of `services`: what the pages are made of stands within."""
    here = Path(pages.__path__[0])
    assert {file.name for file in (here / "static").iterdir()} == {"board.css", "board.js"}
    assert len(list((here / "templates").glob("*.html"))) >= 10
