"""How dead letters look at a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from services.cli.fitting import Fitting, below
from services.operating.letters import SHORT, Letter, Urgency, counts
from services.operating.reading import Progress as Told

AT_ONCE: Final = 40
"""Lines of a list, unless all are asked for."""
STYLES: Final = {
    Urgency.IMMEDIATE: "bold white on red",
    Urgency.URGENT: "bold red",
    Urgency.WAITING: "yellow",
    Urgency.LATER: "dim",
}
RETRY: Final = {
    "helps": "yes: a retry may help now",
    "after": "once what is wrong has been mended, a retry helps",
    "never": "no retry can help",
}

BECAME: Final = {"done": "done", "repeated": "done", "dead": "died again"}


@contextmanager
def bar(doing: str, of: int | None = None) -> Iterator[Told]:
    """A moving bar on standard error at a terminal, nothing otherwise. Told (so far, of)."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(doing, total=of)
        yield lambda so_far, total: progress.update(task, completed=so_far, total=total)


def reading() -> Any:
    """While the two topics are read."""
    return bar("reading the dead letters")


def console() -> Console:
    """For standard output."""
    return Console(highlight=False)


def listed(chosen: Sequence[Letter], now: datetime, state: str, of: int, *, everything: bool) -> None:
    """The counts, then a line each."""
    out, word = console(), "" if state == "any" else f"{state} "
    if not chosen:
        rest = f" ({of} in all; --state any shows them)" if of else ""
        out.print(f"no {word}dead letters of that kind{rest}", soft_wrap=True)
        return
    immediate = sum(one.urgency is Urgency.IMMEDIATE for one in chosen)
    many = f"{len(chosen)} {word}dead letter{'s' if len(chosen) > 1 else ''}"
    out.print(
        Text.assemble((many, "bold"), (f", {immediate} immediate", STYLES[Urgency.IMMEDIATE]) if immediate else "")
    )
    out.print(_counted(chosen))
    out.print()
    shown = chosen if everything else chosen[:AT_ONCE]
    out.print(_lines(shown, now))
    if len(shown) < len(chosen):
        out.print(f"and {len(chosen) - len(shown)} more: --all shows them, --reason and --service choose", style="dim")
    out.print("`safebus dead-letters show ID` says what one means and what to do", style="dim", soft_wrap=True)


