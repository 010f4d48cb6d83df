"""A board that hears nothing of the bus tells the on-call manager by itself, and once that it hears again (H7)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from services.bus.errors import Surroundings
from services.bus.settings import Settings
from services.handover_feed.door.context import Board
from services.handover_feed.paging.hearing import Hearing
from services.handover_feed.paging.tables import deaf
from services.partner_gateway.webhooks.message import new_secret
from tests.handover_feed.fold import folded
from tests.partner_gateway.webhook_endpoint import TAKEN, Endpoint, answer, status
from tests.partner_gateway.webhook_endpoint import endpoint as listening

SECRET = new_secret()


class Ears:
    """A process's health, as far as it says since when nothing is heard."""

    deaf_for = 0.0
    begun = True

    @property
    def is_ready(self) -> bool:
        return self.begun and not self.deaf_for


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with listening() as made:
        yield made


@pytest.fixture
async def board(tmp_path: object, endpoint: Endpoint) -> AsyncIterator[Board]:
    at = Settings(data_dir=tmp_path, board_page_url=endpoint.url, board_page_secret=SecretStr(SECRET))
    async with folded(at) as (made, _):
        yield made


def told(endpoint: Endpoint) -> list[str]:
    return [json.loads(got.body)["type"] for got in endpoint.received]


async def test_it_is_told_once_and_that_it_is_over_once(board: Board, endpoint: Endpoint) -> None:
    """Signed, with an id of its own each, and nothing about any child."""
    ears = Ears()
    hearing = Hearing(board, ears)  # type: ignore[arg-type]
    for seconds in (0.0, 200.0, 290.0):
        ears.deaf_for = seconds
        await hearing.look()
    assert told(endpoint) == []
    for seconds in (301.0, 600.0, 0.0, 0.0):
        ears.deaf_for = seconds
        await hearing.look()
    assert told(endpoint) == ["board.deaf", "board.hears"]
    for got in endpoint.received:
        Webhook(SECRET).verify(got.body, got.headers)
    first, over = (got.headers["webhook-id"] for got in endpoint.received)
    assert first != over
    assert "heard nothing from the bus for 5 minutes" in json.loads(endpoint.received[0].body)["data"]["text"]


async def test_two_processes_that_are_deaf_tell_of_it_once(board: Board, endpoint: Endpoint) -> None:
    """One that hears does not say that it is over while another is still deaf; one that was started again goes on."""
    ears, others = Ears(), Ears()
    first, second = Hearing(board, ears), Hearing(board, others)  # type: ignore[arg-type]
    ears.deaf_for = others.deaf_for = 400.0
    await first.look()
    await second.look()
    assert told(endpoint) == ["board.deaf"]
    ears.deaf_for = 0.0
    await first.look()
    assert told(endpoint) == ["board.deaf"], "the second holds it"
    again = Hearing(board, Ears())  # type: ignore[arg-type]
    await again.look()
    assert told(endpoint) == ["board.deaf"]
    await board.access.write(lambda connection: connection.execute(deaf.update().values(until_us=0)))
    await again.look()
    assert told(endpoint) == ["board.deaf", "board.hears"]


async def test_one_that_has_only_begun_says_nothing_of_hearing(board: Board, endpoint: Endpoint) -> None:
    """Killed while it was deaf and started again, it does not know yet: nobody is told that all is well."""
    ears, started = Ears(), Ears()
    ears.deaf_for = 400.0
    await Hearing(board, ears).look()  # type: ignore[arg-type]
    await board.access.write(lambda connection: connection.execute(deaf.update().values(until_us=0)))
    started.begun = False
    again = Hearing(board, started)  # type: ignore[arg-type]
    await again.look()
    assert told(endpoint) == ["board.deaf"]
    started.deaf_for = 400.0
    await again.look()
    assert told(endpoint) == ["board.deaf"], "it was told already"
    started.begun, started.deaf_for = True, 0.0
    await again.look()
    assert told(endpoint) == ["board.deaf", "board.hears"]


async def test_deaf_again_on_a_quiet_night_is_told_under_another_id(board: Board, endpoint: Endpoint) -> None:
    """Nothing came in between: a paging service that knows the first id would keep the second page from the manager."""
    ears = Ears()
    for hearing in (Hearing(board, ears), Hearing(board, ears)):  # type: ignore[arg-type]
        for seconds in (400.0, 0.0, 500.0, 0.0):
            ears.deaf_for = seconds
            await hearing.look()
    assert told(endpoint) == ["board.deaf", "board.hears"] * 4
    assert len({got.headers["webhook-id"] for got in endpoint.received}) == 8


async def test_a_page_that_failed_is_tried_again(board: Board, endpoint: Endpoint) -> None:
    """Under the same id."""
    ears = Ears()
    hearing = Hearing(board, ears)  # type: ignore[arg-type]
    endpoint.behave = answer(status(500))
    ears.deaf_for = 400.0
    await hearing.look()
    endpoint.behave = answer(TAKEN)
    await hearing.look()
    await hearing.look()
    assert told(endpoint) == ["board.deaf", "board.deaf"]
    assert len({got.headers["webhook-id"] for got in endpoint.received}) == 1


async def test_without_a_database_it_is_told_all_the_same(
    board: Board, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What keeps a board deaf may keep it from its database too."""

    async def away(_: object) -> None:
        raise Surroundings("away")

    monkeypatch.setattr(board.access, "read", away)
    monkeypatch.setattr(board.access, "write", away)
    ears = Ears()
    hearing = Hearing(board, ears)  # type: ignore[arg-type]
    for seconds in (400.0, 500.0, 0.0, 0.0):
        ears.deaf_for = seconds
        await hearing.look()
    assert told(endpoint) == ["board.deaf", "board.hears"]
