"""Runs one room as a process: connects it, shows its health, stops it in bounded time, and ends with an honest code."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from traceback import extract_tb
from typing import Any, Protocol

import structlog
from starlette.routing import BaseRoute

from services.bus import tracing
from services.bus.broker import Broker
from services.bus.catalogue import load as load_catalogue
from services.bus.clock import Clock
from services.bus.codec import Codec
from services.bus.errors import EXIT_TRY_AGAIN, SafebusError
from services.bus.events import DeadLetter
from services.bus.health import PROCESS, Health
from services.bus.http import StatusPage
from services.bus.kafka import KafkaBroker
from services.bus.logs import configure
from services.bus.loop import Loop
from services.bus.metrics import READY, describe_process
from services.bus.probes import probed
from services.bus.recovery import Recovery
from services.bus.registry import Registry
from services.bus.secrets import password_of
from services.bus.service import Service
from services.bus.settings import Settings, settings_or_end
from services.bus.store import Store
from services.bus.stored import stored

M_ARENA_MAX = -8
"""malloc.h of glibc."""

log = structlog.get_logger()


Beside = Callable[[Settings], AbstractAsyncContextManager[object]]
"""What a process serves beside its loop, such as a door for people; it ends before the process does."""


Shows = Callable[[Settings], Sequence[BaseRoute]]
"""What a process shows beside /metrics, to those who look after it: on the same address, which is no door."""


class Working(Protocol):
    """What a process does until it is told to stop: a service's loop, or what a room without one does."""

    async def run(self) -> None: ...
    def stop(self) -> None:
        """Let `run` end soon. Called in the event loop."""
        ...


def run(service: Service, beside: Beside | None = None, shows: Shows | None = None) -> None:
    """Run until SIGTERM or SIGINT. Ends the process with 0, or with the error's exit code (errors.py)."""

    async def serve(at: Settings) -> int:
        tune_the_interpreter()
        loop = Loop(
            probed(service),
            broker_for(at, at.principal or service.name),
            store_for(at, probed(service)),
            codec_for(at),
            settings=at,
            clock=Clock.of(at),
            health=PROCESS,
        )
        return await _serve(service.name, at, loop, shows(at) if shows else (), around)

    @asynccontextmanager
    async def around(at: Settings) -> AsyncIterator[None]:
        with stored(at, service.name):
            async with beside(at) if beside else nullcontext():
                yield

    _as_a_process(service.name, serve)


class Room(Working, Protocol):
    """A room that is no service. It says to the health that it is given whether it is ready."""

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """What it shows beside /metrics."""
        ...


def run_room(name: str, make: Callable[[Settings, Health], Room]) -> None:
    """As `run`, for a room that is no service."""

    async def serve(at: Settings) -> int:
        room = make(at, PROCESS)
        return await _serve(name, at, room, room.routes, nullcontext)

    _as_a_process(name, serve)


def _as_a_process(name: str, serve: Callable[[Settings], Coroutine[Any, Any, int]]) -> None:
    share_memory_among_threads()
    at = settings_or_end()
    configure(at)
    tracing.start(name, at)
    code = 1
    try:
        code = _loop_runner(serve(at))
    except BaseException as error:  # noqa: BLE001 - a library's cancellation is none of ours
        code = _told(name, error)
    finally:
        tracing.stop()
        # A library's thread that will not end may not keep the process: what counts is stored.
        sys.stderr.flush()
        os._exit(code)


def tune_the_interpreter() -> None:
    """For one thread that decides and one that sends.

    What is imported is never garbage, and a batch makes thousands of objects that die with it: at half this threshold,
    batches of 2,000 events took 8 % longer. The interpreter's own 5 ms for a thread's turn stay: with turns of half a
    millisecond, 4 % fewer events a second were decided.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def share_memory_among_threads() -> None:
    """Before any thread is there. glibc gives each thread a heap of its own, and keeps in each what once was needed:
    with the threads of two Kafka clients that is 20 MiB and more of nothing. Elsewhere than on glibc, nothing."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


async def _serve(
    name: str,
    at: Settings,
    working: Working,
    more: Sequence[BaseRoute],
    around: Callable[[Settings], AbstractAsyncContextManager[object]],
) -> int:
    health = PROCESS
    READY.labels(name).set_function(lambda: float(health.is_ready))
    describe_process(at.data_dir)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _stop, working, at.stop_timeout)
    code = 0
    async with StatusPage(health, at, more) as page:
        _tell_where(at.data_dir, name, page.port)
        try:
            async with around(at):
                await working.run()
        except BaseException as error:  # noqa: BLE001 - as above
            code = _told(name, error)
        _end_within(at.stop_timeout, code)  # a library's task may not let itself be cancelled
    return code


def _told(service: str, error: BaseException) -> int:
    """Say in one line what ended the process; the exit code."""
    if isinstance(error, SafebusError):
        log.error("ended", service=service, reason=str(error), exit_code=error.exit_code)
        return error.exit_code
    # A fault of ours: its place, and not its text, which may hold what an event said.
    where = [f"{frame.filename}:{frame.lineno}" for frame in extract_tb(error.__traceback__)]
    log.error("ended", service=service, reason=type(error).__name__, exit_code=1, where=where)
    return 1


def _stop(working: Working, seconds: float) -> None:
    working.stop()
    _end_within(seconds, EXIT_TRY_AGAIN)


def _end_within(seconds: float, code: int) -> None:
    """What hangs longer is left: stored outputs are sent by the next process."""
    end = threading.Timer(seconds, os._exit, (code,))
    end.daemon = True
    end.start()


def _tell_where(data_dir: Path, service: str, port: int) -> None:
    """For `safebus status`: which process serves its health where."""
    folder = data_dir / "run"
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / f"{service}.{os.getpid()}.half"
    half.write_text(json.dumps({"pid": os.getpid(), "port": port}))
    half.replace(folder / f"{service}.json")


def broker_for(at: Settings, principal: str) -> KafkaBroker:
    """That principal's broker.

    Raises:
        NotPermitted: no password is known for it.
    """
    return KafkaBroker(at, principal, password_of(principal, at) if at.security_protocol.startswith("SASL") else "")


def store_for(at: Settings, service: Service) -> Store:
    """That service's database; who is silent in it for three group sessions has lost what it began."""
    url = at.store_for(service.name)
    return Store(url, service.name, patience=3 * at.session_timeout, projection=service.projection)


def codec_for(at: Settings) -> Codec:
    """The codec of this installation's registry and catalogue."""
    keys = {topic.name: topic.key for topic in load_catalogue(at.catalogue).topics.values() if topic.key}
    return Codec(Registry(at.registry_url, at.cache_dir), keys)


async def recover(service: Service, at: Settings, broker: Broker | None = None) -> Recovery:
    """Rebuild a service's database from the log (recovery.py). Every process of the service must be stopped."""
    broker = broker or broker_for(at, at.principal or service.name)
    recovery = Recovery(service.name, broker, [*service.says, DeadLetter.topic])
    store = store_for(at, service)
    await Loop(service, broker, store, codec_for(at), settings=at, clock=Clock.of(at), recovery=recovery).run()
    return recovery


def _loop_runner(main: Coroutine[Any, Any, int]) -> int:
    with suppress(ImportError):
        import uvloop

        return int(uvloop.run(main))
    return asyncio.run(main)
