"""`safebus demo`: a real Kafka, every service as its own process, and a Friday night that must not be missed."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from rich.console import Console

from services.bus.clock import Clock
from services.bus.directory import Recorded
from services.bus.errors import UserMistake
from services.bus.settings import Settings, settings
from services.cli import EXIT_INTERRUPTED
from services.cli.demo import analyst
from services.cli.demo.door import LEAD, keys_file, sign_in_link
from services.cli.demo.driver import Driver, Result
from services.cli.demo.night import WORKER, sign_in_url
from services.cli.demo.story import london
from services.cli.demo.timeline import Json, Lines, Timeline
from services.cli.signals import ends_in_good_order
from services.handover_feed.door.serve import where as where_board
from services.partner_gateway.door.serve import where
from services.registers import cli as registers
from services.registers.importing import bring_in
from services.registers.reading import Parsed
from services.supervisor.status import Status, run_dir, running
from services.supervisor.supervisor import Supervisor

DATA = Path(__file__).parent / "data"
SOMEBODY_WAS_NOT_TOLD = 1


def demo(*, once: bool = False, as_json: bool = False) -> int:
    """Play the scenario; the exit code: 0 only if everyone who had to learn did, 130 if it was broken off before.

    Args:
        once: end by itself when it is played. Without a terminal it does so anyway.
        as_json: an object a line instead of a timeline for people.

    Raises:
        UserMistake: safebus is up here without a demo's clock, or a port is taken.
        Surroundings: a download failed, or something did not start.
    """
    at = _on_a_clock_of_its_own()
    timeline: Timeline = Json() if as_json else Lines(Console(), _names())
    stay = not once and sys.stdout.isatty()
    return asyncio.run(_until_told_to_stop(at, timeline, stay))


def _on_a_clock_of_its_own() -> Settings:
    """Settings with a clock file; the importers and publishers of this process read them too."""
    os.environ["SAFEBUS_CLOCK_FILE"] = str(_clock_file(settings()))
    os.environ.setdefault("SAFEBUS_COMMIT_INTERVAL", "0.2")
    os.environ.setdefault("SAFEBUS_LOG_LEVEL", "WARNING")
    settings.cache_clear()
    return settings()


def _clock_file(at: Settings) -> Path:
    return run_dir(at).absolute() / "demo-clock"


async def _until_told_to_stop(at: Settings, timeline: Timeline, stay: bool) -> int:
    work = asyncio.current_task()
    assert work is not None
    result: Result | None = None
    with suppress(asyncio.CancelledError), ExitStack() as playing:
        playing.enter_context(_alone(at))
        if (other := running(at)) is not None:
            _on_our_clock(at, other)
            ends_in_good_order(work)
            timeline.say(f"using what is up already, process {other.pid}")
            result = await _play(at, timeline)
        else:
            up = Supervisor(at, say=timeline.wait, news=timeline.say)
            ends_in_good_order(work, up.hurry)
            with _marked(at):
                async with up:
                    await up.ready()
                    timeline.wait("")
                    result = await _play(at, timeline)
                    playing.close()  # another demo may play on what is up
                    if stay:
                        await _stay(at, up.status(), timeline.say)
    if result is None:
        return EXIT_INTERRUPTED
    return 0 if result.everyone_learnt else SOMEBODY_WAS_NOT_TOLD  # Ctrl-C after that is how it is meant to end


async def _stay(at: Settings, status: Status, say: Callable[[str], None]) -> None:
    """Until a signal."""
    _say_where(status, say)
    say(await _sign_in(at))
    say(await _to_the_board(at))
    say(await _to_the_figures(at))
    await asyncio.Event().wait()


async def _play(at: Settings, timeline: Timeline) -> Result:
    clock = Clock.of(at)
    started = time.monotonic()
    clock.step(london(13, 19, 30))
    try:
        await _import(timeline.say)
        async with Driver(at, title=timeline.title, show=timeline.show, show_board=timeline.show_board) as driver:
            result = await driver.play()
    finally:
        _clock_file(at).unlink(missing_ok=True)  # from here on the real time
    timeline.end(result, time.monotonic() - started)
    timeline.say(f"The recipients read at the gateway, {where(at)}; their API keys are in {keys_file(at)}")
    timeline.say(f"The handover board is at {where_board(at)}; `safebus board list` shows who may sign in")
    return result


def _registers() -> Iterator[tuple[str, type[Recorded], Parsed]]:
    """The demo's files, read: name, type of record, what they say."""
    yield "organisations.yaml", *registers.read(registers.Kind.TEAMS, DATA / "organisations.yaml")
    calendar = DATA / "school-calendar.yaml"
    yield "schools.csv", *registers.read(registers.Kind.GIAS, DATA / "schools.csv", calendar=calendar)
    yield "practices.csv", *registers.read(registers.Kind.ODS, DATA / "practices.csv", authority="825")
    yield "children.csv", *registers.read(registers.Kind.CHILDREN, DATA / "children.csv")


