"""Whether an inbox of a million entries pages as fast as one of a thousand."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from statistics import median

import sqlalchemy as sa

from services.bus.access import Access
from services.bus.settings import Settings
from services.partner_gateway.inbox import reading
from services.partner_gateway.inbox.projection import INBOXES
from services.partner_gateway.inbox.tables import entry
from services.partner_gateway.tables import metadata
from tests.bench.made_up import START

SHORT, LONG, PAGE = 1_000, 1_000_000, 100


async def pages(times: int = 300) -> dict[str, float]:
    """Milliseconds for a page of 100 from anywhere, the median, of the `short` and of the `long` inbox, by turns."""
    with tempfile.TemporaryDirectory(prefix="safebus-pages-") as folder:
        access = Access(Settings(data_dir=Path(folder)), "partner-gateway")
        for tables in (INBOXES.tables, metadata):
            access.run(tables.create_all)
        access.run(INBOXES.begin)
        sizes = {"school:1": SHORT, "la:825": LONG}
        for organisation, size in sizes.items():
            for start in range(0, size, 50_000):
                access.run(lambda c, o=organisation, s=start, n=size: _fill(c, o, s, min(s + 50_000, n)))  # type: ignore[misc]
        taken: dict[str, list[float]] = {organisation: [] for organisation in sizes}
        now_us = int(START.timestamp() * 1_000_000)
        for _ in range(times):
            for organisation, size in sizes.items():
                after = random.randrange(size - PAGE)
                began = time.perf_counter()
                found = await access.read(lambda c, o=organisation, a=after: reading.entries(c, o, a, PAGE, now_us))  # type: ignore[misc]
                taken[organisation].append((time.perf_counter() - began) * 1000)
                assert len(found) == PAGE
        access.close()
    return {"short": median(taken["school:1"]), "long": median(taken["la:825"])}


def _fill(connection: sa.Connection, organisation: str, first: int, end: int) -> None:
    rows = [
        {
            "organisation": organisation, "number": n + 1, "disclosure_id": f"{organisation}-{n}",
            "type": "encompass.alerts.v1", "event_id": f"{organisation}-{n}", "source": "urn:safebus:encompass-alerts",
            "time_us": n, "correlation": f"urn:test {n}", "child_id": "child-1", "role": "SCHOOL", "due_us": None,
            "declare_no_conflict": False, "location_confidential": False, "content": b'{"what": "%d"}' % n,
        }
        for n in range(first, end)
    ]  # fmt: skip
    connection.execute(entry.insert(), rows)
