"""How a demo begins and ends: never on a real clock's services, never two at once, and whole however it is stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from services.bus.errors import UserMistake
from services.bus.settings import Settings, settings
from services.cli import main
from services.cli.demo import _alone, demo
from services.cli.signals import SIGNALS, ends_in_good_order
from services.embedded.files import FileLock
from services.supervisor.status import lock_path, run_dir


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A data directory of its own, which the command takes from the environment."""
    monkeypatch.setenv("SAFEBUS_DATA_DIR", str(tmp_path))
    for name, value in {"CLOCK_FILE": "", "COMMIT_INTERVAL": "1", "LOG_LEVEL": "WARNING"}.items():
        monkeypatch.setenv(f"SAFEBUS_{name}", value)  # a demo sets them: so they are afterwards as they were
    monkeypatch.delenv("SAFEBUS_CLOCK_FILE")
    settings.cache_clear()
    yield Settings(data_dir=tmp_path)
    settings.cache_clear()


@pytest.mark.parametrize("mark", [None, "1"], ids=["never", "killed"])
def test_a_demo_does_not_play_on_the_real_clock(at: Settings, mark: str | None) -> None:
    """What `safebus up` has started is refused, also where a demo that was killed has left its mark there."""
    run_dir(at).mkdir()
    if mark:
        (run_dir(at) / "demo-clock.pid").write_text(mark)
    up = FileLock(lock_path(at))
    assert up.acquire()
    with pytest.raises(UserMistake, match="on the real clock"):
        demo(once=True, as_json=True)
    up.release()
    assert not (run_dir(at) / "demo-clock").exists()


def test_a_second_demo_leaves_one_that_starts_in_peace(at: Settings) -> None:
    """It is told so in a sentence; it takes away neither the first one's clock nor its mark."""
    with _alone(at):
        clock = run_dir(at) / "demo-clock"
        clock.write_text("2026-11-13T19:30:00+00:00")
        with pytest.raises(UserMistake, match="another demo"):
            demo(once=True, as_json=True)
        assert clock.exists()


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_second_signal_hurries_the_stop_and_does_not_break_it_off(number: signal.Signals) -> None:
    """Ctrl-C twice, `kill` twice, a terminal closed twice: what was begun is stopped to the last process."""
    told: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            for _ in range(2):
                os.kill(os.getpid(), number)
                await asyncio.sleep(0.01)
            told.append("stopped")

    task = asyncio.create_task(work())
    ends_in_good_order(task, lambda: told.append("hurried"))
    await asyncio.sleep(0)
    os.kill(os.getpid(), number)
    with pytest.raises(asyncio.CancelledError):
        await task
    for each in SIGNALS:
        asyncio.get_running_loop().remove_signal_handler(each)
    assert told == ["hurried", "hurried", "stopped"]


def test_ctrl_c_before_a_command_is_loaded_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who starts the wrong thing stops it at once, while its libraries are still being read."""

    class Interrupted(ModuleType):
        def __getattr__(self, name: str) -> None:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "services.cli.app", Interrupted("services.cli.app"))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
