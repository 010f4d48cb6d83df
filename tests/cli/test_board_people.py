"""`safebus board person` and `link`: the board's people from the first day to the last."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from services.bus.errors import UserMistake
from services.bus.settings import settings
from services.cli.board import app as command


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SAFEBUS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SAFEBUS_BOARD_URL", "https://board.example")
    settings.cache_clear()
    yield
    settings.cache_clear()


def said(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def told(*arguments: str) -> Any:
    done = said(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


SAM = ("person", "add", "Sam Okafor", "--post", "out-of-hours social worker", "--team", "night", "--role")


def test_a_person_from_the_first_day_to_the_last(here: None) -> None:
    """Named before the board ever ran, linked, listed, removed; then neither the list nor a link knows them."""
    person_id = told(*SAM, "worker-night")["person_id"]
    url = told("link", person_id)["url"]
    assert url.startswith("https://board.example/sign-in/link/")
    (one,) = told("list")
    assert one == {
        "person_id": person_id, "name": "Sam Okafor", "post": "out-of-hours social worker", "team": "night",
        "role": "worker-night",
    }  # fmt: skip
    assert "Sam Okafor" in said("list").stdout
    assert told("person", "remove", person_id) == {"person_id": person_id, "removed": True, "still_holds": []}
    assert told("list") == []
    assert "nobody may sign in yet" in said("list").stdout
    for arguments in (("link", person_id), ("person", "remove", person_id)):
        assert isinstance(said(*arguments).exception, UserMistake)


def test_on_postgresql_too(here: None, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the board's own schema, made if the board has not run yet; nothing of it is made twice."""
    monkeypatch.setenv("SAFEBUS_STORE_URL", postgres)
    settings.cache_clear()
    person_id = told(*SAM, "manager")["person_id"]
    assert [one["person_id"] for one in told("list")] == [person_id]
    assert told("link", person_id)["minutes"] == 30


def test_a_mistake_is_one_sentence(here: None) -> None:
    """Exit code 2, and nobody is named."""
    assert isinstance(said(*SAM, "worker-day").exception, UserMistake)
    assert said(*SAM, "director").exit_code == 2
    assert told("list") == []


def test_the_list_shows_no_subject(here: None) -> None:
    """How the issuer calls somebody is nobody's business at the screen."""
    told(*SAM, "manager", "--subject", "issuer-sub-77")
    assert "issuer-sub-77" not in said("list").stdout + said("list", "--json").stdout
