"""`safebus performance person`: who may sign in, from their first day to their last."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.bus.errors import UserMistake
from services.bus.settings import settings
from services.cli.performance_people import app


@pytest.fixture(autouse=True)
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SAFEBUS_DATA_DIR", str(tmp_path / "data"))
    settings.cache_clear()
    yield
    settings.cache_clear()


def told(*arguments: str) -> Any:
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_from_the_first_day_to_the_last() -> None:
    """Named before the pages were ever opened, given a link, listed, removed; then no link is made any more."""
    person = told("add", "Noor Haddad", "--post", "partnership analyst", "--role", "analyst")["person_id"]
    assert re.match(r"http://127\.0\.0\.1:\d+/sign-in/link/", told("link", person)["url"])
    assert told("list") == [
        {"person_id": person, "name": "Noor Haddad", "post": "partnership analyst", "role": "analyst"}
    ]
    told("remove", person)
    assert told("list") == []
    for command in (["link", person], ["remove", person], ["add", " ", "--post", "x", "--role", "manager"]):
        assert isinstance(CliRunner().invoke(app, command).exception, UserMistake)


def test_one_sign_in_is_one_person() -> None:
    """Two people cannot be called alike by the issuer."""
    who = ("--post", "analyst", "--role", "manager", "--subject", "abc")
    told("add", "Noor Haddad", *who)
    assert isinstance(CliRunner().invoke(app, ["add", "Sam Okafor", *who]).exception, UserMistake)
