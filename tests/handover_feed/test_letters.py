"""What the board says by itself is sent by one of several boards on one database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.bus.events import HandoverSeen, SeenWhat, Team
from services.handover_feed.acting.letters import CLAIM_US, _claimed, _sent, keep
from services.handover_feed.acting.tables import outgoing, sending
from services.handover_feed.tables import metadata
from tests.handover_feed.night import NOW

A, B, AT = "one board", "another", 1_000_000_000


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """With three letters that wait."""
    url = f"sqlite:///{tmp_path}/board.db" if request.param == "sqlite" else request.getfixturevalue("postgres")
    engine = sa.create_engine(url)
    metadata.create_all(engine, tables=[outgoing, sending])
    seen = {
        f"letter-{n}": HandoverSeen(
            seen_id=f"letter-{n}", person_id="p", team=Team.NIGHT, what=SeenWhat.BOARD, happened_at=NOW
        )
        for n in range(3)
    }
    with engine.begin() as connection:
        keep(connection, seen, now_us=AT)
    yield engine
    engine.dispose()


def claim(engine: sa.Engine, holder: str, at: int = AT) -> list[str]:
    with engine.begin() as connection:
        return [one.event_id for one in _claimed(connection, holder, now_us=at)]


def test_what_one_board_is_about_to_send_no_other_sends(database: sa.Engine) -> None:
    """An escalation is said once; a board that died with it in hand is replaced."""
    mine = claim(database, A)
    assert len(mine) == 3
    assert claim(database, B) == []
    assert claim(database, A) == mine, "it tries again itself"
    assert claim(database, B, AT + CLAIM_US) == mine
    assert claim(database, A, AT + CLAIM_US) == []
    with database.begin() as connection:
        _sent(connection, mine)
        assert connection.execute(sa.select(sending)).all() == []
    assert claim(database, A) == []


def test_two_boards_that_look_at_the_same_moment_share_what_waits(postgres: str) -> None:
    """PostgreSQL passes over the rows that the other has in hand, and neither waits for the other."""
    engine = sa.create_engine(postgres)
    metadata.create_all(engine, tables=[outgoing, sending])
    seen = HandoverSeen(seen_id="s", person_id="p", team=Team.NIGHT, what=SeenWhat.BOARD, happened_at=NOW)
    with engine.begin() as connection:
        keep(connection, {"one": seen}, now_us=AT)
    with engine.begin() as first, engine.begin() as second:
        assert len(_claimed(first, A, now_us=AT)) == 1
        assert _claimed(second, B, now_us=AT) == []
    engine.dispose()
