"""A board with people and no bus, for tests of who comes to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, cast

import httpx
import pytest
from fastapi import Depends, FastAPI

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.envelope import Envelope
from services.bus.events import HandoverSeen, MatterChanged, SeenWhat, Team
from services.bus.heard import Heard
from services.bus.memory import MemoryRecord
from services.bus.settings import Settings
from services.handover_feed.board.projection import BOARD
from services.handover_feed.door.context import Board
from services.handover_feed.people import staff
from services.handover_feed.people.site import ROLES
from services.handover_feed.people.visit import Visit, Visited, Watch, may, router
from services.handover_feed.tables import metadata
from services.people.sign_in import link_path
from services.web import problems
from services.web.stream import Few
from tests.people.sites import csrf_of

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
SECRET = "Maya Hartley-Osei"


class Noted:
    """Keeps what would be recorded (acting/seen.py)."""

    def __init__(self) -> None:
        self.entries: list[HandoverSeen] = []

    def note(self, entry: HandoverSeen) -> None:
        self.entries.append(entry)


@pytest.fixture
def at(tmp_path: Path) -> Settings:
    clock = tmp_path / "clock"
    clock.write_text(NOW.isoformat())
    return Settings(data_dir=tmp_path, clock_file=clock)


@pytest.fixture
def board(at: Settings) -> Iterator[Board]:
    """A board with the database alone: neither Kafka nor a loop is asked who somebody is."""
    access = Access(at, "handover-feed")
    for tables in (BOARD.tables, metadata):
        access.run(tables.create_all)
    access.run(BOARD.begin)
    rest = dict.fromkeys((part.name for part in fields(Board)), cast(Any, None))
    known = {"settings": at, "access": access, "clock": Clock.of(at), "seen": cast(Any, Noted()), "streams": Few(20)}
    yield Board(**rest | known)
    access.close()


@pytest.fixture
def application(board: Board) -> FastAPI:
    """The ways in and out, and a page of each kind."""
    app = FastAPI()
    app.state.board = board
    problems.install(app)
    app.router.route_class = router.route_class

    @app.get("/board/matters/{matter_id}")
    async def matter(matter_id: str, visit: Visit) -> str:
        return f"{SECRET} {visit.staff.name}"

    @app.get("/board")
    async def everything(visit: Visit) -> str:
        return SECRET

    @app.get("/board/stream")
    async def stream(visit: Watch) -> str:
        return SECRET

    @app.get("/board/measures")
    async def measures(visit: Annotated[Visited, Depends(may("manager"))]) -> str:
        return "how long it took"

    @app.get("/board/log")
    async def log(visit: Annotated[Visited, Depends(may("auditor"))]) -> str:
        return "who saw what"

    @app.get("/board/nobody")
    async def nobody(visit: Annotated[Visited, Depends(may())]) -> str:
        return SECRET

    app.include_router(router)
    return app


@pytest.fixture
async def client(application: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test") as made:
        yield made


async def named(board: Board, role: str = "worker-night", name: str = "Sam Okafor") -> str:
    team = ROLES[role] or Team.NIGHT
    return await board.access.write(lambda c: staff.add(c, name, "out-of-hours social worker", team, role))


async def signs_in(board: Board, client: httpx.AsyncClient, person_id: str) -> None:
    now_us = board.now_us
    token = await board.access.write(lambda c: staff.new_link(c, person_id, now_us=now_us, minutes=30))
    button = await client.get(link_path(token), follow_redirects=True)
    done = await client.post("/sign-in/link", data={"csrf": csrf_of(button)})
    assert done.headers["location"] == "/", done.text


async def takes(board: Board, person_id: str, *, version: int = 1, taken: bool = True, danger: bool = False) -> None:
    """A matter is theirs, or no more, as the log says it."""
    by = {"person_id": person_id, "name": "Sam Okafor", "post": "social worker", "team": "NIGHT"}
    said = MatterChanged.model_validate(
        {
            "matter_id": "child-1", "child_id": "child-1", "version": version, "changed_at": NOW, "caused_by": "x",
            "state": "TAKEN" if taken else "OPEN", "team": "NIGHT", "taken_by": by if taken else None,
            "taken_at": NOW if taken else None, "location_confidential": False, "declare_no_conflict": False,
            "circumstances": [], "protection_plan": "UNKNOWN", "hazards": [], "protective_instructions": [],
            "adults_of_concern": [], "facts": [], "acts": [], "risk": [], "told": [],
            "interrupts": danger,
        }
    )  # fmt: skip
    said.enveloped(Envelope(f"e-{version}", "urn:safebus:test", said.topic, NOW))
    heard = Heard(MemoryRecord(said.topic, 0, 0, b"", b"", [], 0), event=said, envelope=said.envelope)
    await board.access.write(lambda c: list(BOARD.record(c, [heard])))


def recorded(board: Board) -> list[tuple[str, SeenWhat]]:
    return [(one.person_id, one.what) for one in cast(Noted, board.seen).entries]
