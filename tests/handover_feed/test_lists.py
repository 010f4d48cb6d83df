"""Two hundred children of one incident are two hundred matters, and one place of the list."""

from __future__ import annotations

import re

import httpx

from services.handover_feed.door.context import Board
from services.handover_feed.pages.lists import MANY, SIZE
from tests.handover_feed import night
from tests.handover_feed.cards import card, fact, risks
from tests.handover_feed.conftest import tell
from tests.handover_feed.test_pages import board, client, fold, house, sign_in

__all__ = ["board", "client", "fold", "house"]


def of_school(number: int, **more: object) -> object:
    """A child who was there when something happened at a school."""
    told = [fact(f"incident {number}", enquiry_id="incident-school")]
    return card(f"child-{number:03}", facts=told, risk=risks(grading=2), waiting_since=night.NOW, **more)  # type: ignore[arg-type]


def places(page: str) -> list[str]:
    return re.findall(r'data-matter="(child-[\w]+)"', page[page.index('id="lists"') :])


async def test_they_stand_together_and_push_nobody_out_of_sight(board: Board, client: httpx.AsyncClient) -> None:
    """Each can still be opened and taken by itself; what is less urgent comes after the first of them, on page one."""
    other = card("child-other", risk=risks(grading=1), facts=[fact("elsewhere", enquiry_id="incident-2")])
    await tell(board, *(of_school(n) for n in range(30)), other)  # type: ignore[arg-type]
    await sign_in(board, client)
    page = (await client.get("/board")).text
    assert "And 29 more of the same incident" in page
    assert len(places(page)) == 31
    assert all(f'action="/board/matters/child-{n:03}/take"' in page for n in range(30))
    bundle = page[page.index('class="bundle"') : page.index('data-matter="child-other"')]
    assert "<details>" in bundle, "folded: nobody in it is in danger"
    assert places(page)[-1] == "child-other"


async def test_h7_danger_among_them_is_not_folded_away(board: Board, client: httpx.AsyncClient) -> None:
    """It stands on top, each child in sight, and the banner counts each."""
    danger = {"interrupts": True}
    await tell(board, *(of_school(n, **(danger if n % 2 else {})) for n in range(12)))  # type: ignore[arg-type]
    await sign_in(board, client)
    page = (await client.get("/board")).text
    top = page[page.index('id="group-danger"') : page.index('id="group-open"')]
    assert "And 5 more of the same incident, 5 in immediate danger" in top
    assert "<details open>" in top
    assert "<details>" in page[page.index('id="group-open"') :]
    assert ": 6 children" in page


async def test_a_few_stand_each_by_itself(board: Board, client: httpx.AsyncClient) -> None:
    """A family's three are found as ever, where their own risk puts them."""
    await tell(board, *(of_school(n) for n in range(MANY - 1)))  # type: ignore[arg-type]
    await sign_in(board, client)
    assert "of the same incident" not in (await client.get("/board")).text


async def test_h3_who_is_withheld_stands_with_nobody(board: Board, client: httpx.AsyncClient) -> None:
    """Whom it stands with would say whom it is about."""
    await tell(board, *(of_school(n) for n in range(MANY)), of_school(99, declare_no_conflict=True))  # type: ignore[arg-type]
    await sign_in(board, client)
    page = (await client.get("/board")).text
    assert f"And {MANY - 1} more of the same incident" in page
    assert "child-099" not in page[page.index('class="bundle"') : page.index("</details>")]


async def test_a_page_holds_no_more_than_ever(board: Board, client: httpx.AsyncClient) -> None:
    """Those of one incident may go on on the next page."""
    await tell(board, *(of_school(n) for n in range(SIZE + 10)))  # type: ignore[arg-type]
    await sign_in(board, client)
    first, second = [(await client.get(f"/board?page={n}")).text for n in (1, 2)]
    assert (len(places(first)), len(places(second))) == (SIZE, 10)
    assert f"And {SIZE - 1} more of the same incident" in first
    assert "And 9 more of the same incident" in second
