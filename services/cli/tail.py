"""`safebus tail`: follow a topic, or one child, live."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from services.bus.errors import UserMistake
from services.bus.events import OperatorAct
from services.operating.acts import fit, record
from services.operating.following import Following, Seen
from services.operating.masking import MASK, opaque
from services.operating.reading import Log, known_topic

_AGO: Final = re.compile(r"(\d{1,5})\s*(s|min|m|h|d)")
_UNITS: Final = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days"}


def tail(
    topic: str | None, child: str | None, *, reveal: bool, reason: str | None, since: str | None, as_json: bool
) -> int:
    """Until Ctrl-C; the exit code.

    Raises:
        UserMistake: neither or both of topic and child are given, there is no such topic, it may not be read, or
            something is to be revealed without a reason.
    """
    if (topic is None) == (child is None):
        raise UserMistake("say what to follow: `safebus tail TOPIC`, or `safebus tail --child ID`")
    if reason and not reveal:
        raise UserMistake("--reason goes with --reveal; without it nothing personal is shown, and nothing is logged")
    if reveal:
        fit(OperatorAct.REVEALED, reason)
        if child and opaque(child) == MASK:
            raise UserMistake("that is no child's id: it could be a name or a number of a person, and would be logged")
    begin = moment(since) if since else None
    try:
        asyncio.run(_follow(topic, child, reason if reveal else None, begin, as_json))
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:  # whoever read has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


async def _follow(
    topic: str | None, child: str | None, reason: str | None, since: datetime | None, as_json: bool
) -> None:
    console, notes = Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False, soft_wrap=True)
    async with Log() as log:
        topics = [known_topic(topic, log)] if topic else log.topics
        if reason is not None:
            about = f"child:{child}" if child else f"topic:{topics[0]}"
            await record(OperatorAct.REVEALED, about, reason)
            notes.print(Text(f"logged that you see what {about} holds", "yellow"))
        told = False
        async for seen in Following(log, child=child, reveal=reason is not None).seen(topics, since):
            if log.refusal and not told:
                told = True
                notes.print(Text(log.refusal, "yellow"))
            if as_json:
                print(json.dumps(seen.as_object(), ensure_ascii=False), flush=True)  # noqa: T201
            else:
                _print(console, seen)


def _print(console: Console, seen: Seen) -> None:
    there = seen.taken_at.astimezone()
    console.print(
        Text.assemble(
            (f"{there:%d %b %H:%M:%S}.{there.microsecond // 1000:03}", "cyan"),
            "  ",
            (seen.topic, "bold" if seen.readable else "bold red"),
            f"  {seen.words}" if seen.words else "",
            (f"  {seen.id}  by {seen.source}  key {seen.key}", "dim"),
        )
    )
    if seen.readable:
        fields = list(_flat(seen.content))
        masked = list(dict.fromkeys(re.sub(r"\[\d+\]", "", path) for path, value in fields if value == MASK))
        said = [f"{path}={value}" for path, value in fields if value != MASK]
        console.print(Text("  " + "  ".join([*said, f"{MASK} {', '.join(masked)}"] if masked else said), "dim"))


def _flat(content: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """(`disclosure.due_by`, …), without what is empty; of lists within lists their number alone."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from _flat(value, f"{path}.{name}" if path else name, depth)
    elif isinstance(content, list) and content and depth:
        yield path, str(len(content))
    elif isinstance(content, list):
        for number, value in enumerate(content):
            yield from _flat(value, f"{path}[{number}]", depth + 1)
    elif content not in (None, ""):
        yield path, printable(content) if isinstance(content, str) else json.dumps(content)


def printable(text: str) -> str:
    """What a sender wrote, without what would steer the terminal."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def moment(said: str) -> datetime:
    """`90s`, `15min`, `2h`, `3d` ago, or an ISO 8601 time with an offset from UTC.

    Raises:
        UserMistake: it is neither.
    """
    if ago := _AGO.fullmatch(said.strip()):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        time = datetime.fromisoformat(said)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise UserMistake(f"--since {said} is no time: give 15min, 2h or 3d, or such as 2026-11-20T19:40:00+00:00")
    return time
