"""Reading an inbox leaves out no number and gives none twice, whatever happens to the stream."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from services.client import BadAnswer, Client, FileCursorStore, NotIdentified, OutOfStep, Patience, TryAgain
from tests.client.stand_in import Answer, StandIn, dies, entry, epoch, problem, says, standing_in, streams

HASTY = Patience(total=20.0, first=0.01, longest=0.05)


async def read(here: StandIn, count: int, store: FileCursorStore | None = None, **how: object) -> list[str]:
    """The cursors of the next `count` disclosures."""
    got: list[str] = []
    async with asyncio.timeout(30), Client(here.url, "k") as client:
        stream = client.inbox(cursor_store=store, patience=HASTY, **how)  # type: ignore[arg-type]
        async with aclosing(stream):
            async for disclosure in stream:
                got.append(disclosure.cursor)
                if len(got) == count:
                    break
    return got


def cursors_asked(here: StandIn) -> list[str | None]:
    return [request.headers.get("last-event-id") for request in here.asked]


async def test_a_server_that_dies_in_the_middle_is_asked_for_the_rest() -> None:
    """The stream breaks within an entry; reading goes on after the last whole one."""
    halves = entry(3)
    async with standing_in(
        streams(entry(1), entry(2), halves[:40]), dies, problem(503, "try-again"), streams(": heartbeat\n\n", entry(3))
    ) as here:
        assert await read(here, 3) == ["aa.1", "aa.2", "aa.3"]
    assert cursors_asked(here) == [None, "aa.2", "aa.2", "aa.2"]
    assert here.asked[0].headers["accept"] == "text/event-stream"


async def test_entries_may_come_in_pieces_of_any_size() -> None:
    """As a network cuts them."""
    whole = entry(1) + ": heartbeat\n\n" + entry(2).replace("\n", "\r\n")
    async with standing_in(streams(*whole)) as here:
        assert await read(here, 2) == ["aa.1", "aa.2"]


async def test_a_repeat_is_given_once() -> None:
    """A server that begins before the cursor makes no repeat of it."""
    async with standing_in(streams(entry(1), entry(1), entry(2)), streams(entry(1), entry(2), entry(3))) as here:
        assert await read(here, 3) == ["aa.1", "aa.2", "aa.3"]


async def test_a_missing_number_is_asked_for_again() -> None:
    """It comes the second time."""
    async with standing_in(streams(entry(1), entry(3)), streams(entry(2), entry(3))) as here:
        assert await read(here, 3) == ["aa.1", "aa.2", "aa.3"]
    assert cursors_asked(here) == [None, "aa.1"]


async def test_a_number_that_stays_missing_is_an_error_and_never_skipped() -> None:
    """A lying server does not make the caller believe that it has everything."""
    async with standing_in(streams(entry(1), entry(3)), streams(entry(3))) as here, Client(here.url, "k") as client:
        stream = client.inbox(patience=HASTY)
        assert (await anext(stream)).cursor == "aa.1"
        with pytest.raises(OutOfStep, match=r"aa\.1.*aa\.3"):
            await anext(stream)


async def test_an_entry_of_another_epoch_without_a_word_is_out_of_step() -> None:
    """Epochs do not mix: numbers of two mean nothing together."""
    async with standing_in(streams(entry(1), entry(2, "bb"))) as here, Client(here.url, "k") as client:
        stream = client.inbox(patience=HASTY)
        assert (await anext(stream)).cursor == "aa.1"
        with pytest.raises(OutOfStep):
            await anext(stream)


async def test_a_new_epoch_begins_at_its_first_number(tmp_path: Path) -> None:
    """After a recovery everything comes again, and the old cursor is never used again."""
    store = FileCursorStore(tmp_path / "cursor")
    store.save("aa.7")
    answers = streams(epoch("bb")), streams(entry(1, "bb"), entry(2, "bb"))
    async with standing_in(*answers) as here:
        assert await read(here, 2, store) == ["bb.1", "bb.2"]
    assert cursors_asked(here) == ["aa.7", "bb.0"]
    assert store.load() == "bb.1", "the second was left by break, so it is not done"


async def test_a_cursor_refused_as_foreign_begins_the_new_epoch() -> None:
    """410 says the same as the stream's own word."""
    said = {"type": "urn:safebus:problem:epoch-changed", "status": 410, "detail": "x", "epoch": "bb"}
    async with standing_in(says(410, said), streams(entry(1, "bb"))) as here:
        assert await read(here, 1, after="aa.3") == ["bb.1"]
    assert cursors_asked(here) == ["aa.3", "bb.0"]


