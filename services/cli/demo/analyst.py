"""The partnership's analyst, who looks at what the demo's figures have become."""

from __future__ import annotations

import sqlalchemy as sa

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.settings import Settings
from services.people.sign_in import link_path
from services.performance_data.pages.door.serve import where
from services.performance_data.pages.people import readers
from services.performance_data.pages.people.tables import STORE

ANALYST, POST = "M. Adeyemi", "partnership analyst"
"""Made up; may sign in at the performance pages in a browser."""

LINK_MINUTES = 30.0


async def sign_in_url(at: Settings) -> str | None:
    """Where the analyst signs in, once; None if the pages are not open, as without the extra `statistics`."""
    address = where(at)
    if address is None:
        return None
    access, now_us = Access(at, STORE), int(Clock.of(at).now().timestamp() * 1_000_000)

    def make(connection: sa.Connection) -> str:
        return readers.new_link(connection, _adeyemi(connection), now_us=now_us, minutes=LINK_MINUTES)

    try:
        return f"{address}{link_path(await access.write(make))}"
    finally:
        access.close()


def _adeyemi(connection: sa.Connection) -> str:
    """The analyst's id; named if a former demo has not done so."""
    for person in readers.people(connection):
        if person.name == ANALYST:
            return str(person.person_id)
    return readers.add(connection, ANALYST, POST, "analyst")
