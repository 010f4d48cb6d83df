"""How `safebus lag` shows what was seen: tables where there is room, and lines where there is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.cli.fitting import Fitting, below
from services.lag_monitor.lag import GroupLag, PartitionLag, RecipientLag, Snapshot, Verdict
from services.lag_monitor.words import events, lasting, moment, waiting
from services.supervisor.status import ProcessStatus

ROOM: Final = 76
"""Columns that a table takes, and a reason beside it that can be read."""
MOST_SHOWN: Final = 8
NEAR: Final = timedelta(days=60)
"""Only what the broker removes within so long is worth a word while something else is the matter."""

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


def shown(
    seen: Seen, partitions: bool, processes: Mapping[str, ProcessStatus] | None = None
) -> Sequence[RenderableType]:
    """A sentence about the whole, every group, and what else asks for a look."""
    found = seen.snapshot
    if found.fault is not None:
        return [Text(f"Lag is not known: {found.fault}", "bold red"), _foot(seen)]
    groups = sorted(found.groups, key=worst_first)
    parts: list[RenderableType] = [_head(groups), _groups(groups, found.at, processes or {}, since=seen.by_monitor)]
    unread = [part for group in groups for part in _unread(group, all_of_them=partitions)]
    if unread:
        parts += [Text(), _partitions(unread, offsets=partitions)]
    if waits := [one for one in found.recipients if one.unread or one.webhook_failing_since]:
        parts += [Text(), _recipients(waits, found.at)]
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


def _groups(
    groups: Sequence[GroupLag], now: datetime, processes: Mapping[str, ProcessStatus], *, since: bool
) -> Fitting:
    table, lines = _table(), list[RenderableType]()
    table.add_column("group", no_wrap=True)
    table.add_column("is", no_wrap=True)
    for name in ("unread", "oldest", "members"):
        table.add_column(name, justify="right", no_wrap=True)
    if since:
        table.add_column("for", justify="right", no_wrap=True)
    table.add_column("because")
    for group in groups:
        verdict = Text(group.verdict.words, _STYLES[group.verdict])
        row: list[RenderableType] = [
            group.group,
            verdict,
            f"{group.behind:,}" if group.behind else "",
            lasting(group.seconds) if group.behind else "",
            str(group.members),
        ]
        lasted = lasting((now - group.since).total_seconds())
        row += [lasted] if since else []
        because = _why(group, now) + _of_its_process(group, processes.get(group.group))
        table.add_row(*row, because)
        named = Text.assemble(group.group, " is ", verdict, f", for {lasted}" if since else "")
        waits = waiting(group.behind, group.seconds)
        lines += [named, *below(f"{waits}; {because}" if waits else because)]
    return Fitting(table, Group(*lines), ROOM)


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


def _partitions(unread: Sequence[PartitionLag], *, offsets: bool) -> Fitting:
    table, lines = _table(), list[RenderableType]()
    table.add_column("group", no_wrap=True)
    table.add_column("partition", overflow="fold")
    for name in ("unread", "oldest", *(("read to", "ends at") if offsets else ())):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for one in unread:
        read_to = "" if one.committed is None else str(one.committed)
        place, notes = f"{one.topic}[{one.partition}]", _notes(one)
        table.add_row(
            one.group,
            place,
            f"{one.behind:,}",
            lasting(one.seconds) if one.behind else "",
            *((read_to, str(one.end)) if offsets else ()),
            notes,
        )
        stands = f"read to {read_to or 'nothing'}, ends at {one.end}" if offsets else ""
        lines += [one.group, *below(place, waiting(one.behind, one.seconds), stands, notes)]
    return Fitting(table, Group(*lines), ROOM)


def _notes(one: PartitionLag) -> str:
    notes = []
    if one.lost:
        notes.append(f"{events(one.lost)} lost")
    if one.how == "interpolated":
        notes.append("at least so old")
    return ", ".join(notes)


def _recipients(waits: Sequence[RecipientLag], now: datetime) -> Fitting:
    table, lines = _table(), list[RenderableType]()
    table.add_column("recipient", no_wrap=True)
    for name in ("unread", "oldest"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("webhook")
    worst = sorted(waits, key=lambda one: (one.webhook_failing_since is None, -one.oldest_unread_seconds))
    for one in worst[:MOST_SHOWN]:
        since = one.webhook_failing_since
        failing = Text(f"not taken for {lasting((now - since).total_seconds())}" if since else "", "red")
        oldest = lasting(one.oldest_unread_seconds)
        table.add_row(
            one.organisation,
            f"{one.unread:,}" if one.unread else "",
            oldest if one.unread else "",
            failing,
        )
        unread = f"{one.unread:,} unread, oldest {oldest}" if one.unread else ""
        lines += [one.organisation, *below(unread, f"webhook {failing.plain}" if since else "")]
    if len(worst) > MOST_SHOWN:
        more = Text(f"and {len(worst) - MOST_SHOWN} more", "dim")
        table.add_row(more)
        lines.append(more)
    return Fitting(table, Group(*lines), ROOM)


def _foot(seen: Seen) -> Text:
    who = "the lag monitor" if seen.by_monitor else "this command, as no lag monitor runs here"
    foot = f"seen by {who} at {seen.snapshot.at.astimezone():%H:%M:%S}"
    if seen.snapshot.recipients_fault:
        foot += f"; recipients are not known: {seen.snapshot.recipients_fault}"
    return Text(foot, "dim")


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")


def worst_first(group: GroupLag) -> tuple[int, float, int, str]:
    """What groups are sorted by."""
    return (-group.verdict.weight, -group.seconds, -group.behind, group.group)
