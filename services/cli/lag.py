"""`safebus lag`: how far each group is behind, worst first; from the monitor, or from the broker itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import httpx
import typer
from pydantic import TypeAdapter
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from services.bus.errors import EXIT_TRY_AGAIN
from services.bus.settings import Settings, settings
from services.cli.screen import Screen
from services.lag_monitor.judge import GLANCE
from services.lag_monitor.lag import GroupLag, PartitionLag, RecipientLag, Snapshot, Verdict
from services.lag_monitor.watch import NAME, Watch
from services.lag_monitor.words import events, lasting, moment
from services.supervisor.status import ProcessStatus, run_dir, running

NOT_OK: Final = 3
EVERY: Final = 2.0
"""Seconds between two looks with --watch."""
LOOKS, APART = 4, 1.5
"""Without a monitor, so many looks, so many seconds apart: what moves and what stands shows only in time."""
STALE: Final = timedelta(seconds=15)
MOST_SHOWN: Final = 8
NEAR: Final = timedelta(days=60)
"""Only what the broker removes within so long is worth a word while something else is the matter."""

_SNAPSHOT = TypeAdapter(Snapshot)
_STYLES: Final = {
    Verdict.ok: "green",
    Verdict.slow: "yellow",
    Verdict.stalled: "red",
    Verdict.stopped: "bold red",
    Verdict.rewound: "bold magenta",
    Verdict.at_risk: "bold white on red",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A snapshot, and who looked."""

    snapshot: Snapshot
    by_monitor: bool


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
            zip(seen.snapshot.groups, told["groups"], strict=True), key=lambda both: _worst_first(both[0])
        )
    ]
    return {"ok": seen.snapshot.ok, "seen_by": NAME if seen.by_monitor else "this command"} | told


def processes() -> Mapping[str, ProcessStatus]:
    """What a supervisor on this machine says of each process, by name."""
    told = running(settings())
    return {process.name: process for process in told.processes} if told is not None else {}


def shown(seen: Seen, partitions: bool, processes: Mapping[str, ProcessStatus] | None = None) -> Sequence[Table | Text]:
    """A sentence about the whole, a table of groups, and what else asks for a look."""
    found = seen.snapshot
    if found.fault is not None:
        return [Text(f"Lag is not known: {found.fault}", "bold red"), _foot(seen)]
    groups = sorted(found.groups, key=_worst_first)
    parts: list[Table | Text] = [_head(groups), _groups(groups, found.at, processes or {}, since=seen.by_monitor)]
    unread = [part for group in groups for part in _unread(group, all_of_them=partitions)]
    if unread:
        parts += [Text(), _partitions(unread, offsets=partitions)]
    if waiting := [one for one in found.recipients if one.unread or one.webhook_failing_since]:
        parts += [Text(), _recipients(waiting, found.at)]
    return [*parts, _foot(seen)]


def _head(groups: Sequence[GroupLag]) -> Text:
    bad = sum(group.verdict is not Verdict.ok for group in groups)
    unread = sum(group.behind for group in groups)
    if not groups:
        return Text("There is no group: has `safebus topics apply` been run?", "yellow")
    if not bad:
        well = "everything is read" if not unread else f"{events(unread)} on their way"
        return Text(f"All {len(groups)} groups are ok; {well}", "bold")
    return Text(f"{bad} of {len(groups)} groups {'is' if bad == 1 else 'are'} not ok", "bold red")


def _groups(groups: Sequence[GroupLag], now: datetime, processes: Mapping[str, ProcessStatus], *, since: bool) -> Table:
    table = _table()
    table.add_column("group", no_wrap=True)
    table.add_column("is", no_wrap=True)
    for name in ("unread", "oldest", "members"):
        table.add_column(name, justify="right", no_wrap=True)
    if since:
        table.add_column("for", justify="right", no_wrap=True)
    table.add_column("because")
    for group in groups:
        row: list[RenderableType] = [
            group.group,
            Text(group.verdict.words, _STYLES[group.verdict]),
            f"{group.behind:,}" if group.behind else "",
            lasting(group.seconds) if group.behind else "",
            str(group.members),
        ]
        row += [lasting((now - group.since).total_seconds())] if since else []
        table.add_row(*row, _why(group, now) + _of_its_process(group, processes.get(group.group)))
    return table


