"""What the board's pages do with what nobody expects: times outside the calendar, faults, forms not their own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from services.bus.settings import Settings
from services.handover_feed.door.app import application
from services.handover_feed.door.context import Board
from services.handover_feed.pages import words
from services.handover_feed.sentences import moment
from tests.handover_feed import night
from tests.handover_feed.fold import Fold, folded
from tests.handover_feed.test_pages import LISTS, board, client, fold, house, sign_in

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
