"""The synchronous face is the asynchronous one, waited for."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from services.client import Client, FileCursorStore, IdReused, Patience, SyncClient
from tests.client.stand_in import Answer, StandIn, accepts, entry, problem, says, standing_in, streams

HASTY = Patience(total=20.0, first=0.01, longest=0.05)


@contextmanager
def standing(*answers: Answer) -> Iterator[StandIn]:
    """A stand-in on a thread of its own, as the test has no loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    here = standing_in(*answers)
    try:
        yield asyncio.run_coroutine_threadsafe(here.__aenter__(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(here.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def test_the_two_have_the_same_face() -> None:
    """Every public method of the one is the other's, with the same parameters and docstring."""
    methods = {name for name, what in vars(Client).items() if inspect.isfunction(what) and not name.startswith("_")}
    assert methods == {name for name in vars(SyncClient) if not name.startswith("_")}
    for name in methods:
        mine, theirs = getattr(SyncClient, name), getattr(Client, name)
        assert inspect.signature(mine) == inspect.signature(theirs)
        assert mine.__doc__ == theirs.__doc__
    assert inspect.signature(SyncClient).parameters.keys() == inspect.signature(Client).parameters.keys()


def test_publishing_waits_for_the_answer_and_raises_what_it_is() -> None:
    """As an ordinary function."""
    with (
        standing(accepts, problem(409, "id-reused")) as here,
        SyncClient(here.url, "k", source="urn:safebus:x") as mine,
    ):
        assert mine.publish("mash.contacts.v1", {}, id="a-1").state == "accepted"
        with pytest.raises(IdReused):
            mine.publish("mash.contacts.v1", {"other": 1}, id="a-1")


def test_the_inbox_is_an_ordinary_for(tmp_path: Path) -> None:
    """It resumes where it stands, and leaving it early ends its stream."""
    store = FileCursorStore(tmp_path / "cursor")
    answers = streams(entry(1), entry(2)), streams(entry(3), ends=False)
    with standing(*answers) as here, SyncClient(here.url, "k") as mine:
        got = []
        for disclosure in mine.inbox(cursor_store=store, patience=HASTY):
            got.append(disclosure.number)
            if disclosure.number == 3:
                break
    assert got == [1, 2, 3]
    assert store.load() == "aa.2"


def test_what_was_sent_ends_with_its_last_page() -> None:
    """Page after page, each asked for by the mark of the one before."""
    pages = (
        says(200, {"events": [{"id": "3"}, {"id": "2"}], "next": "mark", "more": True}),
        says(200, {"events": [{"id": "1"}], "next": "end", "more": False}),
    )
    with standing(*pages) as here, SyncClient(here.url, "k") as mine:
        assert [event["id"] for event in mine.sent(late=True)] == ["3", "2", "1"]
    assert [dict(request.url.params) for request in here.asked] == [
        {"late": "true"}, {"late": "true", "after": "mark"},
    ]  # fmt: skip


def test_a_document_is_given_and_fetched(tmp_path: Path) -> None:
    """As ordinary functions."""
    claim = {"sha256": sha256(b"x").hexdigest(), "size": 1, "media_type": "text/plain", "location": "/v1/x"}
    with standing(says(201, claim), says(200, "x", "text/plain")) as here, SyncClient(here.url, "k") as mine:
        made = mine.upload(b"x", "text/plain")
        mine.download(made, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"x"


def test_leaving_the_client_ends_what_still_reads() -> None:
    """Also where the loop's iterator is kept."""
    with standing(streams(entry(1), ends=False)) as here, SyncClient(here.url, "k") as mine:
        kept = mine.inbox(patience=HASTY)
        assert next(kept).number == 1
    assert next(kept, None) is None
