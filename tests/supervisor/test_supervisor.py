"""What a supervisor promises, with real processes that it starts, watches and ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.bus.errors import Surroundings, UserMistake
from services.embedded.files import FileLock
from services.supervisor.keeper import Backoff
from services.supervisor.status import hold_path, last_told, running, status_path
from services.supervisor.supervisor import Supervisor
from tests.supervisor.fake_service import SECRET
from tests.supervisor.fakes import lives, of, pid_of, services, soon, supervisor, until

A_SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from tests.supervisor.fakes import supervisor

async def main(folder, platform):
    sys.platform = platform  # where no kernel ends a child with its parent, if it is not this one
    async with supervisor(Path(folder), first="ready", second="ready") as up:
        await up.ready()
        print(*(process.pid for process in up.status().processes), flush=True)
        await asyncio.sleep(600)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_everything_is_ready_and_then_nothing_is_left(tmp_path: Path) -> None:
    """`ready` returns when every process answers that it is; after the block none lives, and the lock is free."""
    async with supervisor(tmp_path, first="ready", second="ready") as up:
        await up.ready()
        told = running(of(tmp_path))
        assert told is not None
        assert told.ready
        assert [process.name for process in told.processes] == ["first", "second"]
        assert all(process.address and process.address.startswith("http://") for process in told.processes)
        pids = [pid_of(up, "first"), pid_of(up, "second")]
        assert all(map(lives, pids))
    assert not any(map(lives, pids))
    assert running(of(tmp_path)) is None
    assert not list((tmp_path / "run").glob("*.json"))


async def test_a_killed_service_is_started_again(tmp_path: Path) -> None:
    """It runs again as another process, and the status says how often and why; the other one was left in peace."""
    news: list[str] = []
    async with supervisor(tmp_path, news=news.append, first="ready", second="ready") as up:
        await up.ready()
        killed, other = pid_of(up, "first"), pid_of(up, "second")
        os.kill(killed, signal.SIGKILL)
        await until(lambda: up.status().processes[0].restarts)
        await up.ready()
        first, second = up.status().processes
        assert (first.restarts, first.last_exit, first.last_reason) == (1, -9, "killed (SIGKILL)")
        assert first.pid != killed
        assert (second.pid, second.restarts) == (other, 0)
    assert any("first ended, killed" in sentence for sentence in news)


async def test_what_keeps_ending_is_started_again_and_again(tmp_path: Path) -> None:
    """An end at each start does not stop the supervisor from trying; the last reason of its log is told."""
    async with supervisor(tmp_path, first="exits:75", second="ready") as up:
        await until(lambda: up.status().processes[0].restarts > 2)
        first, second = up.status().processes
        assert first.last_reason == "the database belongs to another cluster"
        assert first.last_exit == 75
        await until(lambda: up.status().processes[1].state == "ready")
        assert second.restarts == 0


@pytest.mark.parametrize("code", [2, 70])
async def test_what_a_person_must_mend_is_said_at_once(tmp_path: Path, code: int) -> None:
    """`ready` does not wait for a service that will end the same way again; it passes the service's own reason on."""
    async with supervisor(tmp_path, lambda: Backoff(slow=60.0), first=f"exits:{code}", second="ready") as up:
        with pytest.raises(Surroundings, match=r"first \(the database belongs to another cluster\)"):
            await up.ready(patience=60.0)
        assert up.status().processes[0].state == "stopped"
        assert up.status().processes[0].again_at is not None


async def test_an_error_is_told_by_its_name_alone(tmp_path: Path) -> None:
    """The text of an unexpected error may hold what an event said: it stands in no status."""
    async with supervisor(tmp_path, first="raises") as up:
        await until(lambda: up.status().processes[0].restarts)
        assert "ValueError" in up.status().processes[0].last_reason
        assert SECRET not in up.status().model_dump_json()
        assert SECRET in (tmp_path / "logs" / "first.log").read_text()


@pytest.mark.parametrize(("how", "why"), [("waiting", "the broker is away"), ("stuck", "the loop has stopped turning")])
async def test_a_service_says_what_it_waits_for(tmp_path: Path, how: str, why: str) -> None:
    """What /readyz says is in the status; what /livez says, when it does not even live."""
    async with supervisor(tmp_path, first=how) as up:
        await until(lambda: up.status().processes[0].state == "waiting")
        assert up.status().processes[0].why == why
        with pytest.raises(Surroundings, match=why):
            await up.ready(patience=0.0)


@pytest.mark.parametrize("how", ["stuck", "silent"])
async def test_what_hangs_is_ended_and_started_again(tmp_path: Path, how: str) -> None:
    """It says that it does not live, or nothing at all, for too long: another takes its place, and the status says why.
    One that only waits for something is let be."""
    settings = of(tmp_path).model_copy(update={"stop_timeout": -1.5})
    commands = services(first="waiting", second=how)
    async with Supervisor(settings, services=commands, external=True, backoff=soon, hung_after=0.3) as up:
        await until(lambda: up.status().processes[0].state == up.status().processes[1].state == "waiting")
        waiting = pid_of(up, "first")
        await until(lambda: up.status().processes[1].restarts >= 1)
        assert up.status().processes[1].last_reason.startswith("it hung: ")
        assert pid_of(up, "first") == waiting


