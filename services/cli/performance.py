"""`safebus performance rebuild` and `safebus report`: the partnership's performance data, made anew and read."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Annotated

import psutil
import typer

from services.bus.calendar import local
from services.bus.clock import Clock
from services.bus.errors import Surroundings, UserMistake
from services.bus.settings import Settings, settings
from services.cli import performance_people
from services.cli.recover import process_of
from services.cli.screen import Screen
from services.embedded.files import FileLock
from services.performance_data.answering import AS_JSON, months_of
from services.performance_data.asking import figures
from services.performance_data.hearing import NAME
from services.performance_data.measures import Figures
from services.supervisor.process import ServiceProcess
from services.supervisor.readiness import port_of, state_of
from services.supervisor.rooms import commands, environment, left_out
from services.supervisor.status import hold_path, run_dir, running

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="The partnership's performance data.")
app.add_typer(performance_people.app)

LOOK = 0.5
STOPS_WITHIN = 30.0
"""Seconds in which the running process ends when it is asked to."""
PATIENCE = 3600.0
"""Seconds in which the log is read again; a million events take ten minutes."""


@app.command()
def rebuild(as_json: Annotated[bool, typer.Option("--json", help="JSON instead of words.")] = False) -> None:
    """Throw away what is kept and compute everything anew from the log. Nobody is told anything by it.

    Until it is done there are no figures. Exit code 0 once everything has been read again.
    """
    at = settings()
    for sentence in left_out(at).values():
        raise UserMistake(sentence)
    began = time.monotonic()
    with Screen() as screen:
        _forget(at, screen)
        asyncio.run(_read_again(at, screen))
    took = time.monotonic() - began
    if as_json:
        typer.echo(json.dumps({"rebuilt": True, "seconds": round(took, 1)}))
    else:
        typer.echo(f"the performance data were made anew from the log in {took:.0f} s")


def _forget(at: Settings, screen: Screen) -> None:
    """End the process, if one runs, and throw away what it keeps; meanwhile no supervisor starts it again."""
    from services.performance_data.rebuilding import forget

    run_dir(at).mkdir(parents=True, exist_ok=True, mode=0o700)
    hold = FileLock(hold_path(at, NAME))
    if not hold.acquire():
        raise UserMistake(f"process {hold.holder} is rebuilding the performance data already")
    try:
        pid = process_of(at, NAME)
        if pid is not None and running(at) is None:
            raise UserMistake(f"{NAME} runs, process {pid}, and nothing would start it again; end it first")
        if pid is not None:
            screen.doing(f"ending {NAME}, process {pid}")
            _end(pid)
        screen.doing("throwing away what is kept")
        asyncio.run(forget(at))
    finally:
        hold.release()


def _end(pid: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOPS_WITHIN)
        except psutil.TimeoutExpired:
            raise Surroundings(f"process {pid} does not end; try again") from None


async def _read_again(at: Settings, screen: Screen) -> None:
    """By the process that the supervisor starts; where none runs, by one of ours, which ends with it."""
    own = None
    if running(at) is None:
        log = (at.data_dir / "logs" / f"{NAME}.log").absolute()
        own = ServiceProcess(commands(at)[NAME], environment(at, {}), log, stop_timeout=at.stop_timeout + 2)
        await own.start()
    try:
        async with asyncio.timeout(PATIENCE):
            await _ready(at, own, screen)
    except TimeoutError:
        raise Surroundings("the log is still being read; `safebus status` shows how far it is") from None
    finally:
        if own is not None:
            await own.stop()


async def _ready(at: Settings, own: ServiceProcess | None, screen: Screen) -> None:
    before = ""
    while True:
        pid = own.pid if own is not None else process_of(at, NAME)
        if own is not None and not psutil.pid_exists(pid or 0):
            raise Surroundings(f"{NAME} ended; its log is {own.log}")
        port = port_of(NAME, pid, run_dir(at))
        if port is not None:
            state, why, *_ = await state_of(at.http_host, port)
            if state == "ready":
                return
            if why not in ("", before):
                screen.doing(why)
                before = why
        await asyncio.sleep(LOOK)


def report(
    month: str | None,
    to: str | None,
    *,
    every_number: bool,
    as_html: Path | None,
    as_csv: Path | None,
    as_json: bool,
) -> None:
    """Print the report of these months, or write it to files.

    Raises:
        UserMistake: they are no months, or not begun; or a file cannot be written.
        Surroundings: not everything has been read yet.
    """
    at = settings()
    months = _months(month, to, _today(at))
    told = asyncio.run(figures(at, months, outside=not every_number))
    if as_json:
        typer.echo(AS_JSON.dump_json(told, indent=2).decode())
    elif as_html is not None or as_csv is not None:
        from services.performance_data.pages import export
        from services.performance_data.pages.report import html

        if as_html is not None:
            _write(as_html, html(told), told)
        if as_csv is not None:
            _write(as_csv, export.text(told), told)
    else:
        from services.performance_data.pages.report import render

        typer.echo(render(told, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ), nl=False)


def _write(path: Path, text: str, told: Figures) -> None:
    try:
        path.write_text(text, "utf-8", newline="")
    except OSError as error:
        raise UserMistake(f"{path} cannot be written: {error.strerror}") from None
    kept = "" if told.outside else "; it holds small numbers, and must not leave the partnership"
    typer.echo(f"the figures stand in {path}{kept}")


def _today(at: Settings) -> date:
    here = local(Clock.of(at).now())
    assert here is not None, "today is in the calendar"
    return here.date()


def _months(month: str | None, to: str | None, today: date) -> tuple[date, ...]:
    """From the one to the other, both included; by default the last whole month."""
    if month is None and to is not None:
        raise UserMistake("--to needs --month, the first of the months")
    try:
        [first] = months_of(month) if month else [_before(today.replace(day=1))]
        [last] = months_of(to) if to else [first]
    except ValueError as error:
        raise UserMistake(f"{error}" if "no month" in str(error) else "one month each, as in 2026-10") from None
    if first > last:
        raise UserMistake(f"{first:%Y-%m} comes after {last:%Y-%m}")
    if last > today:
        raise UserMistake(f"{last:%Y-%m} has not begun")
    months = [last]
    while months[0] > first:
        months.insert(0, _before(months[0]))
    return tuple(months)


def _before(month: date) -> date:
    return month.replace(year=month.year - 1, month=12) if month.month == 1 else month.replace(month=month.month - 1)
