"""The performance pages over made-up figures, as an application and at a port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import httpx2

from services.bus.settings import Settings
from services.people.sign_in import link_path
from services.performance_data.measures import Figures, Measure, Row, Suppressed
from services.performance_data.pages.door.app import application
from services.performance_data.pages.door.context import ReadingRoom
from services.performance_data.pages.door.serve import reading_room
from services.performance_data.pages.people import readers
from tests.performance_data.pages import made_up


async def computes(months: Sequence[date], *, outside: bool) -> Figures:
    """What was made up; inside, what is suppressed is a 3."""
    made = made_up.figures(tuple(months))
    if outside:
        return made
    return replace(made, outside=False, measures=tuple(_shown(measure) for measure in made.measures))


def _shown(measure: Measure) -> Measure:
    return replace(
        measure, rows=tuple(_row(row) for row in measure.rows), totals=tuple(_row(row) for row in measure.totals)
    )


def _row(row: Row) -> Row:
    names = ("count", "numerator", "denominator", "median", "p90")
    return replace(row, **{name: 3 for name in names if isinstance(getattr(row, name), Suppressed)})  # type: ignore[arg-type]


def settings(folder: Path, **more: object) -> Settings:
    (folder / "clock").write_text(made_up.MADE_AT.isoformat())
    return Settings(data_dir=folder, clock_file=folder / "clock", **more)  # type: ignore[arg-type]


async def link_for(room: ReadingRoom, role: str = "analyst", name: str = "Noor Haddad") -> str:
    """The path by which a new person signs in."""
    now_us = room.now_us

    def add(connection: object) -> str:
        person_id = readers.add(connection, name, "partnership analyst", role)  # type: ignore[arg-type]
        return readers.new_link(connection, person_id, now_us=now_us, minutes=30)  # type: ignore[arg-type]

    return link_path(await room.access.write(add))


@asynccontextmanager
async def visitor(folder: Path, role: str | None = "analyst") -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application; signed in, if a role is given."""
    async with reading_room(settings(folder), computes) as room:
        transport = httpx2.ASGITransport(application(room))
        async with httpx2.AsyncClient(transport=transport, base_url="http://pages", follow_redirects=True) as client:
            client.headers["accept"] = "text/html"
            if role:
                page = await client.get(await link_for(room, role))
                csrf = page.text.split('name="csrf" value="')[1].split('"')[0]
                await client.post("/sign-in/link", data={"csrf": csrf})
            yield client
