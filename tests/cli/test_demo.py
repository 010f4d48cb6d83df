"""How a demo ends: Ctrl-C after it was played is how it is meant to end, before that it was broken off."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any, Self

import pytest

from services.bus.settings import settings
from services.cli import demo as room
from services.cli.demo.driver import Result


class Up:
    """In place of the supervisor."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """It takes a moment, and that is waited for."""
        await asyncio.sleep(0.01)
        Up.stopped = True

    stopped = False

    async def ready(self) -> None: ...

    def hurry(self) -> None: ...

    def status(self) -> None: ...


async def interrupted(*_: Any) -> None:
    """Ctrl-C while this is waited for."""
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.Event().wait()


@pytest.mark.parametrize(("when", "code"), [("_stay", 0), ("_play", 130)])
def test_ctrl_c_and_the_exit_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, when: str, code: int) -> None:
    """What was started is stopped first, either way."""
    monkeypatch.setenv("SAFEBUS_DATA_DIR", str(tmp_path))
    for name in ("SAFEBUS_CLOCK_FILE", "SAFEBUS_COMMIT_INTERVAL", "SAFEBUS_LOG_LEVEL"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # so that what the demo sets is taken back
        monkeypatch.delenv(name)
    settings.cache_clear()

    async def played(*_: Any) -> Result:
        return Result()

    Up.stopped = False
    monkeypatch.setattr(room, "Supervisor", Up)
    monkeypatch.setattr(room, "_play", played)
    monkeypatch.setattr(room, when, interrupted)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    try:
        assert room.demo() == code
    finally:
        settings.cache_clear()
    assert Up.stopped
