"""The demo's timeline speaks to people who have never seen a code."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from services.bus.catalogue import load
from services.bus.events import DeadlineKind
from services.bus.settings import HERE
from services.cli.demo.timeline import MISSED, WORDS, Lines


def test_whatever_is_missed_is_told_in_words() -> None:
    """Every kind of deadline, also those that the scenario lets nobody miss."""
    assert set(MISSED) == set(DeadlineKind)
    assert not [text for text in MISSED.values() if "_" in text or text.isupper()]


def test_whatever_reaches_a_recipient_is_told_in_words() -> None:
    """Every topic that discloses, but the requests for information that the scenario does without."""
    topics = load(HERE.parent / "topics.yaml").topics
    assert {name for name, topic in topics.items() if topic.discloses} - {"mash.information-requests.v1"} <= set(WORDS)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_line_is_legible_in_eighty_columns(terminal: bool) -> None:
    """At a terminal who and what stay columns of their own; in a pipe each event is one line, to be searched."""
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=terminal, color_system=None)
    told: Any = SimpleNamespace(
        event=SimpleNamespace(topic="encompass.alerts.v1"),
        recipient="school:990001", purpose="OPERATION_ENCOMPASS", cause="", latency_ms=9, due_by=None,
    )  # fmt: skip
    Lines(console, {"school:990001": "Ashgrove Down Primary School"}).show(told)
    lines = out.getvalue().splitlines()
    if terminal:
        assert len(lines) > 1
        assert all(len(line.rstrip()) <= 80 for line in lines)
        beside = " ".join(" ".join(line[28:] for line in lines).split())
        assert beside.startswith(WORDS["encompass.alerts.v1"])
    else:
        assert len(lines) == 1
        assert "Ashgrove Down Primary School" in lines[0]