def _why(group: GroupLag, now: datetime) -> str:
    unmeasured = [part for part in group.partitions if part.fault]
    why = group.why
    if group.passed_by_at is not None and group.verdict is not Verdict.at_risk and group.passed_by_at - now < NEAR:
        why += f"; the broker keeps it until {moment(group.passed_by_at)}"
    if unmeasured:
        why += f"; {len(unmeasured)} partitions could not be measured: {unmeasured[0].fault}"
    return why


def _of_its_process(group: GroupLag, process: ProcessStatus | None) -> str:
    """Why it is not ready, in its own or its supervisor's words: what a verdict alone cannot say."""
    if process is None or process.state == "ready" or group.verdict is Verdict.ok:
        return ""
    why = f": {process.why}" if process.why else ""
    ended = (
        f"; it ended before, {process.last_reason}"
        if process.last_reason and process.last_reason != process.why
        else ""
    )
    return f"; its process is {process.state}{why}{ended}"


def _unread(group: GroupLag, *, all_of_them: bool) -> Sequence[PartitionLag]:
    """Where the trouble is: the worst places of each group that is not ok, or every one of every group."""
    found = sorted((one for one in group.partitions if one.behind or one.lost), key=lambda one: -one.seconds)
    if all_of_them:
        return found
    return [] if group.verdict is Verdict.ok else found[:MOST_SHOWN]


def _partitions(unread: Sequence[PartitionLag], *, offsets: bool) -> Table:
    table = _table()
    table.add_column("group", no_wrap=True)
    table.add_column("partition", overflow="fold")
    for name in ("unread", "oldest", *(("read to", "ends at") if offsets else ())):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for one in unread:
        read_to = "" if one.committed is None else str(one.committed)
        table.add_row(
            one.group,
            f"{one.topic}[{one.partition}]",
            f"{one.behind:,}",
            lasting(one.seconds) if one.behind else "",
            *((read_to, str(one.end)) if offsets else ()),
            _notes(one),
        )
    return table


def _notes(one: PartitionLag) -> str:
    notes = []
    if one.lost:
        notes.append(f"{events(one.lost)} lost")
    if one.how == "interpolated":
        notes.append("at least so old")
    return ", ".join(notes)


def _recipients(waiting: Sequence[RecipientLag], now: datetime) -> Table:
    table = _table()
    table.add_column("recipient", no_wrap=True)
    for name in ("unread", "oldest"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("webhook")
    worst = sorted(waiting, key=lambda one: (one.webhook_failing_since is None, -one.oldest_unread_seconds))
    for one in worst[:MOST_SHOWN]:
        failing = one.webhook_failing_since
        table.add_row(
            one.organisation,
            f"{one.unread:,}" if one.unread else "",
            lasting(one.oldest_unread_seconds) if one.unread else "",
            Text(f"not taken for {lasting((now - failing).total_seconds())}", "red") if failing else "",
        )
    if len(worst) > MOST_SHOWN:
        table.add_row(Text(f"and {len(worst) - MOST_SHOWN} more", "dim"))
    return table


def _foot(seen: Seen) -> Text:
    who = "the lag monitor" if seen.by_monitor else "this command, as no lag monitor runs here"
    foot = f"seen by {who} at {seen.snapshot.at.astimezone():%H:%M:%S}"
    if seen.snapshot.recipients_fault:
        foot += f"; recipients are not known: {seen.snapshot.recipients_fault}"
    return Text(foot, "dim")


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")


def _worst_first(group: GroupLag) -> tuple[int, float, int, str]:
    return (-group.verdict.weight, -group.seconds, -group.behind, group.group)
