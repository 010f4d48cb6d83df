"""docs/board.md says what is so."""

from __future__ import annotations

import re

import httpx

from services.bus.catalogue import load
from services.bus.settings import ROOT, Settings
from services.handover_feed.board.shown import WITHHELD
from services.handover_feed.door.context import Board
from services.web import stream
from tests.handover_feed.cards import card
from tests.handover_feed.conftest import tell
from tests.handover_feed.screens import key_of

GUIDE = (ROOT / "docs" / "board.md").read_text("utf-8")


async def test_what_it_asks_for_is_there(board: Board, client: httpx.AsyncClient) -> None:
    """Each address with the key; the fields that it names are those that come."""
    await tell(board, card("a"))
    headers = {"Authorization": f"Bearer {await key_of(board)}"}
    asked = re.findall(r'"\$BOARD(/v1/board[^"]*)"', GUIDE)
    assert len(asked) == 2
    page = (await client.get(asked[0], headers=headers)).json()
    assert [f'"{name}"' in GUIDE for name in page] == [True] * 4
    assert (await client.get(asked[1], headers=headers)).status_code == 422  # EPOCH.NO is no cursor, yet it is asked
    assert (await client.get("/v1/board/a", headers=headers)).json() == page["cards"][0]


def test_the_words_are_the_codes() -> None:
    """Events, reasons, settings and the topic, as the code and the catalogue have them."""
    assert stream.HEARTBEAT == 15
    assert f'"withheld": "{WITHHELD}"' in GUIDE
    assert all(f"`{reason}`" in GUIDE for reason in ("closing", "too-slow", "not-identified"))
    assert set(re.findall(r"SAFEBUS_([A-Z_]+)", GUIDE)) <= {name.upper() for name in Settings.model_fields}
    assert "out-of-hours" in load(ROOT / "topics.yaml").topics["handover.board.v1"].read_by
