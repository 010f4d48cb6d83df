"""The page /ops, complete: what templates/ops.html is filled with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2

from services.lag_monitor.ops import shown, words
from services.lag_monitor.ops.desk import Desk
from services.lag_monitor.ops.flows import summed
from services.lag_monitor.ops.wrong import wrong
from services.people.static import Static

HERE = Path(__file__).resolve().parent
STATIC = Static(HERE / "static")

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.globals.update(static=STATIC.address, words=words)

STATUSES = {"2": "answered", "3": "sent elsewhere", "4": "refused", "5": "failed"}


def render(desk: Desk, where: str, *, loopback: bool) -> str:
    """The whole page as HTML.

    Args:
        where: its own address, as people see it.
        loopback: whether only this machine can reach it.
    """
    now = datetime.now(UTC)
    recipients, more = shown.recipients(desk.lag.latest, now)
    return TEMPLATES.get_template("ops.html").render(
        now=now,
        looked_at=desk.looked_at,
        wrong=wrong(desk, now),
        latest=desk.lag.latest,
        groups=shown.groups(desk, now),
        processes=shown.processes(desk, now),
        letters=shown.letters(desk),
        probes=desk.probes,
        probe=shown.probe(desk.probes, now) if desk.probes else (),
        recipients=recipients,
        more_recipients=more,
        doors=_doors(desk),
        disk=_disk(desk),
        where=where,
        loopback=loopback,
    )


def _doors(desk: Desk) -> list[tuple[str, list[shown.Fact]]]:
    """By process with a door: what it answered in the last hour, and its open streams."""
    found: list[tuple[str, list[shown.Fact]]] = []
    for name, answer in sorted(desk.answers.items()):
        streams = answer.one("safebus_streams_open")
        if streams is None:
            continue
        kept = desk.histories.get(name)
        answered = summed(one.answered for one in kept.flows) if kept else {}
        facts = [
            shown.Fact(f"Requests {word}", words.number(answered.get(digit, 0.0))) for digit, word in STATUSES.items()
        ]
        found.append((name, [*facts, shown.Fact("Streams open", words.number(streams))]))
    return found


def _disk(desk: Desk) -> list[tuple[str, str]]:
    """Each data directory's disk, named by its processes where they differ."""
    disks: dict[tuple[str, str], Any] = {}
    for name, answer in sorted(desk.answers.items()):
        free, size = answer.one("safebus_data_disk_free_bytes"), answer.one("safebus_data_disk_size_bytes")
        if free is not None and size:
            said = f"{words.size(free)} free of {words.size(size)}, {free / size:.0%}"
            disks.setdefault((words.size(free), words.size(size)), (said, []))[1].append(name)
    return [(", ".join(names) if len(disks) > 1 else "the data directory", said) for said, names in disks.values()]
