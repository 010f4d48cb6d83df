"""Nobody leaves the board with a matter that they have taken: sessions, locked pages, signing out."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr

from services.bus.events import SeenWhat
from services.handover_feed.door.context import Board
from services.handover_feed.people.site import SITE
from services.handover_feed.people.tables import staff as staff_table
from tests.handover_feed.doorway import (
    NOW,
    SECRET,
    application,
    at,
    board,
    client,
    named,
    recorded,
    signs_in,
    takes,
)
from tests.partner_gateway.issuer import CLIENT, local_issuer
from tests.partner_gateway.issuer import SECRET as SECRET_THERE
from tests.people.sites import csrf_of

__all__ = ["application", "at", "board", "client"]


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
