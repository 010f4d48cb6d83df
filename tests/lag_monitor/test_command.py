"""`safebus lag`, as an operator sees it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from services.bus.settings import settings
from services.cli.app import app
from services.cli.lag import as_object, exit_code
from services.cli.lag_shown import Seen, shown
from services.lag_monitor import asking
from services.lag_monitor.lag import GroupLag, RecipientLag, Snapshot, Verdict
from tests.lag_monitor.seen import AT, Part, lag


def group(name: str, verdict: Verdict, *parts: Part, members: int = 1) -> GroupLag:
    found = tuple(lag(part, name) for part in parts)
    behind, seconds = sum(one.behind for one in found), max((one.seconds for one in found), default=0.0)
    return GroupLag(name, "stable", members, found, behind, seconds, verdict, f"why {name}", AT, None)


WELL = group("deadlines", Verdict.ok, Part(7, 7))
SLOW = group("gp-updates", Verdict.slow, Part(7, 1207, 300))
GONE = group("mash-outcomes", Verdict.stopped, Part(7, 9, 60), Part(3, 3, number=1), members=0)
FAILING = RecipientLag("school:110394", 3, 4000.0, AT - timedelta(hours=3))
NOW = AT + timedelta(minutes=4)


def printed(snapshot: Snapshot, *, width: int = 80, partitions: bool = False) -> str:
    console = Console(width=width, record=True, highlight=False, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(*shown(Seen(snapshot, by_monitor=True), partitions), sep="\n")
    return console.export_text()


@pytest.mark.parametrize("width", [80, 120])
def test_the_worst_stands_first_in_plain_words(width: int) -> None:
    """What is wrong, for how long, how much waits and where; then whose inbox asks for a look."""
    told = printed(Snapshot(NOW, (WELL, SLOW, GONE), (FAILING,)), width=width)
    lines = told.splitlines()
    assert lines[0] == "2 of 3 groups are not ok"
    assert [line.split()[0] for line in lines[2:5]] == ["mash-outcomes", "gp-updates", "deadlines"]
    assert lines[2].split()[1:6] == ["stopped", "2", "1", "min", "0"]
    assert "1,200" in lines[3]
    assert "a.b.v1[0]" in told
    assert "a.b.v1[1]" not in told, "what is read asks for no look"
    assert "not taken for 3 h 04" in told
    assert "nan" not in told.lower()
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("width", [32, 60])
def test_a_narrow_terminal_hides_nothing(width: int) -> None:
    """A telephone at 3 a.m.: each verdict, number and reason, in lines that can be read."""
    lost = replace(GONE, partitions=(lag(Part(7, 1209, 60, begin=9), "mash-outcomes"),))
    told = printed(Snapshot(NOW, (WELL, SLOW, lost), (FAILING,)), width=width)
    lines = told.splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in told
    flat = " ".join(told.split())
    for words in (
        "mash-outcomes is stopped, for 4 min 2 events wait, the first for 1 min; why mash-outcomes",
        "gp-updates is slow, for 4 min 1,200 events wait",
        "a.b.v1[0] 1,200 events wait, the first for 1 min 2 events lost",
        "school:110394 3 unread, oldest 1 h 06 webhook not taken for 3 h 04",
    ):
        assert words in flat


def test_its_exit_code_says_whether_everything_is_ok() -> None:
    """0, 3, or 75 when Kafka could not be asked. What could not be asked is not called ok."""
    assert exit_code(Snapshot(NOW, (WELL,), ())) == 0
    assert exit_code(Snapshot(NOW, (WELL, GONE), ())) == 3
    assert exit_code(Snapshot(NOW, (WELL,), (FAILING,))) == 3
    away = Snapshot(NOW, (), (), "the broker is away (X)")
    assert exit_code(away) == 75
    assert printed(away).startswith("Lag is not known: the broker is away (X)")


def test_a_program_gets_every_number_worst_first() -> None:
    """With since when, and why, and what could not be asked."""
    told = json.loads(json.dumps(as_object(Seen(Snapshot(NOW, (WELL, GONE), (FAILING,)), by_monitor=True))))
    assert (told["ok"], told["seen_by"], told["fault"]) == (False, "lag-monitor", None)
    assert [one["group"] for one in told["groups"]] == ["mash-outcomes", "deadlines"]
    first = told["groups"][0]
    assert (first["verdict"], first["behind"], first["lost"], first["partitions"][0]["seconds"]) == (
        "stopped",
        2,
        0,
        60,
    )
    assert told["recipients"][0]["organisation"] == "school:110394"


def test_every_partition_with_something_unread_on_request() -> None:
    """Also of groups that are ok, with the offsets."""
    busy = replace(WELL, partitions=(lag(Part(7, 8, 1), "deadlines"),), behind=1)
    assert "ends at" not in printed(Snapshot(NOW, (busy,), ()))
    assert "deadlines" in printed(Snapshot(NOW, (busy,), ()), partitions=True).split("ends at")[1]


def test_without_kafka_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In one sentence, with the exit code that means: try again."""
    monkeypatch.setattr(asking, "ANSWER_WITHIN", 0.5)
    for name, value in {"DATA_DIR": str(tmp_path), "BOOTSTRAP_SERVERS": "127.0.0.1:1", "PASSWORD": "x"}.items():
        monkeypatch.setenv(f"SAFEBUS_{name}", value)
    settings.cache_clear()
    try:
        answered = CliRunner().invoke(app, ["lag"])
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert answered.exit_code == 75
    assert "Lag is not known: the broker is away" in answered.output
