"""`safebus trace`: what led to an event and what followed from it, as a tree with times."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text
from rich.tree import Tree

from services.bus.errors import EXIT_DRIFT, UserMistake
from services.bus.events import MatterChanged
from services.operating.chain import MOST, Chain, of_child, of_event
from services.operating.reading import Log
from services.operating.reading import Progress as Told
from services.operating.tree import Node, trees

INCOMPLETE: Final = EXIT_DRIFT


def trace(event_id: str | None, child: str | None, as_json: bool) -> int:
    """Print it. The exit code: 0, or 3 if something that belongs to it could not be had.

    Raises:
        UserMistake: neither or both are given, or nothing has that id.
    """
    if (event_id is None) == (child is None):
        raise UserMistake("say which: `safebus trace EVENT_ID`, or `safebus trace --child ID`")
    began = time.monotonic()
    with _bar(quiet=as_json) as bar:
        task = bar.add_task("reading headers", total=None)
        chain, roots, refusal = asyncio.run(
            _found(event_id, child, lambda read, of: bar.update(task, completed=read, total=of))
        )
    if not chain.heard:
        raise UserMistake(_nothing(event_id, child, chain, refusal))
    notes = list(_notes(chain, roots, refusal))
    if as_json:
        asked = {"event_id": event_id, "child": child}
        typer.echo(json.dumps(_object(chain, roots, notes) | {"asked": asked}, ensure_ascii=False))
    else:
        _print(chain, roots, notes, time.monotonic() - began)
    incomplete = refusal or chain.cut or (chain.lost and any(root.cause_gone for root in roots))
    return INCOMPLETE if incomplete else 0


async def _found(event_id: str | None, child: str | None, progress: Told) -> tuple[Chain, list[Node], str | None]:
    async with Log() as log:
        if event_id is not None:
            chain = await of_event(log, event_id, progress)
        else:
            chain = await of_child(log, str(child), progress)
        return chain, trees(chain, log.catalogue), log.refusal


def _bar(*, quiet: bool) -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)


def _nothing(event_id: str | None, child: str | None, chain: Chain, refusal: str | None) -> str:
    what = f"no event has the id {event_id}" if event_id is not None else f"nothing was said about {child}"
    why = "; what is older than its topic's retention is gone" if chain.lost else ""
    return f"{what} among the {chain.read} records that are there{why}" + (f". {refusal}" if refusal else "")


def _notes(chain: Chain, roots: Sequence[Node], refusal: str | None) -> Iterator[str]:
    """What a reader must know of what is not shown."""
    if chain.confidential:
        yield "A child's location is confidential: no organisation is shown (H2)."
    sources = {node.source for root in roots for node in root.walk() if node.asked}
    asked = {node.id for root in roots for node in root.walk() if node.asked}
    if len(asked) == 1 and len(sources) > 1:
        yield f"{len(sources)} senders have used this id, each for an event of its own: both are shown."
    for root in roots:
        if root.cause_gone:
            why = "it has fallen out of retention, or" if chain.lost else "it never came over the bus:"
            yield f"{root.topic} names {root.cause_gone} as its cause, which is not there: {why} its sender keeps it."
    if chain.cut:
        yield f"There is more: only the first {MOST} records are shown."
    if refusal:
        yield refusal[0].upper() + refusal[1:] + "."


def _object(chain: Chain, roots: Sequence[Node], notes: Sequence[str]) -> dict[str, Any]:
    return {
        "records": len(chain.heard),
        "looked_at": chain.read,
        "location_confidential": chain.confidential,
        "chains": [root.as_object() for root in roots],
        "notes": list(notes),
    }


def _print(chain: Chain, roots: Sequence[Node], notes: Sequence[str], seconds: float) -> None:
    console = Console(highlight=False)
    for root in roots:
        if console.is_terminal:
            console.print(_grown(root))
        else:
            for line in _plain(root, 0):
                typer.echo(line)
    grave = sum(node.grave for root in roots for node in root.walk())
    said = f"{_number(len(chain.heard), 'record')} in {_number(len(roots), 'chain')}"
    said += f", {grave} of them missed or dead" if grave else ""
    console.soft_wrap = True
    console.print(Text(f"{said}; {chain.read} looked at in {seconds:.1f} s", "dim"))
    for note in notes:
        console.print(Text(note, "yellow"))


def _grown(root: Node) -> Tree:
    tree = Tree(_label(root), guide_style="dim")
    _grow(tree, root)
    return tree


def _grow(tree: Tree, node: Node) -> None:
    for effect in shown(node):
        _grow(tree.add(_label(effect)), effect)


def _label(node: Node) -> Text:
    """Two lines: when and what; and by what it is known."""
    style = "bold red" if node.grave else "bold"
    return Text.assemble(
        (_when(node), "cyan"),
        "  ",
        (node.topic, style),
        ("  (asked)" if node.asked else "", "green"),
        f"  {node.words}\n",
        (_known_by(node), "dim"),
    )


def _plain(node: Node, depth: int) -> Iterator[str]:
    yield f"{'  ' * depth}{_when(node)}  {node.topic}  {node.words}  {_known_by(node)}"
    for effect in shown(node):
        yield from _plain(effect, depth + 1)


def shown(node: Node) -> list[Node]:
    """Its effects, but for what the handover board shows of it, which is said in its own line."""
    return [effect for effect in node.effects if not _on_the_board(effect)]


def _on_the_board(node: Node) -> bool:
    return node.topic == MatterChanged.topic and not (node.effects or node.asked)


def _when(node: Node) -> str:
    there = node.taken_at.astimezone()
    if node.after_ms is None and not node.joined_by:
        return f"{there:%a %d %b %Y %H:%M:%S}.{there.microsecond // 1000:03}"
    after = "" if node.after_ms is None else f" {_after(node.after_ms)}"
    return f"{there:%H:%M:%S}.{there.microsecond // 1000:03}{after}"


def _after(milliseconds: int) -> str:
    """`+35 ms`, `+2.1 s`, `+4 min`, `+3 h 05`, `+2 d 4 h`."""
    seconds = abs(milliseconds) / 1000
    sign = "-" if milliseconds < 0 else "+"
    if seconds < 1:
        return f"{sign}{abs(milliseconds)} ms"
    if seconds < 60:
        return f"{sign}{seconds:.1f} s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86_400)
    if not hours:
        return f"{sign}{minutes} min"
    return f"{sign}{hours} h {minutes % 60:02}" if not days else f"{sign}{days} d {hours % 24} h"


def _known_by(node: Node) -> str:
    parts = [node.id, f"by {node.source}", f"key {node.key}" if node.key else ""]
    parts += [node.again, f"joined by {node.joined_by}" if node.joined_by else ""]
    parts += [f"its cause {node.cause_gone} is not there" if node.cause_gone else ""]
    parts += [f"on the board {_after(e.after_ms)}" for e in node.effects if _on_the_board(e) and e.after_ms is not None]
    return "  ".join(part for part in parts if part)


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
