"""Teams with their own screen have the same cards by API and stream: with a key, each change once and in order."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.bus.events import HandoverSeen, MatterState, SeenWhat
from services.bus.settings import Settings
from services.bus.store import Store
from services.handover_feed.acting.seen import Seen
from services.handover_feed.board.projection import BOARD
from services.handover_feed.door import keys
from services.handover_feed.door.context import Board
from services.handover_feed.door.serve import NAME, open_board
from services.web import hub, stream
from tests.handover_feed.cards import card, risks
from tests.handover_feed.conftest import tell
from tests.handover_feed.screens import Client, a_screen, key_of
from tests.handover_feed.test_pages_passing import asked


@pytest.fixture
def at(at: Settings) -> Settings:
    return at.model_copy(update={"board_burst": 100_000, "board_streams": 1000})


@pytest_asyncio.fixture
async def screen(board: Board, door: str) -> Client:
    return await a_screen(board, door)


async def test_the_list_a_card_and_the_stream_show_the_same(board: Board, screen: Client) -> None:
    """As handover.board.v1 has it, field by field; the list says from where the stream goes on."""
    said = card("a", interrupts=True, risk=risks(immediate_danger=1))
    await tell(board, said, card("b"))
    page = (await screen.get("/v1/board")).json()
    assert {one["matter_id"] for one in page["cards"]} == {"a", "b"}
    assert (await screen.get("/v1/board/a")).json() in page["cards"]
    first, second = await screen.read(2)
    assert [first.data, second.data] == [(await screen.get(f"/v1/board/{i}")).json() for i in ("a", "b")]
    assert type(said).model_validate(first.data) == said
    assert (first.kind, first.data["interrupts"]) == ("change", True)
    assert page["next"] == second.id == f"{page['epoch']}.{page['no']}"
    async with screen.open(after=page["next"]) as told:
        await tell(board, card("b", 2))
        later = await anext(told)
    assert (later.number, later.data["matter_id"], later.data["version"]) == (3, "b", 2)


async def test_a_screen_without_a_cursor_first_has_what_is_open(board: Board, screen: Client) -> None:
    """Not the closed matters of years; but every closing from then on, and with a cursor from there on."""
    await tell(board, card("closed", state=MatterState.CLOSED), card("open"))
    await tell(board, *(card(f"old-{n:03}", state=MatterState.CLOSED) for n in range(100)))
    async with screen.open() as told:
        assert (await anext(told)).data["matter_id"] == "open"
        await tell(board, card("open", 2, state=MatterState.CLOSED))
        closing = await anext(told)
    assert (closing.data["matter_id"], closing.data["state"]) == ("open", "CLOSED")
    epoch = closing.id.partition(".")[0]
    assert (await screen.read(1, last=f"{epoch}.1"))[0].data["matter_id"] != "open"


async def test_a_stream_that_breaks_again_and_again_ends_with_what_stands(
    board: Board, screen: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Last-Event-ID resumes exactly: no card is older than one before it, none is missing at the end."""
    monkeypatch.setattr(hub, "KEEP", 5)
    chance, versions = random.Random(5), dict.fromkeys("abcdefgh", 0)

    async def go_on_telling() -> None:
        for _ in range(60):
            some = chance.sample(sorted(versions), chance.randint(1, 4))
            versions.update({one: versions[one] + 1 for one in some})
            await tell(board, *(card(one, versions[one]) for one in some))
            await asyncio.sleep(0.002)
        await tell(board, card("last"))

    telling = asyncio.create_task(go_on_telling())
    seen: dict[str, int] = {}
    last, number = None, 0
    while "last" not in seen:
        async with screen.open(last) as told:
            for _ in range(chance.randint(1, 8)):
                one = await anext(told)
                assert one.number > number
                assert one.data["version"] > seen.get(one.data["matter_id"], 0)
                seen[one.data["matter_id"]], last, number = one.data["version"], one.id, one.number
                if "last" in seen:
                    break
    await telling
    assert seen == versions | {"last": 1}


async def test_a_board_built_anew_says_so_and_begins_again(at: Settings, board: Board, screen: Client) -> None:
    """After a recovery: `event: epoch`, then every open card; whoever comes back with an old cursor hears the same."""
    await tell(board, card("a"), card("b", state=MatterState.CLOSED))
    async with screen.open() as told:
        before = await anext(told)
        store = Store(at.store_for(NAME), NAME, projection=BOARD)
        store.open()
        store.reset()
        store.close()
        await tell(board, card("b", state=MatterState.CLOSED))
        changed = await anext(told)
        await tell(board, card("a"))
        again = await anext(told)
    assert (changed.kind, changed.id) == ("epoch", f"{changed.data['epoch']}.0")
    assert again.id.startswith(changed.data["epoch"])
    assert again.data == before.data
    begun = await screen.read(2, last=before.id)
    assert [one.kind for one in begun] == ["epoch", "change"]
    assert begun[1].data == before.data


async def test_a_screen_is_not_told_who_an_unmatched_child_may_be(board: Board, door: str) -> None:
    """H12: it cannot answer, and most of them have nothing to do with it; what agrees and differs, it is told."""
    await tell(board, asked())
    screen = await a_screen(board, door)
    [told] = await screen.read(1)
    for one in (told.data, *await screen.cards()):
        assert one["question"]["candidates"] == [{"matched_on": ["nhs_number"], "differs_on": ["forename"]}] * 2
        assert "Maia" not in str(one)
        assert "child-maia" not in str(one)