async def test_a_cursor_is_saved_when_the_body_is_done_and_not_before(tmp_path: Path) -> None:
    """A body that raises gets the same disclosure at the next start."""
    store = FileCursorStore(tmp_path / "cursor")
    stored = []

    async def reads(client: Client) -> None:
        async for disclosure in client.inbox(cursor_store=store, patience=HASTY):
            stored.append(store.load())
            if disclosure.number == 3:
                raise ZeroDivisionError

    async with standing_in(streams(entry(1), entry(2), entry(3))) as here, Client(here.url, "k") as client:
        with pytest.raises(ZeroDivisionError):
            await reads(client)
    assert stored == [None, "aa.1", "aa.2"]
    assert store.load() == "aa.2"
    async with standing_in(streams(entry(3))) as here:
        assert await read(here, 1, store) == ["aa.3"]
    assert cursors_asked(here) == ["aa.2"]


async def test_silence_ends_a_stream_and_a_goodbye_too() -> None:
    """Without a heartbeat the connection counts as dead; both are made anew after the last entry."""
    bye = 'event: goodbye\ndata: {"reason": "too slow"}\n\n'
    answers = streams(entry(1), ends=False), streams(entry(2), bye, ends=False), streams(entry(3))
    async with standing_in(*answers) as here:
        assert await read(here, 3, silence=0.2) == ["aa.1", "aa.2", "aa.3"]
    assert cursors_asked(here) == [None, "aa.1", "aa.2"]


async def test_a_refused_key_ends_the_reading() -> None:
    """Trying again would not help."""
    async with standing_in(streams(entry(1)), problem(401, "not-identified")) as here:
        with pytest.raises(NotIdentified):
            await read(here, 2)


@pytest.mark.parametrize(
    "answer",
    [
        says(200, {"entries": []}),
        streams("event: disclosure\ndata: nonsense\n\n"),
        streams("event: disclosure\ndata: " + "[" * 5000 + "\n\n"),
        streams('event: disclosure\ndata: {"cursor": "aa.1"}\n\n'),
        streams(entry(1).replace('"number": 1', '"number": 2')),
        streams(entry(1).replace('"aa.1"', '"aa"')),
    ],
    ids=["no stream", "no JSON", "too deep", "no entry", "two numbers", "no cursor"],
)
async def test_what_answers_wrongly_is_not_believed(answer: Answer) -> None:
    """It is no gateway, or a broken one: the caller learns it."""
    async with standing_in(answer) as here:
        with pytest.raises(BadAnswer):
            await read(here, 1)


async def test_an_endless_entry_is_not_held() -> None:
    """The client's memory is bounded, whoever sends."""
    part = "data: " + "x" * 1_000_000
    async with standing_in(streams(*([part] * 40))) as here:
        with pytest.raises(BadAnswer, match="above"):
            await read(here, 1)


async def test_patience_for_an_inbox_ends_if_the_caller_wants_it() -> None:
    """By default it never does."""
    async with standing_in(dies) as here, Client(here.url, "k") as client:
        with pytest.raises(TryAgain):
            await anext(client.inbox(patience=Patience(total=0.2, first=0.01, longest=0.02)))
    assert len(here.asked) > 1


@pytest.mark.parametrize("content", ["", "nonsense", "aa.", "aa.x", "é.1", ".1"])
def test_a_file_that_holds_no_cursor_is_not_read_as_the_beginning(tmp_path: Path, content: str) -> None:
    """Somebody must say so by removing it."""
    (tmp_path / "cursor").write_text(content, "utf-8")
    with pytest.raises(ValueError, match="does not hold a cursor"):
        FileCursorStore(tmp_path / "cursor").load()


def test_a_cursor_that_cannot_be_written_leaves_the_former(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is replaced whole, and nothing is left lying about."""
    store = FileCursorStore(tmp_path / "cursor")
    store.save("aa.1")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.save("aa.2")
    assert store.load() == "aa.1"
    assert [path.name for path in tmp_path.iterdir()] == ["cursor"]
