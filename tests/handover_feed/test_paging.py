"""Immediate danger that nobody took pages the on-call manager until somebody is reached or takes it (H7)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from services.bus.clock import Clock
from services.bus.envelope import Envelope
from services.bus.errors import UserMistake
from services.bus.events import EscalatedBecause, EscalationState, HandoverEscalated, MatterChanged, MatterState
from services.bus.settings import Settings
from services.handover_feed.door.context import Board
from services.handover_feed.door.serve import board_for
from services.handover_feed.paging import pager, pages
from services.handover_feed.paging.pager import Pager, way_out
from services.handover_feed.paging.tables import page
from services.partner_gateway.webhooks.message import new_secret
from services.web.egress import NotAllowed, check
from tests.handover_feed import cards
from tests.handover_feed.cards import EVENING, NIGHT_WORKER
from tests.handover_feed.conftest import tell
from tests.handover_feed.fold import folded
from tests.handover_feed.log import said_about
from tests.partner_gateway.webhook_endpoint import Endpoint, answer, status
from tests.partner_gateway.webhook_endpoint import endpoint as listening

NOW = EVENING + timedelta(minutes=12)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The board looks more often: what is not to come does not come sooner either."""
    monkeypatch.setattr(pager, "POLL", 0.2)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """The paging service."""
    async with listening() as made:
        yield made


@pytest.fixture
def paged(at: Settings, endpoint: Endpoint) -> Settings:
    """Settings of a board that pages there, with a clock of its own that stands until it is stepped."""
    more = {"clock_file": at.data_dir / "clock", "board_page_url": endpoint.url}
    made = at.model_copy(update=more)
    Clock.of(made).step(NOW)
    return made


async def hear(board: Board, *heard: MatterChanged | HandoverEscalated) -> None:
    """What the loop does with them."""
    await tell(board, *cast(Sequence[MatterChanged], heard))


def card(matter_id: str, version: int = 1, **fields: Any) -> MatterChanged:
    """A matter of immediate danger, which waits unless somebody has taken or closed it."""
    waits = fields.get("state", MatterState.OPEN) is MatterState.OPEN
    return cards.card(matter_id, version, **{"interrupts": waits} | fields)


def due(
    matter_id: str, state: EscalationState = EscalationState.DUE, after: timedelta = timedelta()
) -> HandoverEscalated:
    event = HandoverEscalated(
        escalation_id=f"escalation {matter_id} {after.seconds}", matter_id=matter_id, child_id=matter_id, state=state,
        waiting_since=EVENING, happened_at=NOW + after, attempts=0,
    )  # fmt: skip
    return event.enveloped(Envelope(str(uuid4()), "urn:safebus:handover-feed", event.topic, NOW))


async def said(at: Settings, matter_id: str, number: int = 1) -> list[tuple[EscalationState, int]]:
    """What the board said of the matter's escalations, once it has said so much; a repeat has the same id."""
    async with asyncio.timeout(30):
        while True:
            heard = await said_about(at, HandoverEscalated.topic, matter_id)
            found = {event.envelope.id: event for event in heard}.values()
            if len(found) >= number:
                return [(event.state, event.attempts) for event in found]  # type: ignore[attr-defined]
            await asyncio.sleep(0.1)


