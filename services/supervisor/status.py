"""What a supervisor says of its processes in DATA_DIR/run/status.json, and whether one runs at all."""

from __future__ import annotations

import fcntl
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from services.bus.settings import Settings

State = Literal["starting", "ready", "waiting", "restarting", "stopped"]
"""`waiting`: it lives and says what for. `restarting`: it ended and is started again at `again_at`. `stopped`: so
too, but it will end again until a person does what `why` says."""


class ProcessStatus(BaseModel):
    """One process. All times are UTC."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: State
    why: str = ""
    """What it waits for, or why it ended; empty when it is ready."""
    pid: int | None = None
    since: datetime | None = None
    """When this process was started."""
    again_at: datetime | None = None
    restarts: int = 0
    last_exit: int | None = None
    """Exit code of the process before this one, negative for a signal; None while it was never started again."""
    last_exit_at: datetime | None = None
    last_reason: str = ""
    address: str | None = None
    """Where it listens; a service shows /livez, /readyz and /metrics there."""
    log: Path


class Status(BaseModel):
    """A supervisor and its processes."""

    model_config = ConfigDict(frozen=True)

    pid: int
    since: datetime
    state: Literal["starting", "up", "stopping"]
    doing: str = ""
    """What is being waited for while it starts or stops, in words."""
    embedded: bool
    """Kafka is among the processes."""
    brokers: int = 0
    """Then so many nodes of it are."""
    bootstrap_servers: str
    registry_url: str
    data_dir: Path
    processes: tuple[ProcessStatus, ...] = ()

    @property
    def ready(self) -> bool:
        """Everything is up and ready."""
        return self.state == "up" and not self.late

    @property
    def late(self) -> tuple[ProcessStatus, ...]:
        """Processes that are not ready."""
        return tuple(process for process in self.processes if process.state != "ready")

    @property
    def stuck(self) -> bool:
        """A process waits for a person, so waiting longer changes nothing."""
        return any(process.state == "stopped" for process in self.processes)


def run_dir(at: Settings) -> Path:
    """Where processes say who and where they are."""
    return at.data_dir / "run"


def lock_path(at: Settings) -> Path:
    """Who holds this lock is the supervisor of this data directory; its process id stands in the file."""
    return run_dir(at) / "supervisor.lock"


def status_path(at: Settings) -> Path:
    """What the supervisor says of itself and its processes: a Status as JSON."""
    return run_dir(at) / "status.json"


def hold_path(at: Settings, service: str) -> Path:
    """While a process holds this lock, the supervisor leaves the service stopped: `safebus recover` has it."""
    return run_dir(at) / f"{service}.hold"


def holder_of(lock: Path) -> int | None:
    """The process that holds this lock; None if none does. The kernel frees it however its holder ends."""
    try:
        fd = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                if written := os.pread(fd, 20, 0):
                    return int(written)
                time.sleep(0.01)  # it has the lock and is about to write its pid
            else:
                return None
    finally:
        os.close(fd)


def running(at: Settings) -> Status | None:
    """The supervisor of this data directory, as it says it is; None if there is none."""
    pid = holder_of(lock_path(at))
    if pid is None:
        return None
    told = last_told(at)
    if told is None or told.pid != pid:  # it has only just begun, and this is what the one before it said
        return Status(
            pid=pid,
            since=datetime.now(UTC),
            state="starting",
            embedded=False,
            bootstrap_servers=at.bootstrap_servers,
            registry_url=at.registry_url,
            data_dir=at.data_dir,
        )
    return told


def last_told(at: Settings) -> Status | None:
    """What the last supervisor said, whether it runs or not; None if it stopped in good order."""
    try:
        return Status.model_validate_json(status_path(at).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
