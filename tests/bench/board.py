"""The handover board on a bad night, beside an empty one: 500 open matters and 50 viewers, seen by a real browser.

Time to the first card, and from the commit of a matter of immediate danger to its being painted. Each side is a process
of its own, so that the viewers and the browser do not cost the board's time more than they must.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import uvloop
from playwright.async_api import Page, async_playwright

from services.bus.events import Team
from services.bus.logs import configure
from services.bus.run import tune_the_interpreter
from services.bus.settings import Settings
from services.handover_feed.door.app import application
from services.handover_feed.door.context import Board
from services.handover_feed.door.serve import board_for, place_of
from services.handover_feed.people import staff
from services.people.sign_in import link_path
from services.web.serving import listen, serving
from tests.browser import CHROMIUM, FLAGS
from tests.handover_feed.cards import card, fact, risks
from tests.handover_feed.conftest import tell

MATTERS, VIEWERS, TIMES = 500, 50, 15
CSRF = re.compile(r'name="csrf" value="([^"]+)"')

PAINTED = """() => { window.painted = []; new MutationObserver(() => requestAnimationFrame(() => setTimeout(() =>
    window.painted.push(performance.timeOrigin + performance.now())))).observe(document.getElementById('danger'),
    {childList: true, subtree: true, attributes: true}); }"""


async def board() -> dict[str, float]:
    """Medians in milliseconds: `empty` and `full`, each `first` (card, or what an empty page says) and `update`.

    Needs a broker and a registry with the catalogue applied, where the settings say.

    Raises:
        SystemExit: there is no Chromium.
    """
    if shutil.which(CHROMIUM) is None:
        raise SystemExit("the board is measured in a browser, and there is no Chromium here")
    found: dict[str, float] = {}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for side, matters, viewers in (("empty", 0, 0), ("full", MATTERS, VIEWERS)):
            async with AsyncExitStack() as stack:
                process, told = await stack.enter_async_context(_served(matters, viewers))
                for link in told["links"][1:]:
                    await stack.enter_async_context(_viewer(told["address"], link))
                page = await (await browser.new_context(bypass_csp=True)).new_page()  # its own questions are scripts
                await page.goto(told["address"] + told["links"][0])
                await page.get_by_role("button", name="Sign in").click()
                await page.wait_for_url("**/board**")
                found[f"{side} first"] = await _first(page, told["address"])
                found[f"{side} update"] = await _updates(page, process)
        await browser.close()
    return found


async def _first(page: Page, address: str) -> float:
    taken = []
    for _ in range(TIMES):
        await page.goto(f"{address}/board", wait_until="load")
        await page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
        taken.append(float(await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")))
    return median(taken)


async def _updates(page: Page, process: asyncio.subprocess.Process) -> float:
    assert process.stdin
    assert process.stdout
    await page.evaluate(PAINTED)
    taken = []
    for n in range(TIMES):
        await asyncio.sleep(0.2)
        await page.evaluate("window.painted.length = 0")
        process.stdin.write(b"\n")
        committed = float(await process.stdout.readline())
        await page.wait_for_function("window.painted.length > 0", timeout=10_000)
        if n:  # the first finds everything cold
            taken.append(float(await page.evaluate("window.painted[0]")) - committed * 1000)
    return median(taken)


@asynccontextmanager
async def _viewer(address: str, link: str) -> AsyncIterator[None]:
    """Somebody else who has the board open."""
    async with httpx.AsyncClient(base_url=address, follow_redirects=True) as client:
        asked = CSRF.search((await client.get(link)).text)
        assert asked
        await client.post("/sign-in/link", data={"csrf": asked[1]})
        reading = asyncio.create_task(_read(client))
        yield
        reading.cancel()


async def _read(client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "/board/stream", timeout=None) as answer:
        async for _ in answer.aiter_bytes():
            pass


@asynccontextmanager
async def _served(matters: int, viewers: int) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    """The board as a process, and the first line that it says."""
    command = (sys.executable, "-m", "tests.bench.board", str(matters), str(viewers + 1))
    environment = os.environ | {"SAFEBUS_LOG_LEVEL": "ERROR"}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdin=pipe, stdout=pipe, limit=1 << 20)
    assert process.stdout
    try:
        yield process, json.loads(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()


async def _serve(matters: int, people: int) -> None:
    """A board without its loop: what the loop does with a card is done here, for each line."""
    with tempfile.TemporaryDirectory() as folder:
        at = Settings(data_dir=Path(folder), board_port=0, secrets_file=Settings().secrets_path)
        configure(at)
        tune_the_interpreter()
        place = place_of(at)
        async with (
            board_for(at) as made,
            serving(application(made), listen(place), place, made.hub.close) as address,
        ):
            await tell(made, *(card(f"child-{n}", facts=_facts(n), risk=risks(grading=n % 4)) for n in range(matters)))
            links = await made.access.write(lambda connection: [_link(made, connection, n) for n in range(people)])
            _say(json.dumps({"address": address, "links": links}))
            n = 0
            while await asyncio.to_thread(sys.stdin.readline):
                n += 1
                await tell(made, card(f"danger-{n}", interrupts=True, risk=risks(immediate_danger=2)))
                _say(str(time.time()))


def _facts(n: int) -> list[Any]:
    return [fact(f"fact-{n}-{k}", words="Officers attended after a neighbour heard shouting. " * 4) for k in range(3)]


def _link(board: Board, connection: Any, n: int) -> str:
    person = staff.add(connection, f"Worker {n}", "out-of-hours social worker", Team.NIGHT, "worker-night")
    return link_path(staff.new_link(connection, person, now_us=board.now_us, minutes=60))


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
