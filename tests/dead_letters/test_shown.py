"""How dead letters look at a terminal."""

from __future__ import annotations

import pytest

from services.cli.letters_shown import listed
from services.operating.letters import fold
from tests.dead_letters.test_plan import NOW, TOPIC, letter


@pytest.mark.parametrize("width", [44, 80, 120])
def test_no_name_is_broken_however_narrow_the_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a terminal's usual eighty columns the table has no room, and half a name finds nothing in a log."""
    monkeypatch.setenv("COLUMNS", str(width))
    named = letter(1, service="police-notifications", reason_code="undecodable")
    listed(fold([named, letter(2)], []), NOW, "open", 2, everything=False)
    told = capsys.readouterr().out
    flat = " ".join(told.split())
    for words in ("police-notifications", "undecodable"):
        assert flat.count(words) == 2, "among the counts, and in its own line"
    for words in (str(named.dead_letter_id)[:8], TOPIC, "once mended", "1 min"):
        assert words in flat
    assert max(map(len, told.splitlines()[:-1])) <= width
    assert ("how urgent" in told) is (width >= 100)
