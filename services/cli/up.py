"""`safebus up`: the supervisor in the foreground, or behind."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from services.bus.errors import Surroundings, UserMistake
from services.bus.settings import Settings, settings
from services.cli.screen import Screen
from services.cli.signals import ends_in_good_order
from services.cli.status import NOT_ALL_READY, table
from services.embedded.download import artifacts
from services.supervisor.servers import servers
from services.supervisor.status import Status, running
from services.supervisor.supervisor import Supervisor

PATIENCE = 180.0
"""Seconds in which everything should be ready; it goes on after that, and says what is late."""
LOOK = 0.2


def foreground(external: bool, brokers: int) -> int:
    """Until a signal. Its exit code."""
    at = settings()
    if other := running(at):
        return _already(other, brokers)
    with Screen() as screen:
        return asyncio.run(_serve(at, external, brokers, screen))


async def _serve(at: Settings, external: bool, brokers: int, screen: Screen) -> int:
    up = Supervisor(
        at, external=external, brokers=brokers, say=screen.doing, news=lambda said: screen.news(said, "yellow")
    )
    work = asyncio.create_task(_stay(up, screen))
    ends_in_good_order(work, up.hurry)
    with suppress(asyncio.CancelledError):
        await work
    screen.still()
    screen.news("safebus is down")
    return 0


async def _stay(up: Supervisor, screen: Screen) -> None:
    began = time.monotonic()
    async with up:
        how = "ready"
        try:
            await up.ready(PATIENCE)
        except Surroundings as late:
            how = "up"
            screen.news(f"{late}; it goes on trying", "yellow")
        screen.still()
        _show(up.status())
        screen.news(f"{how} after {time.monotonic() - began:.1f} s; Ctrl-C, or `safebus down`, stops everything")
        await asyncio.Event().wait()


def detached(external: bool, brokers: int) -> int:
    """A supervisor of its own session; returns once all is ready, or says what is not. The exit code."""
    at = settings()
    if other := running(at):
        return _already(other, brokers)
    if not external and servers(at, print, brokers):
        asyncio.run(artifacts())  # here, where a person sees how far the download is
    log = at.data_dir / "logs" / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [sys.executable, "-P", "-m", "services.cli", "up", f"--brokers={brokers}"]
    command += ["--external"] if external else []
    with log.open("w") as out:
        child = subprocess.Popen(  # noqa: S603 - ourselves
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    with Screen() as screen:
        try:
            return _follow(at, child, log, screen)
        except KeyboardInterrupt:
            child.terminate()  # who does not want to wait for it does not want it
            screen.doing("stopping")
            child.wait()
            raise


def _follow(at: Settings, child: subprocess.Popen[bytes], log: Path, screen: Screen) -> int:
    until = time.monotonic() + PATIENCE
    doing = ""
    while (code := child.poll()) is None:
        told = running(at)
        if told is not None and told.pid == child.pid:
            if told.ready or told.stuck or time.monotonic() > until:
                screen.still()
                _show(told)
                return 0 if told.ready else NOT_ALL_READY
            if told.doing not in ("", doing):
                doing = told.doing
                screen.doing(doing)
        time.sleep(LOOK)
    screen.still()
    last = log.read_text("utf-8").strip().splitlines()
    print(last[-1] if last else f"it ended at once; its log is {log}", file=sys.stderr)  # noqa: T201
    return code


def _already(other: Status, brokers: int) -> int:
    if other.brokers not in (0, brokers):
        raise UserMistake(
            f"safebus is up already, process {other.pid}, with another number of brokers than {brokers}; `safebus "
            "status` shows how it is, `safebus down` ends it"
        )
    _show(other)
    Screen().news("safebus was up already; nothing was started")
    return 0 if other.ready else NOT_ALL_READY


def _show(told: Status) -> None:
    console = Console(highlight=False)
    console.print(*table(told, console.width), sep="\n")
