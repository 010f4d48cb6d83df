"""Passwords are made once and kept where only their owner reads them."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from services.bus.errors import UserMistake
from services.embedded import secrets_for


def test_what_is_there_is_kept_and_what_is_missing_is_made(tmp_path: Path) -> None:
    """A second call for more principals changes no password that was given out, a person's own choice included."""
    path = tmp_path / "new" / "secrets.json"
    first = secrets_for(["admin", "police"], path)
    assert len(set(first.values())) == 2
    path.write_text(json.dumps(first | {"chosen": 'by "hand"'}))

    second = secrets_for(["police", "chosen", "importer"], path)
    assert second["police"] == first["police"]
    assert second["chosen"] == 'by "hand"'
    assert json.loads(path.read_text()) == first | second


def test_only_the_owner_reads_them(tmp_path: Path) -> None:
    """The file is made 0600; one that was opened to others is closed again."""
    path = tmp_path / "secrets.json"
    secrets_for(["admin"], path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    secrets_for(["admin"], path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_processes_that_ask_at_once_get_the_same(tmp_path: Path) -> None:
    """Nobody is handed a password that another process then overwrites."""
    path = tmp_path / "secrets.json"
    with ProcessPoolExecutor(4) as pool:
        answers = list(pool.map(secrets_for, [["admin", f"only-{i}"] for i in range(20)], [path] * 20))
    assert len({answer["admin"] for answer in answers}) == 1
    kept = json.loads(path.read_text())
    assert all(answer.items() <= kept.items() for answer in answers)


def test_a_damaged_file_is_told_without_its_content(tmp_path: Path) -> None:
    """One sentence that names the file and none of the passwords in it; the file stays as it is."""
    path = tmp_path / "secrets.json"
    for damaged in ('{"admin": "hush"', '["hush"]', '{"admin": 7}'):
        path.write_text(damaged)
        with pytest.raises(UserMistake, match=r"secrets\.json is not a JSON object") as told:
            secrets_for(["admin"], path)
        assert "hush" not in str(told.value)
        assert path.read_text() == damaged
