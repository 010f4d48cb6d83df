"""`safebus down`: ask the supervisor to stop, and wait until it has."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import psutil
import typer

from services.bus.errors import Surroundings, UserMistake
from services.bus.settings import settings
from services.cli.screen import Screen
from services.supervisor.status import holder_of, lock_path, running

MARGIN = 45.0
"""Seconds beyond the services' own time: Kafka and the registry have theirs, and so has a start that is under way."""
LAST_MOMENT = 5.0
LOOK = 0.1


def down() -> int:
    """Its exit code: 0 also if nothing ran.

    Raises:
        UserMistake: it is another person's process.
        Surroundings: it is still stopping.
    """
    at = settings()
    told = running(at)
    with Screen() as screen:
        if told is None:
            typer.echo(f"nothing to stop: safebus is not up in {at.data_dir}")
            return 0
        try:
            with suppress(ProcessLookupError):
                os.kill(told.pid, signal.SIGTERM)
        except PermissionError:
            raise UserMistake(f"process {told.pid} runs safebus as another user; ask that user to stop it") from None
        until, doing = time.monotonic() + at.stop_timeout + MARGIN, ""
        while holder_of(lock_path(at)) == told.pid:
            now = running(at)
            if now is not None and now.doing not in ("", doing):
                doing = now.doing
                screen.doing(doing)
            if time.monotonic() > until:
                raise Surroundings(
                    f"process {told.pid} is still {doing or 'stopping'}; wait, or end it with `kill -9 {told.pid}`, "
                    "by which nothing is lost"
                )
            time.sleep(LOOK)
        _until_gone(told.pid)
        screen.still()
        typer.echo(f"safebus is down; {len(told.processes)} processes were stopped")
    return 0


def _until_gone(pid: int) -> None:
    """It has let go of everything, and needs a moment more to end; one that does something else besides is let be."""
    until = time.monotonic() + LAST_MOMENT
    with suppress(psutil.NoSuchProcess):
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
            time.sleep(LOOK)