async def until(ask: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not ask():
            await asyncio.sleep(0.02)


async def quiet() -> None:
    """Longer than the board takes to look twice."""
    await asyncio.sleep(3 * pager.POLL)


async def stepped(board: Board, by: timedelta) -> datetime:
    """The clock goes on; whatever is due by then happens soon."""
    board.clock.step(board.clock.now() + by)
    return board.clock.now()


async def test_danger_that_waits_pages_once_and_says_so(paged: Settings, endpoint: Endpoint) -> None:
    """One POST, signed, in which nothing says who the child is; then PAGED, and no page after it."""
    secret, matter = new_secret(), str(uuid4())
    async with board_for(paged.model_copy(update={"board_page_secret": SecretStr(secret)})) as board:
        await hear(board, card(matter), due(matter))
        assert await said(paged, matter) == [(EscalationState.PAGED, 1)]
        await stepped(board, timedelta(minutes=30))
        await quiet()
    [got] = endpoint.received
    Webhook(secret).verify(got.body, got.headers)
    told = json.loads(got.body)
    assert told["data"]["minutes"] == 12
    assert "12 minutes" in told["data"]["text"]
    assert set(told["data"]) == {"escalation_id", "minutes", "text"}
    assert "Ada" not in got.body.decode()


async def test_nobody_is_paged_for_what_somebody_has_taken(paged: Settings, endpoint: Endpoint) -> None:
    """Nor for what is closed, nor again for what the log says was paged, in whatever order it says so."""
    ids = [str(uuid4()) for _ in range(4)]
    async with board_for(paged) as board:
        await hear(
            board,
            card(ids[0], state=MatterState.TAKEN, taken_by=NIGHT_WORKER), due(ids[0]),
            card(ids[1], state=MatterState.CLOSED), due(ids[1]),
            card(ids[2]), due(ids[2]), due(ids[2], EscalationState.PAGED),
            card(ids[3]), due(ids[3], EscalationState.PAGED), due(ids[3]),
        )  # fmt: skip
        await quiet()
    assert endpoint.received == []


async def test_a_paging_service_that_fails_is_asked_again_until_it_takes_it(
    paged: Settings, endpoint: Endpoint
) -> None:
    """Under the same id, each pause longer; that nobody was reached is said after the first and the second attempt."""
    matter = str(uuid4())
    endpoint.behave = answer(status(500))
    async with board_for(paged) as board:
        await hear(board, card(matter), due(matter))
        for tries in (1, 2, 3):
            await until(partial(_received, endpoint, tries))
            await _recorded(board, tries)
            if tries == 3:
                endpoint.behave = answer(status(204))
            await stepped(board, timedelta(seconds=5 << (tries - 1)))
        assert await said(paged, matter, 3) == [
            (EscalationState.NOT_REACHED, 1), (EscalationState.NOT_REACHED, 2), (EscalationState.PAGED, 4),
        ]  # fmt: skip
    assert len(set(endpoint.ids)) == 1


def _received(endpoint: Endpoint, number: int) -> bool:
    return len(endpoint.received) == number


async def _recorded(board: Board, attempts: int) -> None:
    async with asyncio.timeout(30):
        while True:
            found = await board.access.read(lambda c: c.execute(page.select()).first())
            if found and found.attempts >= attempts:
                return
            await asyncio.sleep(0.02)


async def test_new_danger_pages_although_somebody_holds_the_matter(paged: Settings, endpoint: Endpoint) -> None:
    """Who took it an hour ago has not seen what came since, and may be asleep: the manager is told (H7)."""
    matter = str(uuid4())
    async with board_for(paged) as board:
        held = card(matter, state=MatterState.TAKEN, taken_by=NIGHT_WORKER, interrupts=True)
        await hear(board, held, due(matter))
        assert await said(paged, matter) == [(EscalationState.PAGED, 1)]
    assert len(endpoint.received) == 1


async def test_it_stops_as_soon_as_somebody_takes_it(paged: Settings, endpoint: Endpoint) -> None:
    """A worker who took it need not be told by the manager."""
    matter = str(uuid4())
    endpoint.behave = answer(status(503))
    async with board_for(paged) as board:
        await hear(board, card(matter), due(matter))
        await _recorded(board, 1)
        await hear(board, card(matter, 2, state=MatterState.TAKEN, taken_by=NIGHT_WORKER))
        await stepped(board, timedelta(minutes=10))
        await quiet()
    assert len(endpoint.received) == 1


async def test_without_a_paging_service_it_is_said_at_once_that_nobody_is_paged(
    paged: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the bus, so that the card shows it, and loudly in the log; once, for a card must not change for ever."""
    matter = str(uuid4())
    async with board_for(paged.model_copy(update={"board_page_url": None})) as board:
        await hear(board, card(matter), due(matter))
        assert await said(paged, matter) == [(EscalationState.NOT_REACHED, 0)]
        await stepped(board, timedelta(minutes=10))
        await quiet()
    assert await said(paged, matter) == [(EscalationState.NOT_REACHED, 0)]
    assert "nobody_is_paged" in capsys.readouterr().out


async def test_once_there_is_a_paging_service_what_still_waits_is_paged(paged: Settings, endpoint: Endpoint) -> None:
    """Nothing that was said without one is forgotten."""
    matter = str(uuid4())
    async with board_for(paged.model_copy(update={"board_page_url": None})) as board:
        await hear(board, card(matter), due(matter))
        await said(paged, matter)
    Clock.of(paged).step(NOW + timedelta(minutes=3))
    async with board_for(paged):
        assert await said(paged, matter, 2) == [(EscalationState.NOT_REACHED, 0), (EscalationState.PAGED, 1)]
    assert len(endpoint.received) == 1


async def test_who_dies_between_the_page_and_its_record_pages_twice_rather_than_never(
    paged: Settings, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next process pages again under the same id, once the dead one's turn is over; then PAGED stands once."""
    matter = str(uuid4())
    with monkeypatch.context() as broken:
        broken.setattr(pages, "record", _die)
        async with board_for(paged) as board:
            await hear(board, card(matter), due(matter))
            await until(lambda: endpoint.received)
    async with board_for(paged) as board:
        await quiet()
        assert len(endpoint.received) == 1, "the turn is not over"
        await stepped(board, timedelta(seconds=31))
        assert await said(paged, matter) == [(EscalationState.PAGED, 1)]
    assert len(endpoint.received) == 2
    assert len(set(endpoint.ids)) == 1


def _die(*_: object, **__: object) -> None:
    raise ZeroDivisionError


async def test_of_two_processes_one_pages(paged: Settings, endpoint: Endpoint) -> None:
    """However many serve the board, the manager's telephone rings once."""
    matters = [str(uuid4()) for _ in range(5)]
    async with board_for(paged) as board, Pager(board), Pager(board):
        await hear(board, *(one for matter in matters for one in (card(matter), due(matter))))
        for matter in matters:
            assert await said(paged, matter) == [(EscalationState.PAGED, 1)]
    assert len(endpoint.received) == 5


async def test_a_matter_that_is_escalated_again_is_paged_for_again_and_only_for_the_latest(
    paged: Settings, endpoint: Endpoint
) -> None:
    """Whoever let it go, or new danger, makes it wait anew."""
    matter = str(uuid4())
    async with board_for(paged) as board:
        await hear(board, card(matter), due(matter), due(matter, after=timedelta(minutes=10)))
        assert await said(paged, matter) == [(EscalationState.PAGED, 1)]
        await quiet()
    assert endpoint.ids == [f"escalation {matter} 600"]


async def test_a_matter_passed_on_unopened_hides_no_danger(tmp_path: Path) -> None:
    """Each of both reasons is paged for on its own, of each only the latest, whatever other matters were passed on."""
    again, passed = timedelta(minutes=10), timedelta(minutes=11)
    unopened = due("both", after=passed)
    unopened = unopened.model_copy(update={"why": EscalatedBecause.PASSED_ON}).enveloped(unopened.envelope)
    async with folded(Settings(data_dir=tmp_path)) as (board, _):
        await hear(
            board, card("both"), card("danger"), due("both"), unopened, due("danger"), due("danger", after=again)
        )
        found = await board.access.read(partial(pages.due, now_us=board.now_us))
    assert set(found) == {"escalation both 0", "escalation both 660", "escalation danger 600"}


@pytest.mark.parametrize(
    ("url", "asked", "board_url", "goes"),
    [
        ("https://pager.example/hook", "https://pager.example/hook", "https://board.example", True),
        ("https://pager.example/hook", "https://elsewhere.example/hook", "https://board.example", False),
        ("https://pager.example/hook", "http://pager.example/hook", "https://board.example", False),
        ("http://localhost:1/hook", "http://localhost:1/hook", None, True),
        ("http://localhost:1/hook", "http://localhost:1/hook", "https://board.example", False),
    ],
)
def test_a_page_goes_where_it_is_set_up_to_go_and_nowhere_else(
    url: str, asked: str, board_url: str | None, goes: bool
) -> None:
    """https only, to the one host; to this machine only where the board itself is on it alone."""
    at = way_out(Settings(board_page_url=url, board_url=board_url, webhook_allow="elsewhere.example"))
    if goes:
        check(at, asked)
        return
    with pytest.raises(NotAllowed):
        check(at, asked)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"board_page_url": "http://pager.example/hook"}, "BOARD_PAGE_URL"),
        ({"board_page_url": "nonsense"}, "BOARD_PAGE_URL"),
        ({"board_page_secret": SecretStr("whsec_no base64!")}, "BOARD_PAGE_SECRET"),
    ],
)
async def test_what_can_reach_nobody_is_refused_when_the_board_starts(
    paged: Settings, more: dict[str, object], says: str
) -> None:
    """And not at the first danger; the secret itself is not told."""
    with pytest.raises(UserMistake, match=says) as told:
        async with board_for(paged.model_copy(update=more)):
            pass
    assert "base64" not in str(told.value)


