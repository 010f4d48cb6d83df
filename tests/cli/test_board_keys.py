"""`safebus board key`: shown once, kept by its hash, and revoked within seconds."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.bus.access import Access
from services.bus.clock import Clock
from services.bus.errors import UserMistake
from services.bus.settings import Settings, settings
from services.cli.board import app
from services.handover_feed.door.keys import Keys, Screen
from services.handover_feed.door.serve import NAME


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("SAFEBUS_DATA_DIR", str(tmp_path / "data"))
    settings.cache_clear()
    yield settings()
    settings.cache_clear()


def told(*arguments: str) -> Any:
    done = CliRunner().invoke(app, ["key", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


async def screen(at: Settings, key: str) -> Screen | None:
    access = Access(at, NAME)
    try:
        return await Keys(access, Clock()).screen(key)
    finally:
        access.close()


async def test_a_key_from_its_first_day_to_its_last(at: Settings) -> None:
    """Made before the board ever ran; listed without its secret; revoked, it opens nothing any more."""
    made = told("add", "emergency duty team")
    assert await screen(at, made["key"]) == Screen(made["key_id"], "emergency duty team")
    listed = told("list")
    assert [(one["key_id"], one["name"]) for one in listed] == [(made["key_id"], "emergency duty team")]
    assert made["key"].split("_", 2)[2] not in str(listed)
    told("revoke", made["key_id"])
    assert await screen(at, made["key"]) is None
    assert told("list") == []
    refused = CliRunner().invoke(app, ["key", "revoke", made["key_id"]])
    assert isinstance(refused.exception, UserMistake)


async def test_a_saved_key_is_for_the_owner_only(at: Settings, tmp_path: Path) -> None:
    """The file has it, and the screen does not show it; what cannot be saved was never made."""
    file = tmp_path / "screen.key"
    made = told("add", "emergency duty team", "--save", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "key" not in made
    assert await screen(at, file.read_text().strip())
    failed = CliRunner().invoke(app, ["key", "add", "x", "--save", str(tmp_path / "no" / "such")])
    assert isinstance(failed.exception, UserMistake)
    assert len(told("list")) == 1


def test_in_words_too(at: Settings) -> None:
    """For a person: the key, how to end it, and who has one."""
    runner = CliRunner()
    assert "no screen has a key yet" in runner.invoke(app, ["key", "list"]).stdout
    assert "revoke" in runner.invoke(app, ["key", "add", "front door"]).stdout
    assert "front door" in runner.invoke(app, ["key", "list"]).stdout
