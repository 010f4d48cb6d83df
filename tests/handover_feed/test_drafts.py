"""What was typed and not sent is there again for its writer after the page was locked, and for nobody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import sqlalchemy as sa

from services.handover_feed import drafts
from services.handover_feed.door.context import Board
from services.handover_feed.people.tables import draft, staff
from tests.handover_feed import night
from tests.handover_feed.fold import Fold
from tests.handover_feed.test_pages import board, client, fold, hidden, house, sign_in

__all__ = ["board", "client", "fold", "house"]

CLOSE = "/board/matters/child-tom/close"


async def typing(client: httpx.AsyncClient, csrf: str, path: str = CLOSE, text: str = "HALFTYPED") -> httpx.Response:
    """What the page's script sends a moment after the last key."""
    return await client.post("/board/draft", data={"csrf": csrf, "act_id": "a" * 36, "path": path, "reason": text})


async def rows(board: Board) -> list[str]:
    return list(await board.access.read(lambda c: c.execute(sa.select(draft.c.path)).scalars()))


async def test_it_is_in_the_form_again_until_it_is_sent(board: Board, fold: Fold, client: httpx.AsyncClient) -> None:
    """And the matter says that there is something unsent; sent, it is gone."""
    await fold.hear(night.police("child-tom", "Tom Whitfield"))
    csrf = await sign_in(board, client)
    assert (await typing(client, csrf)).status_code == 204
    page = await client.get(CLOSE)
    assert ">HALFTYPED</textarea>" in page.text
    assert "What you had typed is here again." in page.text
    matter = (await client.get("/board/matters/child-tom")).text
    assert f'You have begun and not sent:</strong> <a href="{CLOSE}">Close without a decision</a>' in matter
    await client.post(CLOSE, data=hidden(page, CLOSE) | {"reason": "seen to"})
    assert await rows(board) == []
    assert "HALFTYPED" not in (await client.get(CLOSE)).text


async def test_what_comes_after_the_form_itself_is_no_draft(
    board: Board, fold: Fold, client: httpx.AsyncClient
) -> None:
    """The last words typed may be on their way while the form is sent: the matter does not say that they were not."""
    await fold.hear(night.police("child-tom", "Tom Whitfield"))
    csrf = await sign_in(board, client)
    for path, words in ((CLOSE.replace("close", "note"), "text"), (CLOSE, "reason")):
        form = hidden(await client.get(path), path) | {words: "seen to", "kind": "NOTE", "to": "DAY"}
        assert (await client.post(path, data=form)).status_code == 303
        assert (await client.post("/board/draft", data=form | {"path": path})).status_code == 204
        assert await rows(board) == []
    assert (await typing(client, csrf)).status_code == 204
    assert await rows(board) == [CLOSE]


async def test_reasons_typed_at_the_end_of_a_shift_stay_until_each_is_sent(
    board: Board, fold: Fold, client: httpx.AsyncClient
) -> None:
    """Each matter has a form of its own there, and to send one loads the page again: the others keep their words."""
    for child_id in ("child-tom", "child-noah"):
        await fold.hear(night.police(child_id, "Tom Whitfield"))
    csrf = await sign_in(board, client)
    for child_id in ("child-tom", "child-noah"):
        await typing(client, csrf, f"/board/matters/{child_id}/to-day", f"Ring {child_id}.")
    form = hidden(await client.get("/board/shift"), "/board/matters/child-tom/to-day")
    sent = await client.post("/board/matters/child-tom/to-day?from=shift", data=form | {"reason": "Ring child-tom."})
    for page in (await client.get(sent.headers["location"]), await client.post("/board/shift", data={"csrf": csrf})):
        assert ">Ring child-noah.</textarea>" in page.text
        assert "Ring child-tom." not in page.text


async def test_what_was_ticked_in_another_shift_is_not_ticked_in_this_one(
    board: Board, fold: Fold, client: httpx.AsyncClient
) -> None:
    """That a matter stays is said anew at each end of a shift."""
    board.clock.step(night.NOW + timedelta(hours=5))
    await fold.hear(night.police("child-tom", "Tom Whitfield"))
    await sign_in(board, client)
    take = "/board/matters/child-tom/take"
    await client.post(take, data=hidden(await client.get("/board"), take))
    person_id = await board.access.read(lambda c: c.execute(sa.select(staff.c.person_id)).scalar_one())
    for hours, shown in ((16, False), (1, True)):
        at_us = board.now_us - hours * 3600 * 1_000_000
        ticked: Any = (person_id, "/board/shift", {"stays": ["child-tom"]}, at_us)
        await board.access.write(lambda c, ticked=ticked: drafts.keep(c, *ticked))  # type: ignore[misc]
        page = (await client.get("/board/shift")).text
        assert 'value="child-tom" id="stays-1"' in page
        assert ('value="child-tom" id="stays-1" checked' in page) is shown


