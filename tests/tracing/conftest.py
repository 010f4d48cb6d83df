"""A few events on the session's stack, and the command as it is typed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from services.bus.errors import SafebusError
from services.bus.settings import Settings, settings
from services.cli.app import app
from tests.tracing.story import Story


@pytest.fixture(scope="session")
def story(stack: Settings) -> Story:
    """What was said of two children, published once; no test writes more under its ids."""
    told = Story(stack)
    asyncio.run(told.publish())
    return told


class Answer:
    """What the command said, and its exit code; a mistake's sentence as `services.cli.main` would tell it."""

    def __init__(self, *words: str) -> None:
        done = CliRunner().invoke(app, list(words), env={"COLUMNS": "200", "TERM": "dumb"})
        mistake = done.exception if isinstance(done.exception, SafebusError) else None
        if done.exception and not mistake and not isinstance(done.exception, SystemExit):
            raise done.exception
        self.code = mistake.exit_code if mistake else done.exit_code
        self.out, self.said = done.stdout, f"{done.output}{mistake or ''}"


@pytest.fixture
def here(stack: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The stack, as the command's environment."""
    for name in ("data_dir", "secrets_file", "bootstrap_servers", "registry_url", "replication_factor"):
        monkeypatch.setenv(f"SAFEBUS_{name.upper()}", str(getattr(stack, name)))
    settings.cache_clear()
    yield settings()
    settings.cache_clear()
