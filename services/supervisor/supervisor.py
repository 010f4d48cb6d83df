"""The supervisor: starts everything in its order, keeps it running, and ends it without leaving anything behind."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, Self

import psutil

from services.bus.errors import Surroundings, UserMistake
from services.bus.settings import Settings
from services.embedded.download import artifacts
from services.embedded.files import FileLock, write_private
from services.embedded.java import say_nothing
from services.supervisor.keeper import Backoff, Keeper
from services.supervisor.process import ServiceProcess
from services.supervisor.readiness import port_of, state_of
from services.supervisor.reasons import meaning
from services.supervisor.rooms import commands, environment, left_out
from services.supervisor.servers import apply_catalogue, brokers_of, servers, with_its_brokers
from services.supervisor.status import (
    ProcessStatus,
    Status,
    hold_path,
    last_told,
    lock_path,
    run_dir,
    running,
    status_path,
)

SOON, LATER = 0.25, 1.0
"""Seconds between two looks at how the services are: until all are ready, and then."""
HUNG_AFTER = 60.0
"""Seconds for which a process may say that it does not live, or say nothing; after that a kill loses nothing."""
GRACE = 2.0
"""Seconds beyond what a service takes to stop by itself."""


class Supervisor:
    """`async with Supervisor(settings()) as up: await up.ready()`. Everything ends with the block."""

    def __init__(
        self,
        at: Settings,
        *,
        services: Mapping[str, Sequence[str]] | None = None,
        extra_env: Mapping[str, str] | None = None,
        external: bool = False,
        brokers: int = 1,
        backoff: Callable[[], Backoff] = Backoff,
        hung_after: float = HUNG_AFTER,
        say: Callable[[str], object] = say_nothing,
        news: Callable[[str], object] = say_nothing,
    ) -> None:
        """
        Args:
            services: what runs, by name: the command of each; default every service of the catalogue.
            extra_env: environment variables for the services, besides the settings.
            external: Kafka and the registry are run by somebody else, even where their addresses are of this machine.
            brokers: of an embedded Kafka, 1 or 3.
            hung_after: seconds after which a process that does not live is ended and started again.
            say: told in a sentence what is being waited for, and an empty one when nothing is.
            news: told in a sentence that a process ended and is started again.

        Raises:
            UserMistake: the catalogue lists a service that there is not, or the data was made with another number of
                brokers.
        """
        self._extra, self._backoff = dict(extra_env or {}), backoff
        self._tell, self._news = say, news
        self._left_out = left_out(at) if services is None else {}
        every = commands(at) if services is None else services
        self._commands = {name: command for name, command in every.items() if name not in self._left_out}
        self._embedded = {} if external else servers(at, self._say, brokers)
        self._brokers = len(brokers_of(self._embedded))
        self._at = with_its_brokers(at, self._embedded)
        self._lock = FileLock(lock_path(at))
        self._since = datetime.now(UTC)
        self._state: Literal["starting", "up", "stopping"] = "starting"
        self._doing = ""
        self._servers: list[Keeper] = []
        self._services: list[Keeper] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._written = ""
        self._hung_after, self._dead_since = hung_after, dict[int, float]()

    async def __aenter__(self) -> Self:
        """Start everything: Kafka and the registry, the catalogue, the services; these are not waited for.

        Raises:
            UserMistake: a supervisor runs on this data directory already, a port is taken, or the catalogue is wrong.
            Surroundings: a download failed, or Kafka or the registry did not start.
        """
        self._take()
        try:
            await asyncio.to_thread(self._end_left_over)
            if self._embedded:
                await self._start_servers()
            if self._brokers:
                self._say("applying the catalogue to Kafka and the registry")
                await _to_its_end(apply_catalogue, self._at)
            self._start_services()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        await self._stop()

    async def ready(self, patience: float = 90.0) -> None:
        """Wait until every process is ready.

        Args:
            patience: seconds.

        Raises:
            Surroundings: some are not by then, or one has ended for a reason that a person must remove; the sentence
                says which and why.
        """
        until = time.monotonic() + patience
        while (told := self.status()).late:
            if told.stuck or time.monotonic() > until:
                self._say("")
                raise Surroundings(f"not ready: {_listed(told.late)}")
            self._say(f"waiting for {_listed(told.late)}")
            await asyncio.sleep(SOON)
        self._say("")

    def status(self) -> Status:
        """How everything is now."""
        return Status(
            pid=os.getpid(),
            since=self._since,
            state=self._state,
            doing=self._doing,
            embedded=self._brokers > 0,
            brokers=self._brokers,
            bootstrap_servers=self._at.bootstrap_servers,
            registry_url=self._at.registry_url,
            data_dir=self._at.data_dir.absolute(),
            processes=tuple(keeper.status() for keeper in (*self._servers, *self._services)),
        )

    async def restart(self, name: str, patience: float = 90.0) -> None:
        """End one process and wait until it has been started again.

        Raises:
            UserMistake: there is none of that name.
            Surroundings: it did not start within `patience` seconds.
        """
        found = {keeper.name: keeper for keeper in (*self._servers, *self._services)}
        if name not in found:
            raise UserMistake(f"there is no process {name}; there are {', '.join(found)}")
        try:
            await asyncio.wait_for(found[name].restart(), patience)
        except TimeoutError:
            raise Surroundings(f"{name} did not start again: {found[name].status().why}") from None

    def hurry(self) -> None:
        """Kill what a stop still waits for. Nothing is lost: what counts is on disk."""
        for keeper in (*self._services, *self._servers):
            # A child that has not been waited for keeps its number, so this is nobody else's.
            if keeper.is_started and keeper.part.pid:
                with suppress(ProcessLookupError):
                    os.kill(keeper.part.pid, signal.SIGKILL)

    # Start

    def _take(self) -> None:
        try:
            run_dir(self._at).mkdir(parents=True, exist_ok=True, mode=0o700)
            taken = self._lock.acquire()
        except OSError as error:
            raise UserMistake(
                f"{self._at.data_dir} cannot be used: {error.strerror}; make it writable, or choose another "
                "SAFEBUS_DATA_DIR"
            ) from error
        if not taken:
            other = running(self._at)
            raise UserMistake(
                f"safebus is up already, process {other.pid if other else self._lock.holder}, with its data in "
                f"{self._at.data_dir}; `safebus status` shows how it is, `safebus down` ends it"
            )

    def _end_left_over(self) -> None:
        """After a kill -9 of the last supervisor: its services end with it, where there is a kernel that sees to it."""
        before = last_told(self._at)
        left = []
        for told in before.processes if before else ():
            with suppress(psutil.Error):
                if told.pid and told.name in self._commands and _runs(told.pid, self._commands[told.name]):
                    left.append(psutil.Process(told.pid))
        for process in left:
            self._say(f"ending process {process.pid}, which an earlier run left behind")
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, GRACE)
        self._forget()

    async def _start_servers(self) -> None:
        await artifacts()
        self._servers = [
            Keeper(
                name,
                server,
                explain=meaning,
                news=self._news,
                backoff=self._backoff(),
                ready_when_started=True,
                address=f"127.0.0.1:{server.port}",
            )
            for name, server in self._embedded.items()
        ]
        try:
            async with asyncio.TaskGroup() as starting:
                for keeper in self._servers:
                    starting.create_task(keeper.start())
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        self._tasks += [asyncio.create_task(keeper.keep()) for keeper in self._servers]

    def _start_services(self) -> None:
        env = environment(self._at, self._extra)
        for sentence in self._left_out.values():
            self._news(sentence)
        for name, command in self._commands.items():
            log = (self._at.data_dir / "logs" / f"{name}.log").absolute()
            part = ServiceProcess(command, env, log, stop_timeout=self._at.stop_timeout + GRACE)
            self._services.append(
                Keeper(
                    name,
                    part,
                    explain=part.explain,
                    news=self._news,
                    backoff=self._backoff(),
                    hold=hold_path(self._at, name),
                )
            )
        self._state = "up"
        self._tasks += [asyncio.create_task(keeper.keep()) for keeper in self._services]
        self._tasks.append(asyncio.create_task(self._look()))

    # Watch

    async def _look(self) -> None:
        """Ask each service how it is, and write down what changed."""
        while True:
            await asyncio.gather(*map(self._ask, self._services))
            ready = self.status().ready
            if ready:
                self._say("")
            self._publish()
            await asyncio.sleep(LATER if ready else SOON)

    async def _ask(self, keeper: Keeper) -> None:
        pid = keeper.part.pid
        port = port_of(keeper.name, pid, run_dir(self._at))
        if not keeper.is_started or port is None:
            return
        host = self._at.http_host
        answer = await state_of(host, port)
        if keeper.part.pid != pid:
            return
        keeper.found(answer.state, answer.why, f"http://{host}:{port}")
        if answer.alive:
            self._dead_since.pop(pid or 0, None)
        elif pid and time.monotonic() - self._dead_since.setdefault(pid, time.monotonic()) > self._hung_after:
            del self._dead_since[pid]
            self._news(f"{keeper.name} hangs, {answer.why}; it is ended and started again")
            self._tasks.append(asyncio.create_task(keeper.restart(f"it hung: {answer.why}")))

    def _say(self, sentence: str) -> None:
        if sentence != self._doing:
            self._doing = sentence
            self._tell(sentence)
        self._publish()

    def _publish(self) -> None:
        told = self.status().model_dump_json(indent=2)
        if told != self._written:
            # A full disk must not end what still runs.
            with suppress(OSError):
                write_private(status_path(self._at), told + "\n")
                self._written = told

    # Stop

    async def _stop(self) -> None:
        """Services first, then what they use. Bounded: each gets its time, then it is killed."""
        self._state = "stopping"
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for keepers, what in ((self._services, "the services"), (self._servers, "Kafka and the schema registry")):
            if any(keeper.part.pid for keeper in keepers):
                self._say(f"stopping {what}")
            await asyncio.gather(*(keeper.part.stop() for keeper in keepers), return_exceptions=True)
        self._forget()
        self._lock.release()

    def _forget(self) -> None:
        """Take away what processes said of themselves while they ran."""
        for path in (status_path(self._at), *(run_dir(self._at) / f"{name}.json" for name in self._commands)):
            path.unlink(missing_ok=True)


def _listed(late: Sequence[ProcessStatus]) -> str:
    return ", ".join(f"{process.name} ({process.why})" if process.why else process.name for process in late)


def _runs(pid: int, command: Sequence[str]) -> bool:
    """Whether that process was started so; its number may be a stranger's by now."""
    return psutil.Process(pid).cmdline()[-len(command) + 1 :] == list(command[1:])


async def _to_its_end(call: Callable[[Settings], None], at: Settings) -> None:
    """In a thread; if we are cancelled, only once it has ended, since a thread cannot be stopped halfway."""
    calling = asyncio.ensure_future(asyncio.to_thread(call, at))
    try:
        await asyncio.shield(calling)
    except asyncio.CancelledError:
        await asyncio.wait({calling}, timeout=30)
        raise
