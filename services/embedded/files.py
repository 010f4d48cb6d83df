"""Files that more than one process touches: a lock that dies with its holder, and writes that are whole or absent."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

from services.bus.errors import Surroundings

POLL = 0.05


class FileLock:
    """Held by one process at a time; the operating system frees it when the holder dies, however it dies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting. True if this object holds it now."""
        if self._fd is not None:
            return True
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        os.ftruncate(fd, 0)
        os.write(fd, str(os.getpid()).encode())
        self._fd = fd
        return True

    def release(self) -> None:
        """Let it go; harmless if it is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    @property
    def holder(self) -> str:
        """The pid of the process that holds it, as it wrote it."""
        with suppress(OSError):
            return self.path.read_text() or "unknown"
        return "unknown"


@contextmanager
def locked(
    path: Path, *, cancelled: Event | None = None, waiting: Callable[[str], object] | None = None
) -> Iterator[None]:
    """Wait for the lock on `path` and hold it for the block. `waiting` is told once if another process holds it.

    Raises:
        Surroundings: `cancelled` was set while waiting.
    """
    lock = FileLock(path)
    while not lock.acquire():
        if waiting is not None:
            waiting(f"waiting for process {lock.holder}, which holds {path}")
            waiting = None
        if cancelled is not None and cancelled.is_set():
            raise Surroundings(f"stopped while process {lock.holder} held {path}")
        time.sleep(POLL)
    try:
        yield
    finally:
        lock.release()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; a reader sees the old text or the new, never a part."""
    # mkstemp makes the file 0600 from its first moment, so there is none in which another user can open it.
    fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
