"""Opens the performance pages: beside whatever computes the figures, or in a process of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.settings import Settings
from services.people.tables import make
from services.performance_data.pages.door.app import application
from services.performance_data.pages.door.context import Computes, ReadingRoom
from services.performance_data.pages.door.kept import Kept
from services.performance_data.pages.people.tables import STORE, metadata
from services.web.serving import Place, listen, serving
from services.web.serving import where as serving_at

DOOR = "performance.json"
"""Below the data directory: where the pages are, for commands on this machine."""


@asynccontextmanager
async def open_pages(at: Settings, figures: Computes) -> AsyncIterator[str]:
    """Serve until the block ends; the address they are served at.

    Raises:
        UserMistake: the port is taken, or there is a certificate without a key.
        Surroundings: the database is away.
    """
    place = place_of(at)
    listening = listen(place)
    async with AsyncExitStack() as stack:
        room = await stack.enter_async_context(reading_room(at, figures))
        yield await stack.enter_async_context(serving(application(room), listening, place, _nothing_is_open))


@asynccontextmanager
async def reading_room(at: Settings, figures: Computes) -> AsyncIterator[ReadingRoom]:
    """What the routes work with, ended with the block."""
    access = Access(at, STORE)
    try:
        await access.write(lambda connection: make(connection, STORE, metadata))
        yield ReadingRoom(at, access, Clock.of(at), Kept(figures))
    finally:
        access.close()


def where(at: Settings) -> str | None:
    """The address of the pages that were opened last in this data directory; None if none are."""
    return serving_at(place_of(at).file)


def place_of(at: Settings) -> Place:
    """Where the settings want them."""
    return Place(
        "the performance pages",
        "PERFORMANCE",
        at.performance_host,
        at.performance_port,
        at.performance_url,
        at.performance_tls_cert,
        at.performance_tls_key,
        at.data_dir / DOOR,
    )


async def _nothing_is_open() -> None:
    """These pages have no streams to end."""