def _names() -> dict[str, str]:
    """What the organisations are called, for people who watch."""
    return {
        said.id: str(said.fields["name"])
        for _, _, parsed in _registers()
        for said in parsed.said
        if "name" in said.fields
    }


async def _import(say: Callable[[str], None]) -> None:
    """The registers, through the door that everybody uses."""
    for name, record, parsed in _registers():
        changes = await bring_in(record, parsed, "importer")
        say(f"{name}: {len(changes.new)} new, {len(changes.changed)} changed, {changes.unchanged} as they were")


@contextmanager
def _marked(at: Settings) -> Iterator[None]:
    """So that a second demo knows that these services follow the demo's clock."""
    mark = _mark(at)
    Clock.of(at).step(london(13, 19, 30))
    mark.write_text(str(os.getpid()))
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)
        _clock_file(at).unlink(missing_ok=True)


def _mark(at: Settings) -> Path:
    return _clock_file(at).with_suffix(".pid")


def _on_our_clock(at: Settings, other: Status) -> None:
    """Refuse to play on services of the real clock: a mark may be what a demo that was killed has left."""
    mark = _mark(at)
    if not mark.exists() or mark.read_text() != str(other.pid):
        raise UserMistake(
            f"safebus is up already, process {other.pid}, on the real clock; `safebus down` ends it, or give the "
            "demo a place of its own: SAFEBUS_DATA_DIR and other ports"
        )


@contextmanager
def _alone(at: Settings) -> Iterator[None]:
    """One demo starts or plays at a time: they would step each other's clock."""
    run_dir(at).mkdir(parents=True, exist_ok=True, mode=0o700)
    with (run_dir(at) / "demo.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserMistake("another demo is playing here; wait until it has ended") from None
        yield


async def _sign_in(at: Settings) -> str:
    """How to see an inbox as a school sees it. On the real clock: the demo's has ended."""
    if (link := await sign_in_link(at)) is None:
        return ""
    return f"Look into a school's inbox, as {LEAD}, within 30 minutes and once: {where(at)}/sign-in/link/{link}"


async def _to_the_board(at: Settings) -> str:
    """How to see the night as the out-of-hours team sees it."""
    return f"See the handover board, as {WORKER}, within 30 minutes and once: {await sign_in_url(at)}"


async def _to_the_figures(at: Settings) -> str:
    """How to see what the partnership sees of it."""
    if (url := await analyst.sign_in_url(at)) is None:
        return ""
    return f"See the partnership's figures, as {analyst.ANALYST}, within 30 minutes and once: {url}"


def _say_where(status: Status, say: Callable[[str], None]) -> None:
    say(f"\nIt stays up until Ctrl-C. Kafka {status.bootstrap_servers} · registry {status.registry_url}")
    say(f"Passwords and logs are in {status.data_dir}; `safebus status` shows every process and its metrics.")
