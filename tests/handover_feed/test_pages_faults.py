"""What the board's pages do with what nobody expects: times outside the calendar, faults, forms not their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from services.bus.settings import Settings
from services.handover_feed.door.app import application
from services.handover_feed.door.context import Board
from services.handover_feed.pages import words
from services.handover_feed.sentences import moment
from tests.handover_feed import night
from tests.handover_feed.cards import card, fact
from tests.handover_feed.conftest import tell
from tests.handover_feed.fold import Fold, folded
from tests.handover_feed.test_pages import LISTS, board, client, fold, hidden, house, sign_in

__all__ = ["board", "client", "fold", "house"]

HTML = {"accept": "text/html,application/xhtml+xml"}


@pytest.mark.parametrize("at", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 7, 31, 23, 59, tzinfo=UTC)])
async def test_a_time_outside_the_calendar_breaks_no_page(
    board: Board, fold: Fold, client: httpx.AsyncClient, at: datetime
) -> None:
    """0001-01-01, which some systems send for none: the child is shown, and the time said not to be known."""
    due = night.disclosure(night.DUTY, "OUT_OF_HOURS", "POLICE_NOTIFICATION", None) | {"due_by": at}
    await fold.hear(night.danger(occurred_at=at, disclosure=due))
    await sign_in(board, client)
    for path in (*LISTS, "/board/matters/child-amara", "/board/matters/child-amara/note", "/board/danger"):
        answer = await client.get(path)
        assert answer.status_code == 200, path
    if at.year == 1:
        assert words.NO_TIME in (await client.get("/board")).text


@pytest.mark.parametrize("at", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_a_time_outside_the_calendar_in_words(at: datetime) -> None:
    """Every way of saying a time has words for it."""
    for said in (words.clock(at), words.moment(at), words.near(at, night.NOW), words.near(night.NOW, at), moment(at)):
        assert said


async def test_a_fault_is_a_page_for_a_browser_and_a_problem_for_a_program(tmp_path: Path) -> None:
    """Whatever answers before a page's own route does: not found, too often, too large."""
    (tmp_path / "clock").write_text(night.NOW.isoformat())
    at = Settings(data_dir=tmp_path, clock_file=tmp_path / "clock", board_burst=4, board_rate=0.01)
    async with folded(at) as (board, _):
        transport = httpx.ASGITransport(application(board), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://board.test", headers=HTML) as client:
            answers = [await client.get("/nothing/here"), await client.post("/board/note", content=b"x" * 300_000)]
            answers.append(await client.get("/v1/nothing"))
            answers += [await client.get("/sign-in") for _ in range(5)]
    missing, large, program, *_, often = answers
    for answer, status in ((missing, 404), (large, 413), (often, 429)):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "<h1>" in answer.text
        assert "unsafe" not in answer.headers["content-security-policy"]
    assert program.headers["content-type"].startswith("application/problem+json")


async def test_a_note_by_itself_stands_on_no_matter_of_others(
    board: Board, fold: Fold, client: httpx.AsyncClient
) -> None:
    """An id that the page did not make, or that the board has already, is refused in words, and what was typed kept."""
    taken_id = str(uuid4())
    for own_id in ("child-planted", taken_id):
        await fold.hear(night.police(own_id, "Ada Example"))
    await sign_in(board, client)
    form = hidden(await client.get("/board/note"), "/board/note")
    said = form | {"kind": "NOTE", "text": "Planted.", "to": "DAY"}
    for own_id in ("child-planted", taken_id, "not-a-uuid-at-all", taken_id.upper()):
        answer = await client.post("/board/note", data=said | {"act_id": own_id})
        assert answer.status_code == 422
        assert "This form could not be used" in answer.text
        assert "Planted." in answer.text
        assert hidden(answer, "/board/note")["act_id"] != own_id
    assert not [one for matter in fold.matters.values() for one in matter.facts.values() if one.text == "Planted."]
    first = await client.post("/board/note", data=said)
    again = await client.post("/board/note", data=said)
    there = f"/board/matters/{said['act_id']}?note={said['act_id']}"
    assert (first.headers["location"], again.headers["location"]) == (there, there)
    client.cookies.clear()
    csrf = await sign_in(board, client, name="Priya Nair")
    assert (await client.post("/board/note", data=said | {"csrf": csrf})).status_code == 422


async def test_what_became_of_an_act_is_told_to_who_did_it_alone(
    board: Board, fold: Fold, client: httpx.AsyncClient
) -> None:
    """On its own matter, as what it was; nobody is told that they have taken what another has."""
    for child_id in ("child-1", "child-2"):
        await fold.hear(night.police(child_id, "Ada Example"))
    await sign_in(board, client)
    path = "/board/matters/child-1/take"
    answer = await client.post(path, data=hidden(await client.get("/board/matters/child-1"), path))
    took = answer.headers["location"].partition("=")[2]
    for address, told in (
        (f"/board/matters/child-1?take={took}", True),
        (f"/board/matters/child-2?take={took}", False),
        (f"/board/matters/child-1?close={took}", False),
    ):
        assert ('id="told"' in (await client.get(address)).text) is told, address
    client.cookies.clear()
    await sign_in(board, client, name="Priya Nair")
    assert 'id="told"' not in (await client.get(f"/board/matters/child-1?take={took}")).text


async def test_no_title_names_a_child(board: Board, fold: Fold, client: httpx.AsyncClient) -> None:
    """A title stands in the browser's history, in its tabs and on a shared screen."""
    await fold.hear(night.danger())
    await sign_in(board, client)
    matter = "/board/matters/child-amara"
    for path in (*LISTS, matter, *(f"{matter}/{form}" for form in ("note", "close", "decision", "lower"))):
        assert "Amara" not in (await client.get(path)).text.partition("</title>")[0]


async def test_h3_a_row_says_not_what_is_due(board: Board, client: httpx.AsyncClient) -> None:
    """When, and no more, before the question is answered."""
    due = fact("request", kind="INFORMATION_REQUESTED", due_by=night.NOW + timedelta(hours=1))
    await tell(board, card("child-1", facts=[due], declare_no_conflict=True))
    await sign_in(board, client)
    page = (await client.get("/board")).text
    assert "<dd>04:05</dd>" in page
    assert "asked for" not in page


async def test_one_minute_is_one(tmp_path: Path) -> None:
    (tmp_path / "clock").write_text(night.NOW.isoformat())
    at = Settings(data_dir=tmp_path, clock_file=tmp_path / "clock", board_session_minutes=1)
    async with folded(at) as (board, _):
        transport = httpx.ASGITransport(application(board))
        async with httpx.AsyncClient(transport=transport, base_url="http://board.test") as client:
            await sign_in(board, client)
            assert "for 1 minute, the page is locked" in (await client.get("/board")).text