async def test_a_card_that_a_person_must_open_shows_nobody(board: Board, screen: Client) -> None:
    """H3: a screen cannot declare that there is no conflict; it learns that something waits, and how urgently."""
    hidden = card("a", declare_no_conflict=True, interrupts=True, risk=risks(immediate_danger=1))
    await tell(board, hidden)
    shown = [(await screen.get("/v1/board")).json()["cards"][0], (await screen.get("/v1/board/a")).json()]
    for one in [*shown, (await screen.read(1))[0].data]:
        assert (one["withheld"], one["interrupts"], one["state"]) == ("declare-no-conflict", True, "OPEN")
        assert not {"about", "facts", "told", "acts", "hazards", "adults_of_concern", "child_id"} & set(one)
        assert "Example" not in str(one)
        assert "Domestic" not in str(one)


@pytest.mark.parametrize("how", ["list", "missed", "live"])
async def test_which_matters_a_key_was_shown_is_recorded(
    board: Board, screen: Client, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """By ids alone, each once within a while: for the disclosure log tells of a child, and not of a board."""
    noted: list[HandoverSeen] = []
    monkeypatch.setattr(Seen, "note", lambda _, entry: noted.append(entry))
    if how == "live":
        async with screen.open() as told:
            await tell(board, card("a"), card('b "quoted"'))
            for _ in range(2):
                await anext(told)
            await tell(board, card("a", 2))
            await anext(told)
    else:
        await tell(board, card("a"), card('b "quoted"'))
        for _ in range(2):
            await (screen.get("/v1/board") if how == "list" else screen.read(2))
    assert sorted(one.matter_id for one in noted if one.matter_id) == ["a", 'b "quoted"']
    assert {one.what for one in noted} == {SeenWhat.KEY_USED}
    assert len({one.person_id for one in noted}) == 1


async def test_what_the_board_does_not_have_is_not_found(board: Board, screen: Client) -> None:
    """404 as problem details."""
    await tell(board, card("a"))
    answer = await screen.get("/v1/board/b")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:safebus:problem:not-found")


@pytest.mark.parametrize("path", ["/v1/board", "/v1/board/a", "/v1/board/stream"])
@pytest.mark.parametrize(
    "authorization", [None, "Bearer ", "Bearer sbb_x", "Basic eA==", "unknown", "wrong", "revoked"]
)
async def test_nobody_reads_without_a_key(
    board: Board, client: httpx.AsyncClient, path: str, authorization: str | None
) -> None:
    """Denied by default, and all alike: no key, none of ours, another's secret, one that was revoked."""
    await tell(board, card("a"))
    key = await key_of(board)
    key_id = key.split("_")[1]
    if authorization == "unknown":
        authorization = f"Bearer {key.replace(key_id, '0' * 16)}"
    elif authorization == "wrong":
        authorization = f"Bearer {key[:-3]}xyz"
    elif authorization == "revoked":
        await board.access.write(lambda c: keys.revoke_key(c, key_id, now_us=board.now_us))
        authorization = f"Bearer {key}"
    answer = await client.get(path, headers={"Authorization": authorization} if authorization else {})
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:safebus:problem:not-identified")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_key_expires_and_only_its_hash_is_kept(board: Board) -> None:
    """Whoever reads the database cannot use what it holds."""
    made = await board.access.write(lambda c: keys.add_key(c, "a", now_us=board.now_us, days=1e-9))
    assert await board.keys.screen(made) is None
    made = await key_of(board)
    rows = await board.access.read(lambda c: keys.keys_now(c, now_us=board.now_us))
    assert [row.name for row in rows] == ["emergency duty team"]
    assert made.split("_", 2)[2] not in str(rows)
    assert await board.keys.screen(made)


async def test_a_revoked_key_ends_its_streams(board: Board, screen: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen is open for days: its key is looked at again and again."""
    monkeypatch.setattr(stream, "HEARTBEAT", 0.2)
    monkeypatch.setattr(stream, "AGAIN", 0.1)
    monkeypatch.setattr(keys, "KEPT", 0.1)
    async with asyncio.timeout(20), screen.open() as told:
        assert (await anext(told)).kind == "comment"
        key_id = screen.headers["Authorization"].split("_")[1]
        await board.access.write(lambda c: keys.revoke_key(c, key_id, now_us=board.now_us))
        ends = [one async for one in told if one.kind != "comment"]
    assert [(one.kind, one.data) for one in ends] == [("goodbye", {"reason": "not-identified"})]


@pytest.mark.parametrize("cursor", ["7", "x.1", "0123abcd.-1", "beyond"])
async def test_what_is_no_cursor_is_refused(board: Board, screen: Client, cursor: str) -> None:
    """422, before anything is streamed; also a number that was never given: it would wait for ever."""
    await tell(board, card("a"))
    if cursor == "beyond":
        cursor = (await screen.get("/v1/board")).json()["next"] + "0"
    answer = await screen.get("/v1/board/stream", after=cursor)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:safebus:problem:invalid-cursor")


async def test_a_board_that_closes_says_so(at: Settings, board: Board) -> None:
    """A screen then knows that it may come back at once."""
    async with asyncio.timeout(20):
        async with open_board(at) as address:
            opened = (await a_screen(board, address)).open()
            told: Any = await opened.__aenter__()
            await tell(board, card("a"))
            assert (await anext(told)).kind == "change"
        last = await anext(told)
    assert (last.kind, last.data) == ("goodbye", {"reason": "closing"})


async def test_every_answer_protects_the_browser(client: httpx.AsyncClient) -> None:
    """No caching of personal data, no script but our own, also when nothing is found."""
    for path in ("/v1/board", "/nothing", "/board"):
        headers = (await client.get(path)).headers
        assert headers["cache-control"] == "no-store"
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"]
