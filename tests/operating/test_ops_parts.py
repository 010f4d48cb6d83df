"""The parts of the operators' page: charts with their words, what is watched, what needs somebody."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.bus.errors import UserMistake
from services.bus.settings import Settings
from services.lag_monitor.ops import shown, words
from services.lag_monitor.ops.charts import chart
from services.lag_monitor.ops.targets import Target, targets
from services.lag_monitor.ops.wrong import wrong
from tests.operating import desks


def test_a_chart_says_what_it_draws() -> None:
    """The latest, the lowest and the highest, for who cannot see it; the drawing itself is hidden from their reader."""
    drawn = chart([0, 12, None, 3], words.number, "the last hour")
    assert drawn.said == "now 3, between 0 and 12 in the last hour"
    assert 'aria-hidden="true"' in drawn.svg
    assert "style=" not in drawn.svg, "the page's policy allows no inline style"


def test_a_gap_is_a_gap() -> None:
    """What was not measured is not drawn as 0, nor bridged; a lone value between gaps is a dot."""
    svg = str(chart([1, 1, None, 2, None, 3, 3], words.number, "an hour").svg)
    line = svg.split('chart__line" d="')[1].split('"')[0]
    assert line.count("M") == 3
    assert line.count("h0") == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], "not measured in an hour"),
        ([None], "not measured in an hour"),
        ([0, 0], "0 throughout an hour"),
        ([5], "5 throughout an hour"),
        ([1, None], "1 throughout an hour"),
        ([1, 2, None], "between 1 and 2 in an hour"),
        ([None, 4, 2], "now 2, between 2 and 4 in what was measured of an hour"),
    ],
)
def test_a_chart_of_little_is_told_in_words(values: list[float | None], said: str) -> None:
    """No division by nothing, and no `now` where nothing is known of now."""
    assert chart(values, words.number, "an hour").said == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (0.0004, "1 ms"), (0.25, "250 ms"), (2.5, "2.5 s"), (59.6, "60 s"), (600, "10 min"),
     (3540, "59 min"), (3600, "1 h 00"), (7500, "2 h 05"), (200_000, "2 d")],
)  # fmt: skip
def test_a_length_of_time_is_read_at_a_glance(seconds: float, said: str) -> None:
    """One unit, two where they matter."""
    assert words.span(seconds) == said


def test_a_moment_of_another_day_has_its_date() -> None:
    """Retention is days away, and a bare time would be taken for tonight's; London's clocks, in summer too."""
    now = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    assert words.moment(now, now) == "23:30:00"
    assert words.moment(now + timedelta(hours=1), now) == "Thu 2 Jul, 00:30"


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0 a second"), (2.5, "2.5 a second"), (0.5, "30 a minute"), (0.001, "3.6 an hour")]
)
def test_a_slow_rate_is_told_by_the_minute_or_hour(value: float, said: str) -> None:
    """Most topics of one county have a few events an hour, which 0.001 a second does not tell anybody."""
    assert words.rate(value) == said


def test_what_runs_in_the_data_directory_is_watched(tmp_path: Path) -> None:
    """By what each process wrote down of itself; what has ended, and what is no such file, is not asked."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "deadlines.json").write_text(json.dumps({"pid": os.getpid(), "port": 4711}))
    (run / "gone.json").write_text(json.dumps({"pid": 2**22 + 1, "port": 4712}))
    (run / "status.json").write_text(json.dumps({"pid": os.getpid(), "state": "up"}))
    (run / "half.json").write_text("{")
    assert targets(Settings(data_dir=tmp_path)) == [Target("deadlines", "http://127.0.0.1:4711")]


def test_named_processes_are_watched_wherever_they_are(tmp_path: Path) -> None:
    """As in containers, where no process can see another's."""
    at = Settings(data_dir=tmp_path, ops_targets="a=http://one:9100, b=https://two:9100/metrics")
    assert targets(at) == [Target("a", "http://one:9100"), Target("b", "https://two:9100")]
    for bad in ("one:9100", "a=one:9100", "=http://one:9100", "a=ftp://one"):
        with pytest.raises(UserMistake, match=r"SAFEBUS_OPS_TARGETS.*NAME=http://HOST:PORT"):
            targets(Settings(data_dir=tmp_path, ops_targets=bad))


def test_a_good_night_has_nothing_that_needs_somebody(tmp_path: Path) -> None:
    """No false alarm."""
    desk = desks.well(tmp_path)
    assert desk.looked_at is not None
    assert wrong(desk, desk.looked_at) == []


def test_a_bad_night_says_what_and_how_to_look(tmp_path: Path) -> None:
    """Each trouble once, with a command, and a place on the page that tells more."""
    desk = desks.ill(tmp_path)
    assert desk.looked_at is not None
    found = wrong(desk, desk.looked_at)
    said = "\n".join(one.what for one in found)
    for word in ("encompass-alerts is not ready", "mash-outcomes is stalled", "recipient’s webhook fails",
                 "No probe has come through mash-outcomes", "outputs that it decided and has not sent",
                 "dead letters in the last hour", "left on the disk"):  # fmt: skip
        assert said.count(word) == 1, word
    assert all(one.do.startswith("safebus ") and one.where.startswith("#") for one in found)


def test_what_may_harm_a_child_comes_first(tmp_path: Path) -> None:
    """An escalation of immediate danger that reached nobody (H7) stands above every fault of a machine."""
    desk = desks.ill(tmp_path)
    board = desk.answers["handover-feed"]
    samples = {**board.samples, "safebus_board_escalations_unreached": {frozenset[tuple[str, str]](): 1.0}}
    desk.answers["handover-feed"] = replace(board, samples=samples)
    assert desk.looked_at is not None
    assert "immediate danger" in wrong(desk, desk.looked_at)[0].what


def test_a_process_that_is_gone_is_shown_as_gone(tmp_path: Path) -> None:
    """It does not vanish from the page in the moment in which it matters; after an hour it does."""
    desk = desks.well(tmp_path)
    assert desk.looked_at is not None
    left = {name: answer for name, answer in desk.answers.items() if name != "deadlines"}
    desk.take(left, desk.looked_at)
    assert [one.what for one in wrong(desk, desk.looked_at)] == ["deadlines is not ready"]
    for _ in range(720):
        desk.take(left, desk.looked_at)
    assert "deadlines" not in desk.answers


def test_the_worst_group_is_first(tmp_path: Path) -> None:
    """Whoever opens the page sees what is wrong without a search."""
    desk = desks.ill(tmp_path)
    assert desk.looked_at is not None
    found = shown.groups(desk, desk.looked_at)
    assert found[0].name == "mash-outcomes"
    assert found[0].colour == "red"
    assert found[0].more[1][:3] == ["mash.decisions.v1", "3", "2,400"]
