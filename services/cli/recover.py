"""`safebus recover SERVICE`: rebuild its database from the log (services/bus/recovery.py), and show how far it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, MutableMapping
from contextlib import suppress
from typing import Any, Never, TypeVar

import psutil
import structlog
import typer

from services.bus.errors import UserMistake
from services.bus.metrics import HEARD
from services.bus.run import recover as rebuild
from services.bus.settings import Settings, settings
from services.cli.screen import Screen
from services.cli.service import service_of
from services.embedded.files import FileLock
from services.supervisor.rooms import room_of
from services.supervisor.status import hold_path, run_dir, running

T = TypeVar("T")

EVERY = 1.0
"""Seconds between two looks at how far it is."""


def recover(name: str, as_json: bool) -> None:
    """Do it, and say what came of it.

    Raises:
        UserMistake: there is no such service, it runs, or another recovery of it does.
    """
    at, service = settings(), service_of(name)
    run_dir(at).mkdir(parents=True, exist_ok=True, mode=0o700)
    hold = FileLock(hold_path(at, service.name))
    if not hold.acquire():
        raise UserMistake(f"process {hold.holder} is recovering {service.name} already")
    try:
        # From here on no supervisor starts it.
        if (pid := process_of(at, service.name)) is not None:
            raise UserMistake(
                f"{service.name} runs, process {pid}; a recovery is for one that has stopped. A service that needs it "
                "stops by itself and says so in `safebus status`"
            )
        with Screen() as screen:
            done = asyncio.run(watched(service.name, screen, rebuild(service, at)))
    finally:
        hold.release()
    read = events_read(service.name)
    if as_json:
        counts = {"events": read, "replayed": done.replayed, "reused": done.reused, "kept": done.kept}
        typer.echo(json.dumps({"service": service.name} | counts))
    elif done.kept:
        typer.echo(f"{service.name}: its database is sound; what it knew of topics that are gone was dropped")
    else:
        typer.echo(
            f"{service.name} is recovered: {read} events read again, {done.replayed} outputs replayed without sending, "
            f"{done.reused} found in their topics and reused"
        )


def process_of(at: Settings, service: str) -> int | None:
    """The process that runs this service on this machine, whoever started it."""
    told = running(at)
    pids = [process.pid for process in told.processes if process.name == service] if told else []
    with suppress(OSError, ValueError, KeyError):
        pids.append(int(json.loads((run_dir(at) / f"{service}.json").read_text())["pid"]))
    return next((pid for pid in pids if pid is not None and _runs(pid, service)), None)


def events_read(service: str) -> int:
    """How many events this process has heard as that service."""
    samples = (sample for metric in HEARD.collect() for sample in metric.samples)
    return round(sum(s.value for s in samples if s.name.endswith("_total") and s.labels["service"] == service))


def _runs(pid: int, service: str) -> bool:
    # The file that tells of it outlives it, and its number may be a stranger's by now.
    with suppress(psutil.Error):
        words = psutil.Process(pid).cmdline()
        return room_of(service) in words or service in words
    return False


async def watched(service: str, screen: Screen, doing: Awaitable[T]) -> T:
    """Say what a service's loop waits for, or how much it has read, while it recovers or replays."""
    waits = ""

    def heard(_logger: Any, _method: str, said: MutableMapping[str, Any]) -> Never:
        nonlocal waits
        waits = str(said.get("reason", "")) if said.get("event") == "waiting" else ""
        raise structlog.DropEvent

    structlog.configure(processors=[heard], cache_logger_on_first_use=False)
    work = asyncio.ensure_future(doing)
    before = ""
    while not work.done():
        read = events_read(service)
        sentence = f"waiting: {waits}" if waits else f"reading again what {service} has heard: {read} events so far"
        if sentence != before:
            screen.doing(sentence)
            before = sentence
        await asyncio.wait({work}, timeout=EVERY)
    return work.result()
