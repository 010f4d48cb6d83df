"""The pages as they are served: to named people alone, each role what it may, every error a page."""

from __future__ import annotations

import csv
import re
from io import StringIO
from pathlib import Path

import pytest

from services.performance_data.measures import Figures
from services.performance_data.pages import words
from services.performance_data.pages.asked import MOST
from services.performance_data.pages.door.kept import Kept
from services.performance_data.pages.people import readers
from tests.performance_data.pages import made_up
from tests.performance_data.pages.house import computes, visitor

YEAR, MONTH = "/performance/2025-12..2026-11", "/performance/2026-10"
EVERY = (
    "/",
    YEAR,
    f"{YEAR}/all.csv",
    f"{MONTH}/report.html",
    f"{MONTH}?numbers=all",
    "/performance?from=2026-10&to=2026-10",
)


@pytest.mark.parametrize("path", EVERY)
async def test_nobody_sees_anything_without_a_session(tmp_path: Path, path: str) -> None:
    """Whatever is asked for leads to the sign-in page (H10), and none of it is kept by a browser."""
    async with visitor(tmp_path, None) as client:
        page = await client.get(path)
        assert page.url.path == "/sign-in"
        assert page.headers["cache-control"] == "no-store"
        assert "Police notifications" not in page.text


async def test_a_person_who_is_removed_is_signed_out(tmp_path: Path) -> None:
    """At once."""
    async with visitor(tmp_path) as client:
        assert (await client.get(YEAR)).url.path == YEAR
        room = client._transport.app.state.reading_room  # type: ignore[attr-defined]
        (person,) = await room.access.read(readers.people)
        await room.access.write(lambda c: readers.remove(c, person.person_id, now_us=room.now_us))
        assert (await client.get(YEAR)).url.path == "/sign-in"


async def test_the_first_page_is_the_last_twelve_months(tmp_path: Path) -> None:
    """The month that is not over is among them, and is marked."""
    async with visitor(tmp_path) as client:
        page = await client.get("/")
        assert page.url.path == YEAR
        assert "November 2026 is not over: its figures are provisional." in page.text


async def test_each_measure_says_what_it_means_and_answers_to(tmp_path: Path) -> None:
    """Its meaning, the finding and what it found, how it was computed; and when, for all of them."""
    async with visitor(tmp_path) as client:
        text = (await client.get(MONTH)).text
    for measure in made_up.figures().measures:
        assert measure.title in text
        assert measure.meaning in text
        assert all(answer in text for answer in words.answers(measure.source))
    assert "Computed on Monday 23 November 2026 at 8:45am." in text
    assert text.count("Median: half of them took no longer.") == 2


async def test_an_analyst_alone_may_ask_for_small_numbers(tmp_path: Path) -> None:
    """And then page, report and CSV say that they must stay inside, the file by its name as well."""
    async with visitor(tmp_path) as client:
        page = await client.get(f"{MONTH}?numbers=all")
        assert "for inside the partnership only" in page.text
        assert words.SUPPRESSED not in page.text
        assert f'{MONTH}/all.csv?numbers=all"' in page.text
        file = await client.get(f"{MONTH}/all.csv?numbers=all")
        assert "INSIDE-ONLY" in file.headers["content-disposition"]
        assert {line["note"] for line in csv.DictReader(StringIO(file.text))} == {
            "small numbers are not suppressed: for inside the partnership only"
        }
    async with visitor(tmp_path, "manager") as client:
        for path in (f"{MONTH}?numbers=all", f"{MONTH}/all.csv?numbers=all", f"{MONTH}/report.html?numbers=all"):
            assert (await client.get(path)).status_code == 403
        assert "Small numbers</label>" not in (await client.get(MONTH)).text
        page = await client.get("/performance?from=2026-10&to=2026-10&numbers=all")
        assert words.SUPPRESSED in page.text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "Choose a first and a last month"),
        ("from=2026-10", "Choose a first and a last month"),
        ("from=2026-13&to=2026-10", "Choose a first and a last month"),
        ("from=2026-10&to=2026-01", "must not be before the first"),
        ("from=2026-10&to=2031-01", "Choose months that have begun"),
        ("from=2020-01&to=2026-10", f"Choose {MOST} months or fewer"),
        ("from=<script>&to='\"", "Choose a first and a last month"),
    ],
)
async def test_a_period_that_there_is_not_is_told_in_a_sentence(tmp_path: Path, query: str, said: str) -> None:
    """Beside the fields, which are still there."""
    async with visitor(tmp_path) as client:
        page = await client.get(f"/performance?{query}")
    assert page.status_code == 400
    assert said in page.text
    assert 'name="from"' in page.text
    assert "<script>" not in page.text


@pytest.mark.parametrize(
    "path", ["/performance/2026-1", "/performance/2026-10..2026-01", "/performance/0000-00", "/nothing",
             f"{MONTH}/no_such_measure.csv", "/performance/../../etc/passwd", "/performance/9999-12"],
)  # fmt: skip
async def test_an_address_that_leads_nowhere_is_a_page(tmp_path: Path, path: str) -> None:
    """In words, with a way on: to the figures, or to signing in where there was never a page."""
    async with visitor(tmp_path) as client:
        page = await client.get(path)
    assert page.status_code == 404
    assert re.search(r'<a href="/(sign-in)?">Go to the (performance pages|sign-in page)</a>', page.text)


async def test_figures_are_computed_once_a_minute() -> None:
    """A page, its CSV and a second reader cost one computation; other months, or for inside, another."""
    asked: list[object] = []

    async def counted(months: object, *, outside: bool) -> Figures:
        asked.append((months, outside))
        return await computes(months, outside=outside)  # type: ignore[arg-type]

    kept = Kept(counted)
    first = await kept(made_up.YEAR, outside=True)
    assert await kept(list(made_up.YEAR), outside=True) is first
    assert not (await kept(made_up.YEAR, outside=False)).outside
    assert len(asked) == 2
    at_once = Kept(counted, seconds=-1)
    assert await at_once(made_up.YEAR, outside=True) is not await at_once(made_up.YEAR, outside=True)
