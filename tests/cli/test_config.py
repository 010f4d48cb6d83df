"""`safebus config` tells every setting, and no secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.bus.settings import Settings, settings
from services.cli.app import app
from services.cli.config import HIDDEN


@pytest.fixture(autouse=True)
def _settings_read_anew() -> Iterator[None]:
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_every_setting_is_listed() -> None:
    """Each field of Settings, by its variable, with the words that say what it means."""
    said = CliRunner().invoke(app, ["config", "--json"])
    rows = {row["name"]: row for row in json.loads(said.stdout)}
    assert list(rows) == [f"SAFEBUS_{name.upper()}" for name in Settings.model_fields]
    assert rows["SAFEBUS_BATCH_SIZE"] == {
        "name": "SAFEBUS_BATCH_SIZE",
        "value": 500,
        "source": "default",
        "description": "events in one database transaction",
    }
    assert "SAFEBUS_BATCH_SIZE" in CliRunner().invoke(app, ["config"]).stdout


def test_each_setting_is_explained_and_its_value_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also in a narrow terminal a value can be copied as it stands; none is left without a word on what it means."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("SAFEBUS_DATA_DIR", str(tmp_path / ("a" * 60)))
    assert f"SAFEBUS_DATA_DIR = {tmp_path}/{'a' * 60}  (environment)\n" in CliRunner().invoke(app, ["config"]).stdout
    rows = json.loads(CliRunner().invoke(app, ["config", "--json"]).stdout)
    assert [row["name"] for row in rows if not row["description"]] == []


def test_it_says_where_a_value_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment set is told apart from what nobody set, even where both are the same."""
    monkeypatch.setenv("SAFEBUS_BATCH_SIZE", "500")
    said = CliRunner().invoke(app, ["config", "--json"])
    sources = {row["name"]: row["source"] for row in json.loads(said.stdout)}
    assert sources["SAFEBUS_BATCH_SIZE"] == "environment"
    assert sources["SAFEBUS_POLL_MS"] == "default"


@pytest.mark.parametrize("arguments", [["config"], ["config", "--json"]])
def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    """Neither a password nor one that stands within a URL; the rest of the URL stays."""
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("SAFEBUS_PASSWORD", "s3cret-one")
    monkeypatch.setenv("SAFEBUS_STORE_URL", "postgresql+psycopg://bus:s3cret-two@db.example/bus")
    monkeypatch.setenv("SAFEBUS_REGISTRY_URL", "https://bus:s3cret-three@registry.example/")
    said = CliRunner().invoke(app, arguments).stdout
    assert "s3cret" not in said
    assert f"postgresql+psycopg://bus:{HIDDEN}@db.example/bus" in said
