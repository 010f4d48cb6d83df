"""`safebus restart PROCESS`: end one in good order, and wait until the supervisor's next one is ready."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import typer

from services.bus.errors import Surroundings, UserMistake
from services.bus.settings import Settings, settings
from services.cli.screen import Screen
from services.cli.status import absent
from services.supervisor.status import ProcessStatus, running

WITHIN = 120.0
"""Seconds in which a process is ready again; one that is not says in `safebus status` what it waits for."""
LOOK = 0.1


def restart(name: str) -> None:
    """Do it, and say so.

    Raises:
        UserMistake: safebus is not up, there is no such process, or it is another person's.
        Surroundings: it is not ready again in time.
    """
    at = settings()
    name = name.replace("_", "-")
    before = _process(at, name)
    with suppress(ProcessLookupError):
        try:
            if before.pid is not None:
                os.kill(before.pid, signal.SIGTERM)
        except PermissionError:
            raise UserMistake(f"{name} runs as another user; ask that user to restart it") from None
    until, now, doing = time.monotonic() + WITHIN, before, ""
    with Screen() as screen:
        while now.pid in (None, before.pid) or now.state != "ready":
            if time.monotonic() > until or now.state == "stopped":
                raise Surroundings(f"{name} is not ready again: {now.why or now.state}; see {now.log}")
            if (said := f"{name}: {now.why or ('stopping' if now.pid == before.pid else now.state)}") != doing:
                screen.doing(doing := said)
            time.sleep(LOOK)
            now = _process(at, name)
    typer.echo(f"{name} runs again, process {now.pid}")


def _process(at: Settings, name: str) -> ProcessStatus:
    told = running(at)
    if told is None:
        raise UserMistake(absent(at))
    for process in told.processes:
        if process.name == name:
            return process
    names = ", ".join(process.name for process in told.processes)
    raise UserMistake(f"there is no process {name}; there are {names}")