def columns(*names: str) -> Table:
    """A table of these columns, without lines."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in names:
        table.add_column(name, no_wrap=name in ("id", "waits", "immediate", "count"), overflow="fold")
    return table


def _counted(chosen: Sequence[Letter]) -> Fitting:
    table, lines = columns("count", "immediate", "reason", "service"), list[RenderableType]()
    for service, code, number, immediate in counts(chosen):
        style = "bold red" if immediate else ""
        table.add_row(str(number), Text(str(immediate or ""), style), code, service)
        lines.append(Text.assemble(f"{number} {code}", (f", {immediate} immediate" if immediate else "", style)))
        lines += below(f"at {service}")
    return Fitting(table, Group(*lines))


def _lines(chosen: Sequence[Letter], now: datetime) -> Fitting:
    table, lines = columns("id", "how urgent", "waits", "reason", "service", "of", "retry"), list[RenderableType]()
    for one in chosen:
        urgency = Text(one.urgency.name.lower(), STYLES[one.urgency])
        waits, origin, stands = age((now - one.said.happened_at).total_seconds()), one.said.origin_topic, _stands(one)
        table.add_row(one.id[:SHORT], urgency, waits, one.code, one.said.service, origin, stands)
        lines.append(Text.assemble(one.id[:SHORT], " ", urgency, f", waits {waits}; retry: {stands}"))
        lines += below(f"{one.code} at {one.said.service}", f"of {origin}")
    return Fitting(table, Group(*lines))


def _stands(one: Letter) -> str:
    from services.operating.meaning import meaning

    if one.state.value == "discarded":
        return "discarded"
    if one.state.value == "retried":
        return f"retried: {BECAME.get(one.became or '', 'not heard yet')}"
    return (
        "no, a person"
        if one.is_retry
        else {"helps": "yes", "after": "once mended", "never": "no, a person"}[meaning(one.said).retry.value]
    )


def age(seconds: float) -> str:
    """`40 s`, `12 min`, `5 h`, `3 d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def moment(said: str | None) -> str:
    """A time as it is told: UTC."""
    return f"{datetime.fromisoformat(said):%-d %b %H:%M:%S} UTC" if said else "unknown"


def shown(said: dict[str, Any], *, revealed: bool) -> None:
    """One dead letter, as shown.py says it."""
    out = console()
    style = STYLES[Urgency[said["urgency"].upper()]]
    out.print(
        Text.assemble(
            ("dead letter ", "bold"), (said["id"], "bold"), "  ", said["state"], "  ", (said["urgency"], style)
        )
    )
    facts = columns("", "")
    facts.show_header = False
    facts.add_row("gave up", f"{said['service']}, {moment(said['happened_at'])}, {age(said['age_seconds'])} ago")
    at = f" at {said['field']}" if said["field"] else ""
    facts.add_row("reason", Text(f"{said['reason']}{at}: {said['explanation']}"))
    facts.add_row("means", Text(said["means"]))
    facts.add_row("do", Text(said["do"], "bold"))
    facts.add_row("retry", _may_retry(said))
    out.print(facts)
    out.print(Group(Text(), _chain(said)))
    _content(out, said, revealed)


def _may_retry(said: dict[str, Any]) -> str:
    if said["state"] == "retried":
        return f"it was: {BECAME.get(said['became'], 'nobody has heard yet what became of it')}"
    if said["state"] == "discarded":
        return "no: it was discarded"
    if said["is_retry"]:
        return "no: it died when it was retried, and a dead event is retried once"
    return RETRY[said["retry"]]


def _chain(said: dict[str, Any]) -> Tree:
    """What led to it, and what was done about it since."""
    origin = said["origin"]
    size = f"{origin['bytes']} bytes" + (", kept in the document store" if origin["by_claim_check"] else "")
    cause = f"because of {origin['cause_id']}" if origin["cause_id"] else "what came to the bus from outside"
    tree = Tree(Text(cause, "dim"))
    named = (
        f"event {origin['event_id']} of {origin['event_source']}" if origin["event_id"] else "a record without an id"
    )
    where = f"{origin['topic']}[{origin['partition']}] at {origin['offset']}"
    event = tree.add(Text(f"{named}, {moment(origin['time'])}, {where}, {size}"))
    event.add(Text(f"{said['service']} gave up: {said['reason']}, {moment(said['happened_at'])}  (this one)", "bold"))
    for other in said["others"]:
        event.add(Text(f"{other['service']} gave up: {other['reason']}  ({other['id'][:SHORT]})"))
    for act in said["acts"]:
        became = f": {BECAME.get(act['became'], act['became'])}" if act["became"] else ""
        why = f' because "{act["reason"]}"' if act["reason"] else ""
        event.add(Text(f"{act['act'].lower()} by {act['by']}, {moment(act['at'])}{became}{why}"))
    if said["again"]:
        event.add(Text(f"died again as {said['again'][:SHORT]}", "bold red"))
    if origin["event_id"]:
        tree.add(Text(f"`safebus trace {origin['event_id']}` shows all that led to it and followed", "dim"))
    return tree


def _content(out: Console, said: dict[str, Any], revealed: bool) -> None:
    out.print()
    if "unreadable" in said:
        out.print(Text(f"content: {said['unreadable']}"), soft_wrap=True)
    else:
        out.print(Text("content" if revealed else "content, masked", "bold"))
        if revealed:
            _key_and_headers(out, said)
        out.print(Text(json.dumps(said["content"], indent=2, ensure_ascii=False)))
    if not revealed:
        out.print('--reveal --reason "…" shows all of it, and is logged first', style="dim", soft_wrap=True)


def _key_and_headers(out: Console, said: dict[str, Any]) -> None:
    out.print(Text(f"key: {said['key']}"))
    for name, value in said["headers"]:
        out.print(Text(f"{name}: {value}", "dim"))