async def test_on_postgresql_two_boards_page_once(paged: Settings, endpoint: Endpoint, postgres: str) -> None:
    """Two processes and one database: one lease, one page, one event."""
    at = paged.model_copy(update={"store_url": postgres})
    matters = [str(uuid4()) for _ in range(5)]
    async with board_for(at) as board, board_for(at):
        await hear(board, *(one for matter in matters for one in (card(matter), due(matter))))
        for matter in matters:
            assert await said(paged, matter) == [(EscalationState.PAGED, 1)]
        await quiet()
    assert len(endpoint.received) == 5


async def test_a_redirect_is_not_followed(paged: Settings, endpoint: Endpoint) -> None:
    """A page that was sent on to somewhere else counts as not taken."""
    matter = str(uuid4())
    endpoint.behave = answer(status(302, "Location: /elsewhere"))
    async with board_for(paged) as board:
        await hear(board, card(matter), due(matter))
        assert await said(paged, matter) == [(EscalationState.NOT_REACHED, 1)]
    assert len(endpoint.received) == 1


async def test_what_a_worker_may_not_open_pages_at_once_and_says_why(paged: Settings, endpoint: Endpoint) -> None:
    """It need not be danger (H3); once somebody has taken it, nobody is paged for it again."""
    matter, other = str(uuid4()), str(uuid4())
    asked = [
        due(one).model_copy(update={"why": EscalatedBecause.PASSED_ON}).enveloped(due(one).envelope)
        for one in (matter, other)
    ]
    async with board_for(paged) as board:
        calm = cards.card(matter)
        taken = cards.card(other, state=MatterState.TAKEN, taken_by=NIGHT_WORKER, taken_at=EVENING)
        await hear(board, calm, taken, *asked)
        assert await said(paged, matter) == [(EscalationState.PAGED, 1)]
        heard = await said_about(paged, HandoverEscalated.topic, matter)
        assert {one.why for one in heard if isinstance(one, HandoverEscalated)} == {EscalatedBecause.PASSED_ON}
    [got] = endpoint.received
    assert "may not open a matter and has passed it on to you" in json.loads(got.body)["data"]["text"]
