"""`safebus status`: how each process is."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psutil
import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from services.bus.settings import Settings, settings
from services.supervisor.status import ProcessStatus, Status, last_told, running

NOT_ALL_READY: Final = 1
EVERY: Final = 1.0
"""Seconds between two looks with --watch."""
WHOLE: Final = 80
"""Columns of a terminal in which every cell stands."""
CELLS: Final = ("process", "state", "pid", "MiB", "up for", "restarts", "/metrics")
RIGHT: Final = ("pid", "MiB", "up for", "restarts")
_STYLES: Final = {
    "ready": "green",
    "starting": "yellow",
    "waiting": "yellow",
    "restarting": "red",
    "stopped": "bold red",
}


def once(as_json: bool) -> int:
    """Show it, and the exit code: 0 if everything is ready."""
    at = settings()
    told = running(at)
    if as_json:
        typer.echo(json.dumps(as_object(told), indent=2))
    else:
        _print(Console(highlight=False), at, told)
    return 0 if told is not None and told.ready else NOT_ALL_READY


def watch(as_json: bool) -> int:
    """Show it until Ctrl-C: in place at a terminal, otherwise again whenever it has changed."""
    at, console = settings(), Console(highlight=False)
    try:
        if as_json or not console.is_terminal:
            _whenever_it_changes(at, console, as_json)
        with Live(console=console, auto_refresh=False, screen=True) as live:
            while True:
                told = running(at)
                live.update(Group(*table(told, console.width)) if told else Text(absent(at)), refresh=True)
                time.sleep(EVERY)
    except KeyboardInterrupt:
        return 0


def _whenever_it_changes(at: Settings, console: Console, as_json: bool) -> None:
    before: Status | str | None = "nothing yet"
    while True:
        told = running(at)
        if told != before and as_json:
            typer.echo(json.dumps(as_object(told)))
        elif told != before:
            _print(console, at, told)
        before = told
        time.sleep(EVERY)


def _print(console: Console, at: Settings, told: Status | None) -> None:
    if told is None:
        console.print(absent(at), soft_wrap=True)
    else:
        console.print(*table(told, console.width), sep="\n")


def absent(at: Settings) -> str:
    """What is said where no supervisor runs."""
    if before := last_told(at):
        return (
            f"safebus is not up: process {before.pid}, which ran it in {at.data_dir}, was killed; `safebus up` starts "
            "it again, and nothing was lost"
        )
    return f"safebus is not up in {at.data_dir}; `safebus up` starts it"


def table(told: Status, width: int = WHOLE) -> tuple[Text, Table, Text]:
    """A line about the whole, one for each process, and where to look further, within so many columns of a terminal.

    A narrow one gets fewer cells rather than every cell cut off; --json has them all.
    """
    ready = sum(process.state == "ready" for process in told.processes)
    word = {"starting": "is starting", "up": "is up", "stopping": "is stopping"}[told.state]
    head = Text.assemble(
        (f"safebus {word}", "bold"),
        f", {ready} of {len(told.processes)} processes ready, process {told.pid} for {_since(told.since)}",
        f"; {told.doing}" if told.doing else "",
    )
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    names = [name for name in CELLS if width >= WHOLE or name not in ("pid", "MiB", "/metrics")]
    for name in names:
        shown.add_column(name, justify="right" if name in RIGHT else "left", no_wrap=True)
    for process in told.processes:
        cells = _cells(process)
        shown.add_row(*(cells[name] for name in names))
    notes = Text.assemble(*(f"{process.name} {note}\n" for process in told.processes for note in _notes(process)))
    where = f"Kafka {told.bootstrap_servers}, registry {told.registry_url}\nlogs {_logs(told)}"
    if page := _ops_page(told):
        where += f"\noperators' page {page}"
    return head, shown, notes.append(where, "dim")


def _cells(process: ProcessStatus) -> dict[str, Text | str]:
    return {
        "process": process.name,
        "state": Text(process.state, _STYLES[process.state]),
        "pid": str(process.pid or ""),
        "MiB": str(memory_mib(process.pid) or ""),
        "up for": _since(process.since) if process.since else "",
        "restarts": str(process.restarts or ""),
        "/metrics": (process.address or "").removeprefix("http://") if _is_service(process) else "",
    }


def as_object(told: Status | None) -> dict[str, Any]:
    """For a program: the supervisor's own words, with the memory that each process has now."""
    if told is None:
        return {"state": "down", "ready": False, "processes": []}
    said: dict[str, Any] = told.model_dump(mode="json")
    for process in said["processes"]:
        process["memory_mib"] = memory_mib(process["pid"])
    return said | {"ready": told.ready, "memory_mib": memory_mib(told.pid)}


def memory_mib(pid: int | None) -> int | None:
    """Resident memory of a process, in MiB; None if there is none."""
    try:
        return None if pid is None else round(psutil.Process(pid).memory_info().rss / 2**20)
    except psutil.Error:
        return None


def _ops_page(told: Status) -> str | None:
    """Where /ops is, as the lag monitor wrote it down (services/lag_monitor/ops/serve.py) while it runs."""
    runs = any(process.name == "lag-monitor" and process.pid for process in told.processes)
    try:
        said = json.loads((told.data_dir / "ops.json").read_text("utf-8"))
        return f"{said['address']}/ops" if runs else None
    except (OSError, ValueError, KeyError):
        return None


def _logs(told: Status) -> str:
    return ", ".join(sorted({str(process.log.parent) for process in told.processes}))


def _notes(process: ProcessStatus) -> Iterator[str]:
    """How often and why it ended, and what it waits for."""
    if process.restarts:
        times = "once" if process.restarts == 1 else f"{process.restarts} times"
        note = f"ended {times}, last {_when(process.last_exit_at)}, {process.last_reason}"
        if process.again_at is not None:
            seconds = max(0, round((process.again_at - datetime.now(UTC)).total_seconds()))
            note += f"; it starts again in {seconds} s"
        yield note
    if process.why and process.again_at is None:
        yield f"is waiting: {process.why}"


def _when(moment: datetime | None) -> str:
    """The hour; the day too if it was another one."""
    if moment is None:
        return ""
    there, now = moment.astimezone(), datetime.now().astimezone()
    return f"{there:%H:%M:%S}" if there.date() == now.date() else f"{there:%d %b %H:%M}"


def _is_service(process: ProcessStatus) -> bool:
    return bool(process.address and process.address.startswith("http://"))


def _since(moment: datetime) -> str:
    """`3 s`, `4 min`, `2 h 05`, `6 d`."""
    past = max(datetime.now(UTC) - moment, timedelta())
    minutes, seconds = divmod(int(past.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    if past.days:
        return f"{past.days} d"
    if hours:
        return f"{hours} h {minutes:02}"
    return f"{minutes} min" if minutes else f"{seconds} s"
