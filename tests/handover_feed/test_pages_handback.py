"""Handing back: what one side left, did and closed is where the other, and whoever closed it, looks for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx

from services.bus.envelope import Envelope
from services.bus.events import EscalationState, HandoverEscalated, Team
from services.handover_feed.acting import shifts
from services.handover_feed.door.context import Board
from services.handover_feed.shifts import shift_of
from tests.handover_feed import night
from tests.handover_feed.cards import NIGHT_WORKER, card
from tests.handover_feed.conftest import tell
from tests.handover_feed.fold import Fold
from tests.handover_feed.test_pages import board, client, fold, hidden, house, sign_in

__all__ = ["board", "client", "fold", "house"]

MORNING = datetime(2026, 11, 24, 8, 40, tzinfo=UTC)
DAY_WORKER = NIGHT_WORKER.model_copy(update={"person_id": "person-day", "name": "Dee Day", "team": Team.DAY})


async def test_who_closes_a_shift_is_shown_that_shift(board: Board, fold: Fold, client: httpx.AsyncClient) -> None:
    """Also after it has ended; what came since stands in no summary of it."""
    board.clock.step(MORNING)
    await sign_in(board, client)
    await tell(board, card("child-since", team=Team.DAY, waiting_since=MORNING, facts=[], changed_at=MORNING))
    page = await client.get("/board/shift")
    assert 'href="/board/shift/summary?before=1"' in page.text
    answer = await client.post("/board/shift", data=hidden(page, "/board/shift"))
    assert answer.headers["location"] == "/board/shift/summary?before=1"
    summary = (await client.get(answer.headers["location"])).text
    assert "Night shift from Monday 23 November 2026 at 17:00" in summary
    assert "Closed." in summary
    assert "child-since" not in summary
    assert "child-since" in (await client.get("/board/shift/summary")).text


async def test_the_day_sees_what_the_night_did(board: Board, fold: Fold, client: httpx.AsyncClient) -> None:
    """What the night handed on or closed stands under Done; a link on the first page leads to the night's summary."""
    await fold.hear(night.police("child-1", "Ada Example"))
    await sign_in(board, client)
    matter = "/board/matters/child-1/close"
    form = hidden(await client.get(matter), matter)
    await client.post(matter, data=form | {"reason": "Seen at home."})
    assert 'href="/board/shift/summary?before=1">What the day did<' in (await client.get("/board")).text
    client.cookies.clear()
    board.clock.step(MORNING)
    await sign_in(board, client, "worker-day", "Dee Day")
    assert "Seen at home." in (await client.get("/board/done")).text
    assert 'href="/board/shift/summary?before=1">What the night did<' in (await client.get("/board")).text
    assert "Ada Example" in (await client.get("/board/shift/summary?before=1")).text


async def test_what_the_other_side_left_is_shown_to_those_on_duty(
    board: Board, fold: Fold, client: httpx.AsyncClient
) -> None:
    """Nobody took it, nobody handed it on, and nobody closed that shift: it is not out of sight until the morning."""
    before, day = night.NOW - timedelta(hours=12), Team.DAY
    await tell(
        board,
        card("child-left", waiting_since=before, team=day),
        card("child-early", handed_on_at=before, waiting_since=before, team=day),
        card("child-handed", handed_on_at=night.NOW - timedelta(hours=1), waiting_since=before, team=day),
    )
    await sign_in(board, client)
    page = (await client.get("/board")).text
    assert "Left by the day team" in page
    assert "Their shift was not closed" in page
    assert [one in page for one in ("child-left", "child-early", "child-handed")] == [True, True, False]
    assert 'action="/board/matters/child-left/take"' in page
    closing = await shifts.close(board, DAY_WORKER, stays={"child-left", "child-early", "child-handed"})
    assert closing.refused is None
    assert "Left by the day team" not in (await client.get("/board")).text


async def test_a_summary_tells_each_matter_as_one_story(board: Board, fold: Fold, client: httpx.AsyncClient) -> None:
    """What came and what was done stand as they happened, and not first the one and then the other."""
    await fold.hear(night.police("child-1", "Ada Example"))
    await sign_in(board, client)
    for path, said in (("take", {}), ("note", {"text": "Nobody opens.", "kind": "NOTE", "to": "DAY"}),
                       ("close", {"reason": "Seen at home."})):  # fmt: skip
        board.clock.step(board.clock.now() + timedelta(minutes=10))
        shown = await client.get("/board/matters/child-1" + ("" if path == "take" else f"/{path}"))
        form = hidden(shown, f"/board/matters/child-1/{path}")
        assert (await client.post(f"/board/matters/child-1/{path}", data=form | said)).status_code == 303
    text = (await client.get("/board/shift/summary")).text
    places = [text.index(one) for one in ("Police incident", "took this", "Nobody opens.", "Seen at home.")]
    assert places == sorted(places)


