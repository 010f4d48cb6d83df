"""`safebus trace` and `safebus tail` as an operator types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services.bus.events import OperatorActed
from services.bus.publish import read_all
from services.bus.settings import Settings
from services.cli.tail import moment
from services.operating.masking import MASK
from tests.tracing.conftest import Answer
from tests.tracing.story import NAME, Story


@contextmanager
def tailing(*words: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, as only there Ctrl-C is what it is."""
    command = [sys.executable, "-m", "services.cli", "tail", *words]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"COLUMNS": "400"}
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def test_a_tree_is_printed_with_times_and_nothing_personal(story: Story, here: Settings) -> None:
    """Piped, it is one plain line a record, those that follow further in; the last line says how much was looked at."""
    said = Answer("trace", story.ids["matched"])
    assert said.code == 0
    lines = said.out.splitlines()
    assert [len(line) - len(line.lstrip()) for line in lines[:8]] == [0, 2, 4, 4, 6, 2, 2, 4]
    assert "police.matches.v1" in lines[0]
    assert "to school:990001 as school" in lines[1]
    assert "handover-feed gave up: invalid" in said.out
    assert "joined by disclosure id" in said.out
    assert "8 records in 1 chain, 2 of them missed or dead" in said.out
    assert NAME not in said.out


def test_json_holds_the_same_for_a_program(story: Story, here: Settings) -> None:
    """Every record with its place, its masked content, how long it took, and its effects."""
    told = json.loads(Answer("trace", "--child", story.hiding, "--json").out)
    assert told["location_confidential"] is True
    assert told["asked"] == {"event_id": None, "child": story.hiding}
    alert = next(chain for chain in told["chains"] if chain["topic"] == "encompass.alerts.v1")
    assert alert["content"]["disclosure"]["recipient"] == MASK
    assert any(story.nowhere in note for note in told["notes"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("trace",), "say which"),
        (("trace", "x", "--child", "y"), "say which"),
        (("trace", "nothing-has-this-1"), "no event has the id nothing-has-this-1"),
        (("trace", "--child", "nobody-1"), "nothing was said about nobody-1"),
        (("tail",), "say what to follow"),
        (("tail", "nothing"), "there is no topic nothing"),
        (("tail", "police.incidents", "--reveal"), "add --reason"),
        (("tail", "police.incidents", "--reason", "x"), "--reason goes with --reveal"),
        (("tail", "--child", "Amelia Jones", "--reveal", "--reason", "x"), "no child's id"),
        (("tail", "police.incidents", "--since", "yesterday"), "is no time"),
    ],
)
def test_a_mistake_is_one_sentence(here: Settings, words: tuple[str, ...], sentence: str) -> None:
    """Exit code 2, and what to do; nothing was logged or shown."""
    said = Answer(*words)
    assert said.code == 2
    assert sentence in said.said
    assert len(said.said.strip().splitlines()) == 1


def test_an_inbox_is_its_organisations_own(here: Settings) -> None:
    """An operator follows no inbox: that is refused in one sentence, and does not wait for ever."""
    said = Answer("tail", "inbox.police.thames-valley", "--since", "1h")
    assert said.code == 2
    assert "operator may not read" in said.said


def test_a_child_is_followed_masked_and_left_by_ctrl_c(story: Story, here: Settings) -> None:
    """What came already stands in the order in which it came; Ctrl-C ends it with exit code 0 and not a word more."""
    with tailing("--child", story.child, "--since", "3h", "--json") as running:
        assert running.stdout is not None
        seen = [json.loads(running.stdout.readline()) for _ in range(7)]
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert running.returncode == 0
    assert "Traceback" not in err
    assert [one["taken_at"] for one in seen] == sorted(one["taken_at"] for one in seen)
    assert {one["id"] for one in seen} >= {story.ids[name] for name in ("matched", "alert", "receipt")}
    assert story.other not in str(seen)
    assert NAME not in f"{seen}{out}{err}"


async def test_what_is_revealed_is_logged_before_it_is_shown(story: Story, here: Settings) -> None:
    """Whoever reveals says why; that stands in the log when the first name is shown."""
    with tailing("--child", story.other, "--since", "3h", "--reveal", "--reason", f"complaint {story.tag}") as running:
        assert running.stdout is not None
        assert story.ids["other_alert"] in running.stdout.readline()
        assert f"about.forenames={NAME}" in running.stdout.readline()
        acts = [event async for event in read_all(OperatorActed.topic, "admin", here)]
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=30)
    mine = [act for act in acts if isinstance(act, OperatorActed) and act.reason == f"complaint {story.tag}"]
    assert [(act.act.value, act.about) for act in mine] == [("REVEALED", f"child:{story.other}")]


@pytest.mark.parametrize("said", ["90s", "15min", "2h", "3 d", "2026-11-20T19:40:00Z"])
def test_since_when(said: str) -> None:
    """So long ago, or a moment with its offset."""
    assert moment(said).tzinfo is not None
