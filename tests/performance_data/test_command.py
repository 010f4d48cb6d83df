"""`safebus report` and `safebus performance`: months as people write them, and one clear sentence for what is wrong."""

from __future__ import annotations

import sys
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pytest

from services.bus.errors import UserMistake
from services.bus.settings import Settings
from services.cli.performance import _months
from services.performance_data.asking import figures
from services.supervisor import rooms

TODAY = date(2026, 1, 23)


def test_months_as_people_write_them() -> None:
    """By default the last whole month; else that one, this one too, or all from one to another."""
    assert _months(None, None, TODAY) == (date(2025, 12, 1),)
    assert _months("2026-01", None, TODAY) == (date(2026, 1, 1),)
    assert _months("2025-11", "2026-01", TODAY) == (date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1))


@pytest.mark.parametrize(
    ("month", "to", "sentence"),
    [
        ("october", None, "'october' is no month; write it as in 2026-10"),
        ("2026-13", None, "'2026-13' is no month; write it as in 2026-10"),
        ("2025-10,2025-11", None, "one month each, as in 2026-10"),
        ("2026-02", None, "2026-02 has not begun"),
        ("2025-11", "2025-10", "2025-11 comes after 2025-10"),
        (None, "2025-10", "--to needs --month, the first of the months"),
    ],
)
def test_what_is_no_month_is_told_in_a_sentence(month: str | None, to: str | None, sentence: str) -> None:
    """With exit code 2, as any mistake of a person's."""
    with pytest.raises(UserMistake) as refused:
        _months(month, to, TODAY)
    assert (str(refused.value), refused.value.exit_code) == (sentence, 2)


async def test_no_figures_where_the_room_does_not_run(tmp_path: Path) -> None:
    """The sentence says how to start it."""
    with pytest.raises(UserMistake, match=r"does not run on .*; start it with `safebus up`"):
        await figures(Settings(data_dir=tmp_path), [date(2026, 1, 1)])


def test_without_the_extra_the_room_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything else is run; the sentence names what to install."""
    assert rooms.left_out(Settings()) == {}
    monkeypatch.delitem(sys.modules, "faust", raising=False)  # another test may have had it
    monkeypatch.setattr(
        "services.supervisor.rooms.find_spec", lambda name: None if name == "faust" else find_spec(name)
    )
    assert rooms.left_out(Settings()) == {
        "performance-data": "performance-data is not run: it needs faust; pip install 'safebus[statistics]' brings it"
    }
