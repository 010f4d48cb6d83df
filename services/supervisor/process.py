"""One service as a process of its own, with a log of its own, that never outlives us."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from services.bus.errors import UserMistake
from services.embedded.children import spawn
from services.supervisor.reasons import last_words

POLL = 0.1
"""Seconds between two looks at whether it has ended."""
LOG_SIZE = 10_000_000
"""Bytes; a larger log is set aside as .log.1 when the process is started."""


class ServiceProcess:
    """Started and ended any number of times. `pid` is the last one's."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, *, stop_timeout: float = 12.0
    ) -> None:
        """
        Args:
            command: its first word is an absolute path.
            stop_timeout: seconds from SIGTERM to SIGKILL; somewhat longer than the service takes by itself.
        """
        self.log = log
        self._command, self._environment, self._stop_timeout = command, environment, stop_timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._log_began = 0

    @property
    def pid(self) -> int | None:
        """None before the first start."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start it.

        Raises:
            UserMistake: its log cannot be written, or its program is not there.
        """
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self.log.exists() and self.log.stat().st_size > LOG_SIZE:
                self.log.replace(self.log.with_suffix(".log.1"))
            with self.log.open("ab") as log:
                self._log_began = log.tell()
                self._process = spawn(self._command, environment=self._environment, log=log, folder=self.log.parent)
        except OSError as error:
            raise UserMistake(f"{error.filename or self.log} cannot be used: {error.strerror}") from error

    async def wait(self) -> int:
        """Wait until it has ended. Its exit code, negative for a signal."""
        assert self._process is not None, "start() first"
        while (code := self._process.poll()) is None:  # noqa: ASYNC110 - a process has no event to wait for
            await asyncio.sleep(POLL)
        return code

    async def stop(self) -> None:
        """End it, within the stop timeout. Harmless if it does not run."""
        if self._process is None:
            return
        try:
            self._process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wait(), self._stop_timeout)
        finally:
            self._process.kill()
            self._process.wait()

    def explain(self, code: int) -> str:
        """Why it ended with this code."""
        return last_words(self.log, self._log_began, code)
