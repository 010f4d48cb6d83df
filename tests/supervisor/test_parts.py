"""The supervisor's small parts, as plain calls."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from services.bus.errors import UserMistake
from services.bus.settings import Settings
from services.supervisor.keeper import Backoff, Keeper
from services.supervisor.process import LOG_SIZE, ServiceProcess
from services.supervisor.reasons import last_words, meaning
from services.supervisor.rooms import commands, environment
from services.supervisor.servers import servers


def test_pauses_double_to_half_a_minute() -> None:
    """1 s, doubling, never more than 30 s: a service that cannot run does not eat the machine."""
    backoff = Backoff()
    assert [backoff.after(1, ready_for=0.0) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]


def test_a_minute_of_health_is_a_new_beginning() -> None:
    """Ready for a minute, then an end: the first pause again. Less than that does not count."""
    backoff = Backoff()
    assert [backoff.after(-9, seconds) for seconds in (0.0, 59.0, 60.0, 0.0)] == [1, 2, 1, 2]


@pytest.mark.parametrize("code", [2, 70])
def test_what_a_person_must_mend_is_tried_slowly(code: int) -> None:
    """From the first end on, since only a person changes how the next start ends."""
    assert Backoff().after(code, ready_for=0.0) == 30


def test_every_code_has_words() -> None:
    """A status never says a number alone."""
    assert meaning(-9) == "killed (SIGKILL)"
    assert meaning(-99) == "killed (signal 99)"
    assert meaning(75) == "something around it was away"
    assert meaning(42) == "it ended with exit code 42"


def test_the_last_reason_of_this_process_counts(tmp_path: Path) -> None:
    """Not an earlier process's, not a line without a reason, not one that is no JSON."""
    log = tmp_path / "log"
    earlier = json.dumps({"event": "ended", "reason": "earlier"}) + "\n"
    lines = [{"event": "waiting", "reason": "first"}, {"event": "ended", "reason": "last"}, {"event": "bye"}]
    log.write_text(earlier + "".join(json.dumps(line) + "\n" for line in lines) + "[1]\nnot JSON {\n")
    assert last_words(log, len(earlier), 1) == "last"
    log.write_text(earlier)
    assert last_words(log, len(earlier), 1) == meaning(1)
    assert last_words(tmp_path / "absent", 0, 1) == meaning(1)


async def test_whatever_keeps_a_process_from_starting_it_is_tried_again() -> None:
    """An error that nobody thought of ends no keeping: it is one more end, and the next start follows."""

    class Unlucky:
        pid, log, tries = None, Path("log"), 0

        async def start(self) -> None:
            self.tries += 1
            raise RuntimeError("of a kind that nobody thought of")

        async def wait(self) -> int:
            raise AssertionError("it never ran")

        async def stop(self) -> None: ...

    part = Unlucky()
    keeper = Keeper("first", part, explain=meaning, news=print, backoff=Backoff(first=0.0))
    keeping = asyncio.create_task(keeper.keep())
    async with asyncio.timeout(30):
        while part.tries < 3:
            await asyncio.sleep(0.01)
    keeping.cancel()
    assert keeper.status().last_reason == "it could not be started (RuntimeError)"


async def test_a_large_log_is_set_aside(tmp_path: Path) -> None:
    """A service that keeps ending for months fills no disk."""
    log = tmp_path / "first.log"
    log.write_bytes(b"x" * (LOG_SIZE + 1))
    process = ServiceProcess(["/bin/echo", "new"], {}, log)
    await process.start()
    assert await process.wait() == 0
    assert log.read_text() == "new\n"
    assert log.with_suffix(".log.1").stat().st_size == LOG_SIZE + 1


def test_services_sign_in_as_themselves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The administrator's name and password, and a port for one, go to no service; every other setting does."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"PRINCIPAL": "admin", "PASSWORD": "secret", "HTTP_PORT": "9000", "BATCH_SIZE": "7"}.items():
        monkeypatch.setenv(f"SAFEBUS_{name}", value)
    monkeypatch.setenv("SAFEBUS_OIDC_CLIENT_SECRET", "theirs to know")
    env = environment(Settings(data_dir=Path("here"), poll_ms=50), {"SAFEBUS_CLOCK_FILE": "there"})
    assert not {"SAFEBUS_PRINCIPAL", "SAFEBUS_PASSWORD", "SAFEBUS_HTTP_PORT"} & set(env)
    assert "secret" not in env.values()
    assert (env["SAFEBUS_BATCH_SIZE"], env["SAFEBUS_POLL_MS"]) == ("7", "50")
    assert env["SAFEBUS_OIDC_CLIENT_SECRET"] == "theirs to know", "not the stars that stand for a secret"
    assert env["SAFEBUS_DATA_DIR"] == str(tmp_path / "here"), "services run in another folder"
    assert env["SAFEBUS_CLOCK_FILE"] == "there"


def test_every_service_of_the_catalogue_has_a_room() -> None:
    """`safebus up` starts each principal of kind service, by the module of its name."""
    found = commands(Settings())
    assert found["mash-outcomes"][-2:] == ["-m", "services.mash_outcomes"]
    assert "police" not in found


def test_a_service_without_a_room_is_told(tmp_path: Path) -> None:
    """One sentence names the service and the module that is missing."""
    catalogue = tmp_path / "topics.yaml"
    text = Settings().catalogue.read_text("utf-8")
    catalogue.write_text(text.replace("principals:\n", "principals:\n  no-such: {kind: service, description: None.}\n"))
    with pytest.raises(UserMistake, match=r"the service no-such, but there is no module services\.no_such"):
        commands(Settings(catalogue=catalogue))


@pytest.mark.parametrize(
    ("kafka", "registry", "expected"),
    [
        ("127.0.0.1:19092", "http://localhost:19081/apis/ccompat/v7", ["kafka", "registry"]),
        ("kafka.example:9092", "https://registry.example/apis/ccompat/v7", []),
        ("kafka.example:9092,127.0.0.1:9092", "http://127.0.0.1:19081/apis/ccompat/v7", ["registry"]),
    ],
)
def test_only_servers_of_this_machine_are_ours(tmp_path: Path, kafka: str, registry: str, expected: list[str]) -> None:
    """An address elsewhere means that somebody else runs it."""
    at = Settings(data_dir=tmp_path, bootstrap_servers=kafka, registry_url=registry)
    found = servers(at, print)
    assert list(found) == expected
    assert [server.port for server in found.values()] == [
        {"kafka": 19092, "registry": 19081}[name] for name in expected
    ]
