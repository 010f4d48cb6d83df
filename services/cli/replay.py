"""`safebus replay SERVICE`: prove that what a service keeps is what the log says; or copy its outputs again.

Exit codes: 0 both are the same, or the outputs were sent again; 3 they differ; 2 a mistake, in one sentence; 75
something is away.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.bus.errors import EXIT_DRIFT
from services.bus.events import OperatorAct
from services.bus.service import Service
from services.bus.settings import Settings, settings
from services.cli.recover import watched
from services.cli.screen import Screen
from services.cli.service import service_of
from services.operating.acts import record
from services.operating.reissuing import Reissued, reissue, topics_of
from services.operating.replaying import Replayed
from services.operating.replaying import replay as rebuild

MOST: Final = 20
"""Differences that are shown one by one; --json has all."""


def replay(name: str, *, outputs: bool, topics: Sequence[str], dry_run: bool, as_json: bool) -> int:
    """Do it, say what came of it, and the exit code.

    Raises:
        UserMistake: there is no such service, or it does not say such a topic.
    """
    at, service = settings(), service_of(name)
    if outputs:
        return _again(service, at, topics_of(service, at, topics), dry_run=dry_run, as_json=as_json)
    with Screen() as screen:
        found = asyncio.run(watched(service.name, screen, _rebuilt(service, at)))
    _say(found, as_json=as_json)
    return 0 if found.same else EXIT_DRIFT


async def _rebuilt(service: Service, at: Settings) -> Replayed:
    found = await rebuild(service, at)
    became = "same" if found.same else "differs"
    await record(
        OperatorAct.REPLAYED,
        f"service:{found.service}",
        at=at,
        service=found.service,
        became=became,
        covers=found.events,
    )
    return found


def _say(found: Replayed, *, as_json: bool) -> None:
    rows, differences = found.compared.rows, found.compared.differences
    if as_json:
        told: dict[str, Any] = {
            "service": found.service,
            "same": found.same,
            "events": found.events,
            "outputs_not_sent": found.dropped,
            "rows": dict(rows),
            "differences": [{"table": one.table, "key": one.key, "how": one.how} for one in differences],
            "inboxes_with_gaps": found.gaps,
            "logs_that_begin_later": [f"{topic}[{number}]" for topic, number in found.begins_later],
        }
        typer.echo(json.dumps(told, indent=2))
        return
    console = Console(highlight=False)
    line = f"{found.service}: {found.events} events read again, {found.dropped} outputs decided again and none sent"
    console.print(line, soft_wrap=True)
    _say_lost(console, found)
    if found.same:
        kept = ", ".join(f"{number} {table}" for table, number in rows.items()) or "nothing"
        console.print(Text(f"the same, row by row: {kept}", "green"), soft_wrap=True)
        return
    counted = Counter((one.table, one.how) for one in differences)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("differ", "table", "how", "such as"):
        table.add_column(name, overflow="fold")
    for (name, how), number in counted.items():
        some = [" ".join(one.key) for one in differences if (one.table, one.how) == (name, how)]
        table.add_row(str(number), name, how, Text(", ".join(some[:3])))
    console.print(Text("what it keeps is not what the log says:", "bold red"))
    console.print(table)
    for organisation in found.gaps[:MOST]:
        console.print(Text(f"the inbox numbers of {organisation} have a gap", "bold red"))
    console.print(
        f"`safebus recover {found.service}` makes it so, once it is stopped; find out first what changed it",
        style="dim",
        soft_wrap=True,
    )


def _say_lost(console: Console, found: Replayed) -> None:
    if found.begins_later:
        topics = sorted({topic for topic, _ in found.begins_later})
        console.print(
            Text(
                f"{', '.join(topics)}: the log's beginning is gone, so what only stood there cannot be rebuilt",
                "yellow",
            ),
            soft_wrap=True,
        )


def _again(service: Service, at: Settings, topics: Sequence[str], *, dry_run: bool, as_json: bool) -> int:
    from services.cli.letters_shown import bar

    async def send() -> Reissued:
        about = f"service:{service.name}"
        if not dry_run:
            await record(OperatorAct.REPLAYED, about, at=at, service=service.name, became="begun")
        with bar(f"sending again what {service.name} said") as told:
            done = await reissue(service, at, topics, dry_run=dry_run, told=lambda number: told(number, number))
        if not dry_run:
            own: dict[str, Any] = {"service": service.name, "became": "sent"}
            await record(OperatorAct.REPLAYED, about, at=at, covers=done.number, **own)
        return done

    done = asyncio.run(send())
    if as_json:
        said = {topic: {"sent": done.by_topic[topic], "heard_by": done.heard_by[topic]} for topic in topics}
        typer.echo(json.dumps({"service": service.name, "dry_run": dry_run, "topics": said}, indent=2))
        return 0
    console = Console(highlight=False)
    for topic in topics:
        heard = ", ".join(done.heard_by[topic]) or "no service"
        console.print(f"{done.by_topic[topic]:>6} of {topic}, heard by {heard}", soft_wrap=True)
    word = "would be sent again; nothing was" if dry_run else "sent again, each under its own id: who heard it drops it"
    console.print(f"{done.number} {word}", style="bold", soft_wrap=True)
    return 0
