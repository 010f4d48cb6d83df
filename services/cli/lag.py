"""`safebus lag`: how far each group is behind, worst first; from the monitor, or from the broker itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import httpx
import typer
from pydantic import TypeAdapter
from rich.console import Console, Group
from rich.live import Live

from services.bus.errors import EXIT_TRY_AGAIN
from services.bus.settings import Settings, settings
from services.cli.lag_shown import Seen, shown, worst_first
from services.cli.screen import Screen
from services.lag_monitor.judge import GLANCE
from services.lag_monitor.lag import Snapshot
from services.lag_monitor.watch import NAME, Watch
from services.supervisor.status import ProcessStatus, run_dir, running

NOT_OK: Final = 3
EVERY: Final = 2.0
"""Seconds between two looks with --watch."""
LOOKS, APART = 4, 1.5
"""Without a monitor, so many looks, so many seconds apart: what moves and what stands shows only in time."""
STALE: Final = timedelta(seconds=15)

_SNAPSHOT = TypeAdapter(Snapshot)


class Source:
    """The monitor's latest snapshot, as long as one runs here; else an observer of our own, kept while it is used."""

    def __init__(self, at: Settings) -> None:
        self._at = at
        self._own: Watch | None = None
        self._monitor: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        self._monitor = httpx.AsyncClient(timeout=3, trust_env=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._monitor is not None:
            await self._monitor.aclose()
        if self._own is not None:
            await self._own.close()

    async def look(self, screen: Screen) -> Seen:
        """
        Raises:
            NotPermitted: there is no monitor, and the broker refuses us.
        """
        if (told := await self._told()) is not None:
            return Seen(told, by_monitor=True)
        if self._own is None:
            self._own = Watch(self._at, pace=GLANCE)
            screen.doing("no lag monitor runs here: asking the broker itself, over a few seconds")
            looks = LOOKS
        else:
            looks = 1
        found = await self._own.look()
        while (looks := looks - 1) and found.fault is None:
            await asyncio.sleep(APART)
            found = await self._own.look()
        screen.still()
        return Seen(found, by_monitor=False)

    async def _told(self) -> Snapshot | None:
        """What the monitor saw last; None if none runs here, or it has stopped looking."""
        assert self._monitor is not None
        try:
            port = int(json.loads((run_dir(self._at) / f"{NAME}.json").read_text("utf-8"))["port"])
            answer = await self._monitor.get(f"http://{self._at.http_host}:{port}/lag")
            if answer.status_code != httpx.codes.OK:
                return None
            found = _SNAPSHOT.validate_json(answer.content)
        except (OSError, ValueError, KeyError, TypeError, httpx.HTTPError):
            return None
        return found if datetime.now(UTC) - found.at < STALE else None


def once(as_json: bool, partitions: bool) -> int:
    """Show it; the exit code."""
    return asyncio.run(_once(as_json, partitions))


def watch(as_json: bool, partitions: bool) -> int:
    """Show it until Ctrl-C: in place at a terminal, otherwise again whenever it has changed."""
    with suppress(KeyboardInterrupt):
        asyncio.run(_watch(as_json, partitions))
    return 0


async def _once(as_json: bool, partitions: bool) -> int:
    with Screen() as screen:
        async with Source(settings()) as source:
            seen = await source.look(screen)
    if as_json:
        typer.echo(json.dumps(as_object(seen), indent=2))
    else:
        Console(highlight=False).print(*shown(seen, partitions, processes()), sep="\n")
    return exit_code(seen.snapshot)


async def _watch(as_json: bool, partitions: bool) -> None:
    console = Console(highlight=False)
    with Screen() as screen:
        async with Source(settings()) as source:
            seen = await source.look(screen)
            if as_json or not console.is_terminal:
                while True:
                    line = json.dumps(as_object(seen)) if as_json else None
                    typer.echo(line) if line else console.print(*shown(seen, partitions, processes()), sep="\n")
                    await asyncio.sleep(EVERY)
                    seen = await source.look(screen)
            with Live(console=console, auto_refresh=False, screen=True) as live:
                while True:
                    live.update(Group(*shown(seen, partitions, processes())), refresh=True)
                    await asyncio.sleep(EVERY)
                    seen = await source.look(screen)


def exit_code(found: Snapshot) -> int:
    """0 when everything is ok, 3 when not, 75 when the broker could not be asked."""
    if found.fault is not None:
        return EXIT_TRY_AGAIN
    return 0 if found.ok else NOT_OK


def as_object(seen: Seen) -> dict[str, Any]:
    """For a program: everything, with the numbers as the dataclasses of lag.py have them."""
    told: dict[str, Any] = _SNAPSHOT.dump_python(seen.snapshot, mode="json")
    told["groups"] = [
        as_said | {"lost": group.lost}
        for group, as_said in sorted(
            zip(seen.snapshot.groups, told["groups"], strict=True), key=lambda both: worst_first(both[0])
        )
    ]
    return {"ok": seen.snapshot.ok, "seen_by": NAME if seen.by_monitor else "this command"} | told


def processes() -> Mapping[str, ProcessStatus]:
    """What a supervisor on this machine says of each process, by name."""
    told = running(settings())
    return {process.name: process for process in told.processes} if told is not None else {}