async def test_a_decision_on_what_waits_for_the_day_is_the_days_to_carry_on(
    board: Board, fold: Fold, client: httpx.AsyncClient
) -> None:
    """A strategy discussion called at night cannot be closed: whichever side has the matter, the form offers the other
    side than the worker's own, and it is done."""
    await fold.hear(night.police("child-1", "Ada Example"))
    await sign_in(board, client)
    matter = "/board/matters/child-1"
    decided = {
        "outcome": "STRATEGY_DISCUSSION", "threshold": "SECTION_47", "family_told": "NOT_YET", "closes": "no",
        "what_happens_next": "It is held at nine.", "then": "HANDED_TO_DAY",
    }  # fmt: skip
    for path, fields, said in (
        ("to-day", {"reason": "See her at school."}, "Handed to the day team"),
        ("decision", decided, "The decision is recorded"),
    ):
        page = await client.get(f"{matter}/{path}")
        assert "to the night team" not in page.text
        answer = await client.post(f"{matter}/{path}", data=hidden(page, f"{matter}/{path}") | fields)
        assert answer.status_code == 303, answer.text
        assert said in (await client.get(answer.headers["location"])).text


async def test_each_side_is_asked_in_its_own_words_why_it_hands_on(board: Board, client: httpx.AsyncClient) -> None:
    """What the night hands to the day can wait; what the day hands to the night cannot."""
    for role, team, asked in (
        ("worker-night", Team.NIGHT, "Why can it wait, and what should the day team do?"),
        ("worker-day", Team.DAY, "What should the night team do, and why tonight?"),
    ):
        client.cookies.clear()
        await tell(board, card(f"child-{role}", team=team))
        await sign_in(board, client, role)
        assert asked in (await client.get("/board/shift")).text


async def test_danger_is_not_handed_on_without_a_word(board: Board, client: httpx.AsyncClient) -> None:
    """H7: at the end of a shift, too, the page asks beside the very child whether 999 was called."""
    board.clock.step(MORNING - timedelta(minutes=20))
    await tell(board, card("child-danger", interrupts=True), card("child-other"))
    await sign_in(board, client)
    page = (await client.get("/board/shift")).text
    [danger, other] = page.split('<div class="left')[1:]
    assert "has 999 been called?" in danger
    assert "has 999 been called?" not in other


async def test_who_is_off_duty_is_shown_nothing_left(board: Board, fold: Fold, client: httpx.AsyncClient) -> None:
    """The night's matters are the night's until it ends, whatever the day team looks at in the evening."""
    await tell(board, card("child-night"))
    await sign_in(board, client, "worker-day", "Dee Day")
    assert "Left by" not in (await client.get("/board")).text


async def test_what_the_other_side_left_is_counted_as_open_now(board: Board, client: httpx.AsyncClient) -> None:
    """The number beside the first place says how many matters stand there, with those that nobody handed on."""
    await tell(board, card("child-left", team=Team.DAY), card("child-own"))
    await sign_in(board, client)
    page = (await client.get("/board")).text
    assert 'Open now <span class="places__count">2</span>' in page
    assert "1 matter nobody has taken. The worst is first. Besides, the day team has left 1." in page


async def test_the_end_of_a_shift_offers_no_close_before_it_can_be_closed(
    board: Board, client: httpx.AsyncClient
) -> None:
    """A button that can only refuse is none: the page says from when on."""
    await sign_in(board, client)
    early = (await client.get("/board/shift")).text
    assert "It can be closed from 08:00 on." in early
    assert "<button" not in early[early.index('id="close-title"') : early.index("See what this shift")]
    board.clock.step(MORNING)
    client.cookies.clear()
    await sign_in(board, client, name="Priya Nair")
    assert 'id="close"' in (await client.get("/board/shift")).text


async def test_a_summary_counts_what_was_escalated_in_its_own_shift(
    board: Board, fold: Fold, client: httpx.AsyncClient
) -> None:
    """A card goes on telling of an escalation of last week."""
    old = card("child-old", escalation="The on-call manager was paged.", changed_at=night.NOW)
    await tell(board, old, card("child-new", changed_at=night.NOW), due("child-old", 7), due("child-new", 0))  # type: ignore[arg-type]
    found = await shifts.summary(board, shift_of(night.NOW))
    assert [one.matter_id for one in found.escalated] == ["child-new"]


def due(matter_id: str, days_ago: int) -> HandoverEscalated:
    at = night.NOW - timedelta(days=days_ago, minutes=5)
    event = HandoverEscalated(
        escalation_id=matter_id, matter_id=matter_id, child_id=matter_id, state=EscalationState.DUE, waiting_since=at,
        happened_at=at, attempts=0,
    )  # fmt: skip
    return event.enveloped(Envelope(f"{matter_id} due", "urn:safebus:handover-feed", event.topic, at))
