"""The secrets file: only its owner reads it, and nobody is ever given two passwords."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.bus.errors import NotPermitted, UserMistake
from services.bus.secrets import load_secrets, password_of, renew_secret, secrets_for
from services.bus.settings import Settings


def test_a_password_is_generated_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """The second asker gets the first one's password; the file and its folder are closed to others."""
    path = tmp_path / "new" / "secrets.json"
    first = secrets_for(["police", "reader"], path)
    assert secrets_for(["reader"], path) == {"reader": first["reader"]}
    assert first["police"] != first["reader"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["secrets.json"]


def test_what_stands_in_the_file_is_kept(tmp_path: Path) -> None:
    """A missing principal is added; the others' passwords stay, also those that nobody asked for."""
    path = tmp_path / "secrets.json"
    path.write_text('{"admin": "given"}')
    added = secrets_for(["police"], path)
    assert load_secrets(path) == {"admin": "given", **added}


def _ask(path: Path) -> dict[str, str]:
    return secrets_for([f"p{number}" for number in range(20)], path)


def test_two_processes_that_ask_at_once_get_the_same_passwords(tmp_path: Path) -> None:
    """Nobody is left with a password that another process has overwritten."""
    path = tmp_path / "secrets.json"
    with ProcessPoolExecutor(4) as pool:
        answers = list(pool.map(_ask, [path] * 8))
    assert all(answer == answers[0] for answer in answers)


def test_a_renewed_password_replaces_the_old_one_alone(tmp_path: Path) -> None:
    """`--rotate` changes one principal."""
    path = tmp_path / "secrets.json"
    before = secrets_for(["police", "reader"], path)
    renewed = renew_secret("police", path)
    assert load_secrets(path) == before | {"police": renewed}
    assert renewed != before["police"]


@pytest.mark.parametrize("text", ["{", "[]", '{"police": 1}'])
def test_a_damaged_file_is_one_sentence_without_its_content(tmp_path: Path, text: str) -> None:
    """A file that is no JSON object of strings is refused, never overwritten."""
    path = tmp_path / "secrets.json"
    path.write_text(text)
    with pytest.raises(UserMistake, match="not a JSON object of passwords"):
        secrets_for(["reader"], path)
    assert path.read_text() == text


def test_whose_password_the_environment_holds(tmp_path: Path) -> None:
    """SAFEBUS_PASSWORD is SAFEBUS_PRINCIPAL's; anyone else's comes from the file, and no password is a clear no."""
    path = tmp_path / "secrets.json"
    path.write_text(json.dumps({"reader": "from the file"}))
    config = Settings(secrets_file=path, principal="police", password=SecretStr("from the environment"))
    assert password_of("police", config) == "from the environment"
    assert password_of("reader", config) == "from the file"
    with pytest.raises(NotPermitted, match=r"no password for deadlines in .*topics apply"):
        password_of("deadlines", config)


def test_without_any_password_one_is_told_what_makes_them(tmp_path: Path) -> None:
    """Before the first start `topics apply` lacks a password itself, so it is not what is advised."""
    with pytest.raises(NotPermitted, match=r"nothing was started here yet.*`safebus up` makes it") as told:
        password_of("admin", Settings(secrets_file=tmp_path / "secrets.json"))
    assert "topics apply" not in str(told.value)


def test_a_file_that_others_could_read_is_closed(tmp_path: Path) -> None:
    """Somebody copied it carelessly: from the next look on only its owner can read it."""
    path = tmp_path / "secrets.json"
    secrets_for(["police"], path)
    path.chmod(0o644)
    load_secrets(path)
    assert path.stat().st_mode & 0o077 == 0