async def test_nobody_else_is_shown_it(board: Board, fold: Fold, client: httpx.AsyncClient) -> None:
    """Not at the same screen either, by whoever signs in next."""
    await fold.hear(night.police("child-tom", "Tom Whitfield"))
    csrf = await sign_in(board, client)
    await typing(client, csrf)
    client.cookies.clear()
    await sign_in(board, client, name="Priya Nair")
    for path in (CLOSE, "/board/matters/child-tom", "/board/shift"):
        text = (await client.get(path)).text
        assert "HALFTYPED" not in text
        assert "not sent" not in text


async def test_what_is_sent_from_a_page_that_was_locked_is_kept(
    board: Board, fold: Fold, client: httpx.AsyncClient
) -> None:
    """Without a script nothing was kept before: the button that came too late keeps it, and does nothing else."""
    await fold.hear(night.police("child-tom", "Tom Whitfield"))
    await sign_in(board, client)
    form = hidden(await client.get("/board/matters/child-tom"), "/board/matters/child-tom/take")
    await client.post("/board/matters/child-tom/take", data=form)
    page = await client.get(CLOSE)
    before = fold.matters["child-tom"]
    board.clock.step(board.clock.now() + timedelta(minutes=30))
    late = await client.post(CLOSE, data=hidden(page, CLOSE) | {"reason": "LATETYPED"})
    assert late.headers["location"].startswith("/locked")
    assert fold.matters["child-tom"] == before
    assert await rows(board) == [CLOSE]
    await client.post(CLOSE, data={"csrf": "somebody else's", "reason": "FORGED"})
    person_id = await board.access.read(lambda c: c.execute(sa.select(staff.c.person_id)).scalar_one())
    [kept] = await board.access.read(lambda c: drafts.of(c, person_id, board.now_us))
    assert kept.typed == {"reason": ["LATETYPED"]}


async def test_a_draft_from_elsewhere_is_not_kept(board: Board, client: httpx.AsyncClient) -> None:
    """Nor one of an address that is no form, nor without a sign-in."""
    csrf = await sign_in(board, client)
    assert (await typing(client, "x")).status_code == 403
    for path in ("/board", "/v1/board", "/board/matters/../../x y", "https://elsewhere.test/board/note"):
        assert (await typing(client, csrf, path)).status_code == 204
    client.cookies.clear()
    assert (await typing(client, csrf)).status_code == 401
    assert await rows(board) == []


async def test_it_is_thrown_away_when_asked_emptied_or_old(board: Board, client: httpx.AsyncClient) -> None:
    """By its button, by taking the words out again, and after a day."""
    csrf = await sign_in(board, client)
    await typing(client, csrf, "/board/note")
    away = await client.post("/board/draft/discard", data={"csrf": csrf, "path": "/board/note"})
    assert away.headers["location"] == "/board/note"
    assert await rows(board) == []
    await typing(client, csrf)
    await typing(client, csrf, text=" ")
    assert await rows(board) == []
    await typing(client, csrf)
    late = board.now_us + drafts.KEPT_US + 1

    def later(connection: sa.Connection) -> Any:
        drafts.keep(connection, "somebody", "/board/note", {"text": ["x"]}, late)
        return connection.execute(sa.select(draft.c.person_id)).scalars().all()

    assert await board.access.write(later) == ["somebody"]


async def test_after_a_day_it_is_gone_though_nobody_types_again(board: Board, fold: Fold) -> None:
    """It is about a child: what is shown no more does not stay in the database either."""
    await board.access.write(lambda c: drafts.keep(c, "p", "/board/note", {"text": ["x"]}, board.now_us))
    await board.access.write(fold._forget_now)
    assert await rows(board) == ["/board/note"]
    board.clock.step(board.clock.now() + timedelta(hours=25))
    await board.access.write(fold._forget_now)
    assert await rows(board) == []


async def test_a_person_has_a_bounded_number(board: Board) -> None:
    """The latest are kept."""

    def many(connection: sa.Connection) -> list[str]:
        for n in range(drafts.MOST + 5):
            drafts.keep(connection, "p", f"/board/matters/child-{n}/note", {"text": ["x"]}, board.now_us + n)
        return [one.path for one in drafts.of(connection, "p", board.now_us + 100)]

    found = await board.access.write(many)
    assert len(found) == drafts.MOST
    assert found[0] == f"/board/matters/child-{drafts.MOST + 4}/note"