async def test_a_restart_that_is_asked_for_comes_at_once(tmp_path: Path) -> None:
    """`restart` returns when another process runs, whatever pause an end would have had."""
    async with supervisor(tmp_path, lambda: Backoff(first=600.0, most=600.0), first="ready") as up:
        await up.ready()
        before = pid_of(up, "first")
        await up.restart("first")
        assert pid_of(up, "first") != before
        await up.ready()
        os.kill(pid_of(up, "first"), signal.SIGKILL)
        await until(lambda: up.status().processes[0].state == "restarting")
        await up.restart("first")  # in the middle of its pause
        await up.ready()
        with pytest.raises(UserMistake, match="there is no process other; there are first"):
            await up.restart("other")


async def test_one_that_does_not_end_is_killed(tmp_path: Path) -> None:
    """A stop is bounded: what ignores SIGTERM is killed after the stop timeout."""
    at = of(tmp_path).model_copy(update={"stop_timeout": -1.5})  # with the grace, half a second
    async with Supervisor(at, services=services(first="stubborn"), external=True) as up:
        await up.ready()
        pid = pid_of(up, "first")
    assert not lives(pid)


async def test_in_a_hurry_nothing_is_waited_for(tmp_path: Path) -> None:
    """`hurry` ends a stop that would have waited long."""
    at = of(tmp_path).model_copy(update={"stop_timeout": 600.0})
    up = Supervisor(at, services=services(first="stubborn"), external=True)
    async with asyncio.timeout(60):
        async with up:
            await up.ready()
            pid = pid_of(up, "first")
            asyncio.get_running_loop().call_later(0.3, up.hurry)
    assert not lives(pid)


async def test_a_second_supervisor_is_refused(tmp_path: Path) -> None:
    """One data directory, one supervisor; the sentence says which process has it, and the first one goes on."""
    async with supervisor(tmp_path, first="ready") as up:
        await up.ready()
        with pytest.raises(UserMistake, match=f"up already, process {os.getpid()}"):
            await supervisor(tmp_path, first="ready").__aenter__()
        assert lives(pid_of(up, "first"))
        assert running(of(tmp_path)) == up.status()


async def test_a_service_in_recovery_is_left_alone(tmp_path: Path) -> None:
    """While `safebus recover` holds it, it is not started; when that is over it is, without waiting out its pause."""
    hold = FileLock(hold_path(of(tmp_path), "first"))
    async with supervisor(tmp_path, lambda: Backoff(first=600.0, most=600.0), first="ready") as up:
        await up.ready()
        assert hold.acquire()
        os.kill(pid_of(up, "first"), signal.SIGKILL)
        await until(lambda: "recovered by process" in up.status().processes[0].why)
        assert up.status().processes[0].pid is None
        hold.release()
        await up.ready()
        assert up.status().processes[0].restarts == 1


async def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Nothing that keeps a process from starting ends the supervisor."""
    (tmp_path / "logs").write_text("a file where the folder of logs should be")
    async with supervisor(tmp_path, first="ready") as up:
        await until(lambda: up.status().processes[0].restarts > 1)
        assert "cannot be used" in up.status().processes[0].last_reason


@pytest.mark.parametrize(
    "platform",
    [
        pytest.param(sys.platform, marks=pytest.mark.skipif(sys.platform != "linux", reason="asks Linux's kernel")),
        "elsewhere",
    ],
)
async def test_killed_itself_it_leaves_nothing_that_hinders(tmp_path: Path, platform: str) -> None:
    """After kill -9 of a supervisor its services end with it, or with the next start, which works at once."""
    starter = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", A_SUPERVISOR, str(tmp_path), platform], stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    pids = [int(pid) for pid in (await asyncio.to_thread(starter.stdout.readline)).split()]
    assert len(pids) == 2
    assert all(map(lives, pids))
    starter.kill()
    starter.wait()
    starter.stdout.close()
    if platform == "linux":
        await until(lambda: not any(map(lives, pids)))
    assert status_path(of(tmp_path)).exists()
    assert running(of(tmp_path)) is None, "what a dead supervisor said is not believed"
    async with supervisor(tmp_path, first="ready", second="ready") as up:
        await up.ready()
        assert not any(map(lives, pids))


async def test_a_strangers_process_is_never_ended(tmp_path: Path) -> None:
    """A number in an old status file may be anybody's by now: only what was started as our service is ended."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger:  # noqa: ASYNC220
        async with supervisor(tmp_path, first="ready") as up:
            await up.ready()
            said = up.status().model_dump_json().replace(str(pid_of(up, "first")), str(stranger.pid))
        status_path(of(tmp_path)).write_text(said)
        before = last_told(of(tmp_path))
        assert before is not None
        assert before.processes[0].pid == stranger.pid
        async with supervisor(tmp_path, first="ready") as up:
            await up.ready()
        assert lives(stranger.pid)
        stranger.kill()
