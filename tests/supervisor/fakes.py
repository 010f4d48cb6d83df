"""Supervisors of small programs: real processes, without Kafka."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from services.bus.settings import Settings
from services.supervisor.keeper import Backoff
from services.supervisor.supervisor import Supervisor

PROGRAM = Path(__file__).with_name("fake_service.py")
PATIENCE = 30.0


def of(folder: Path) -> Settings:
    return Settings(data_dir=folder, stop_timeout=5.0)


def soon() -> Backoff:
    """No test waits longer than it must."""
    return Backoff(first=0.01, most=0.02, slow=0.05)


def services(**how: str) -> dict[str, list[str]]:
    """Commands of fake services by name, each behaving as it is told."""
    return {name: [sys.executable, str(PROGRAM), name, what] for name, what in how.items()}


def supervisor(
    folder: Path, backoff: Callable[[], Backoff] = soon, news: Callable[[str], object] = print, **how: str
) -> Supervisor:
    return Supervisor(of(folder), services=services(**how), external=True, backoff=backoff, news=news)


async def until(holds: Callable[[], object]) -> None:
    """Wait until it holds; a machine may be slow, so for long."""
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.02)


def pid_of(up: Supervisor, name: str) -> int:
    pid = next(process.pid for process in up.status().processes if process.name == name)
    assert pid is not None
    return pid


def lives(pid: int) -> bool:
    """It runs; one that has ended and was not waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
