"""`safebus up` as an operator uses it: the real thing, every process of it, from start to end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest

from services.bus.catalogue import load
from services.bus.errors import UserMistake
from services.bus.settings import Settings
from services.cli.status import as_object
from services.embedded.files import FileLock
from services.embedded.ports import free_port, free_ports
from services.supervisor.servers import servers
from services.supervisor.status import running
from tests.operating.scraping import faults
from tests.soak.reconcile import counts
from tests.soak.report import as_object as as_figures
from tests.soak.report import wrong
from tests.soak.run import Plan, Soak
from tests.supervisor.fakes import lives

PATIENCE = 120.0
RECEIPT = {
    "receipt_id": "r-1",
    "disclosure_id": "5afeb05e-0000-5000-8000-000000000001",
    "child_id": "c-1",
    "role": "SCHOOL",
    "state": "READ",
    "happened_at": "2026-11-20T20:00:00+00:00",
}


class Bus:
    """One installation with a folder and ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = os.environ | {
            "COLUMNS": "120",
            "SAFEBUS_PROBE_INTERVAL": "2",
            "SAFEBUS_DATA_DIR": str(folder),
            "SAFEBUS_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
            "SAFEBUS_REGISTRY_URL": f"http://127.0.0.1:{free_port()}/apis/ccompat/v7",
            "SAFEBUS_GATEWAY_PORT": str(free_ports(1)),
        }

    def safebus(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            env=self.env | env,
            capture_output=True,
            text=True,
            check=False,
        )

    def at_once(self, *commands: Sequence[str]) -> list[subprocess.CompletedProcess[str]]:
        """What each of these says, in their order."""
        with ThreadPoolExecutor(len(commands)) as threads:
            return list(threads.map(lambda words: self.safebus(*words), commands))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`safebus up` in the foreground; returns at once."""
        command = [sys.executable, "-m", "services.cli", "up", *arguments]
        return subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def status(self) -> dict[str, Any]:
        """What `safebus status --json` prints."""
        return as_object(running(Settings(data_dir=self.folder)))

    def until(self, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Wait until the status is so."""
        until = time.monotonic() + PATIENCE
        while not holds(told := self.status()):
            assert time.monotonic() < until, f"{told}\n{self.last_lines()}"
            time.sleep(0.2)
        return told

    @property
    def settings(self) -> Settings:
        """How a program beside it finds everything."""
        names = ("bootstrap_servers", "registry_url", "gateway_port")
        return Settings(data_dir=self.folder, **{name: self.env[f"SAFEBUS_{name.upper()}"] for name in names})  # type: ignore[arg-type]

    def last_lines(self) -> str:
        """The ends of all logs, for whoever wonders why a test failed."""
        logs = sorted((self.folder / "logs").glob("*.log"))
        return "\n".join(f"{log.name}: {line}" for log in logs for line in log.read_text().splitlines()[-5:])


def named(told: dict[str, Any], name: str) -> dict[str, Any]:
    return next(process for process in told["processes"] if process["name"] == name)


def metrics_of(process: dict[str, Any]) -> str:
    with urlopen(f"{process['address']}/metrics", timeout=10) as page:
        return str(page.read(), "utf-8")


def everything_of(bus: Bus, told: dict[str, Any]) -> list[int]:
    return [told["pid"], *(process["pid"] for process in told["processes"])]


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    """Up and ready; whatever a test does, nothing of it is left afterwards."""
    bus = Bus(tmp_path_factory.mktemp("bus"))
    try:
        done = bus.safebus("up", "--detach")
        assert done.returncode == 0, done.stderr
        assert bus.status()["ready"], "`up --detach` returns when all is ready"
        yield bus
    finally:
        if up := bus.status().get("pid"):
            os.kill(up, signal.SIGKILL)  # what it started ends with it
            bus.until(lambda _: not lives(up))
        for process in psutil.process_iter(["cmdline"]):
            assert not any(str(bus.folder) in word for word in process.info["cmdline"] or ()), "an orphan"


def test_every_service_is_ready_with_its_own_process(bus: Bus) -> None:
    """Kafka, the registry and each service of the catalogue, each with its address; exit code 0."""
    told = json.loads(bus.safebus("status", "--json").stdout)
    assert [process["name"] for process in told["processes"][:2]] == ["kafka", "registry"]
    assert len({process["pid"] for process in told["processes"]}) == len(told["processes"]) > 6
    shown = bus.safebus("status")
    assert shown.returncode == 0
    assert all(process["name"] in shown.stdout for process in told["processes"])
    assert all(process["memory_mib"] < 150 for process in told["processes"][2:]), "DESIGN: no process of ours above it"


def test_a_second_up_says_so_and_changes_nothing(bus: Bus) -> None:
    """In the foreground or behind: it tells that safebus is up, with exit code 0."""
    before = everything_of(bus, bus.status())
    for said in bus.at_once(["up"], ["up", "--detach"]):
        assert said.returncode == 0
        assert "was up already" in said.stderr
    assert everything_of(bus, bus.status()) == before


def test_the_catalogue_was_applied(bus: Bus) -> None:
    """`safebus topics plan` sees no difference on what `safebus up` made, with no option given."""
    said = bus.safebus("topics", "plan")
    assert (said.returncode, said.stderr) == (0, "")


def test_every_process_tells_what_is_written_down_and_no_more(bus: Bus) -> None:
    """/metrics of each: names, kinds, labels and their values are those of the allow-list (tests/operating)."""
    until = time.monotonic() + PATIENCE
    for process in bus.status()["processes"][2:]:
        while found := list(faults(metrics_of(process), process["name"])):  # what it asks others for comes later
            assert time.monotonic() < until, found
            time.sleep(0.5)


def test_a_probe_comes_back_through_every_service(bus: Bus) -> None:
    """Each answers through its own loop, and the lag monitor, which times it, finds none silent."""
    services = load(Settings().catalogue).services
    came = [f'safebus_probe_seconds_count{{service="{name}"}}' for name in services]
    bus.until(lambda told: all(line in metrics_of(named(told, "lag-monitor")) for line in came))


def test_an_event_is_published_by_whom_the_catalogue_lets(bus: Bus, tmp_path: Path) -> None:
    """The reader's receipt is taken and reaches the service; the police's is refused in one line, as is a stranger's
    and a wrong password.
    """
    file = tmp_path / "receipt.json"
    file.write_text(json.dumps(RECEIPT))
    taken = bus.safebus("publish", "DisclosureRead", str(file), "--as", "reader", "--id", "e-1", "--json")
    assert (taken.returncode, taken.stderr) == (0, "")
    said = json.loads(taken.stdout)
    assert (said["id"], said["source"], said["type"]) == ("e-1", "urn:safebus:reader", "receipts.v1")
    refused = bus.at_once(
        ["publish", "DisclosureRead", str(file), "--as", "police"],  # may not see the topic
        ["publish", "DisclosureRead", str(file), "--as", "deadlines"],  # may read it, not write it
        ["publish", "DisclosureRead", str(file), "--as", "nobody"],
    )
    wrong = bus.safebus("publish", "DisclosureRead", str(file), "--as", "reader", SAFEBUS_PASSWORD="wrong")
    assert [done.returncode for done in (*refused, wrong)] == [2, 2, 2, 2]
    assert [len(done.stderr.splitlines()) for done in (*refused, wrong)] == [1, 1, 1, 1]
    assert "wrong user or password" in wrong.stderr


@pytest.mark.soak
def test_a_killed_service_and_a_killed_kafka_come_back(bus: Bus) -> None:
    """kill -9 of either: started again, with how often and why; the others go on as the same processes."""
    before = bus.status()
    for name in ("gp-updates", "kafka"):
        os.kill(named(before, name)["pid"], signal.SIGKILL)
    bus.until(lambda told: named(told, "gp-updates")["restarts"] and named(told, "kafka")["restarts"])
    after = bus.until(lambda told: told["ready"])
    for name in ("gp-updates", "kafka"):
        assert named(after, name)["pid"] != named(before, name)["pid"]
        assert (named(after, name)["restarts"], named(after, name)["last_reason"]) == (1, "killed (SIGKILL)")
    assert named(after, "registry")["pid"] == named(before, "registry")["pid"]
    assert "gp-updates ended once" in bus.safebus("status").stdout


def test_a_process_is_restarted_when_it_is_told_to(bus: Bus) -> None:
    """It ends in good order, and the command returns once the next is ready; there is none of that name: one line."""
    before = bus.until(lambda told: told["ready"])
    done = bus.safebus("restart", "strategy_minutes")
    after = bus.status()
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    assert named(after, "strategy-minutes")["pid"] != named(before, "strategy-minutes")["pid"]
    assert str(named(after, "strategy-minutes")["pid"]) in done.stdout
    assert named(after, "strategy-minutes")["last_exit"] == 0
    stranger = bus.safebus("restart", "nobody")
    assert (stranger.returncode, len(stranger.stderr.splitlines())) == (2, 1)


def test_a_service_that_runs_is_not_recovered(bus: Bus) -> None:
    """Two processes on one database could tell something twice; the sentence says who has it."""
    told = bus.status()
    names = ("deadlines", "strategy_minutes")
    for name, said in zip(names, bus.at_once(*(["recover", name] for name in names)), strict=True):
        pid = named(told, name.replace("_", "-"))["pid"]
        assert (said.returncode, f"runs, process {pid};" in said.stderr) == (2, True)
    assert everything_of(bus, bus.status()) == everything_of(bus, told)


def test_a_lost_database_is_recovered_beside_the_rest(bus: Bus, tmp_path: Path) -> None:
    """A service whose database is gone stops and says what to do; `safebus recover` does it while Kafka stays up, and
    the supervisor then starts the service without being asked.
    """
    file = tmp_path / "receipt.json"
    file.write_text(json.dumps(RECEIPT))
    assert bus.safebus("publish", "DisclosureRead", str(file), "--as", "reader", "--id", "e-2").returncode == 0
    told = bus.until(lambda told: told["ready"])
    heard = 'safebus_heard_total{outcome="done",service="deadlines",type="receipts.v1"}'
    bus.until(lambda told: heard in metrics_of(named(told, "deadlines")))
    hold = FileLock(bus.folder / "run" / "deadlines.hold")
    assert hold.acquire()  # so that it is not started again while its database goes
    os.kill(named(told, "deadlines")["pid"], signal.SIGTERM)  # in good order: what it read, Kafka is told
    bus.until(lambda told: not named(told, "deadlines")["pid"])
    for part in (bus.folder / "stores").glob("deadlines.db*"):
        part.unlink()
    hold.release()
    stopped = named(bus.until(lambda told: named(told, "deadlines")["state"] == "stopped"), "deadlines")
    assert stopped["last_exit"] == 70
    assert "safebus recover deadlines" in stopped["last_reason"]
    done = bus.safebus("recover", "deadlines", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["events"] >= 1
    assert named(bus.until(lambda told: told["ready"]), "deadlines")["state"] == "ready"


async def test_the_county_with_faults_all_the_while_comes_out_even(bus: Bus) -> None:
    """Some seconds of a county's day, services and the broker killed and paused: nothing lost, nothing twice.

    Every inbox is gapless and in order, and every event is accounted for; with one entry taken out it would not be.
    `make soak` does so for minutes.
    """
    plan = Plan(seconds=5, rate=3000, every=1, pauses=(0.2, 1.0), patience=180, schools=3, practices=3, seed=5)
    result = await Soak(bus.settings, lambda: running(bus.settings), plan).run()
    assert wrong(result) == [], f"{as_figures(result)}\n{bus.last_lines()}"
    assert sum(result.faults.done.values()) > 0
    assert {"police.incidents.v1", "mash.contacts.v1", "mash.decisions.v1"} <= result.ledger.sent.keys()
    assert counts(result.seen)["in inboxes"] == counts(result.seen)["disclosures"] > 100
    last = next(entries for entries in result.seen.inboxes.values() if entries).pop()
    assert any(last.disclosure_id in finding for finding in wrong(result))


def test_it_ends_in_good_order(bus: Bus) -> None:
    """`down` waits until nothing of it lives, and a `down` of nothing is no error."""
    pids = everything_of(bus, bus.status())
    assert bus.safebus("down").returncode == 0
    assert not any(map(lives, pids))
    assert bus.safebus("status").returncode == 1
    nothing = bus.safebus("down")
    assert (nothing.returncode, "nothing to stop" in nothing.stdout) == (0, True)
    assert not list((bus.folder / "run").glob("*.json"))


def test_it_starts_again_on_the_data_that_was_there(bus: Bus) -> None:
    """After a `down`, in the foreground; SIGINT ends that too. What was begun behind is the fixture's."""
    bus.safebus("down")
    up = bus.start()
    told = bus.until(lambda told: told["ready"] or up.poll() is not None)
    assert up.poll() is None, up.communicate()[0]
    os.kill(told["pid"], signal.SIGINT)
    up.communicate(timeout=PATIENCE)
    assert not any(map(lives, everything_of(bus, told)))
    assert not list((bus.folder / "run").glob("*.json"))


@pytest.mark.parametrize(("made", "told", "asked"), [(1, "one broker", ("3",)), (3, "3 brokers", ("1", "--detach"))])
def test_data_is_opened_with_as_many_brokers_as_it_was_made_with(
    tmp_path: Path, made: int, told: str, asked: tuple[str, ...]
) -> None:
    """One sentence that says which number that was; in the foreground and behind, and nothing is started."""
    bus = Bus(tmp_path)
    data = tmp_path / ("kafka" if made == 1 else "kafka-2") / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("cluster.id=made-up\n")
    said = bus.safebus("up", "--brokers", *asked)
    assert (said.returncode, len(said.stderr.splitlines())) == (2, 1)
    assert f"was made with {told} " in said.stderr
    assert f"`--brokers {made}`" in said.stderr


def test_two_brokers_are_no_number(tmp_path: Path) -> None:
    """With two, losing either would stop both."""
    with pytest.raises(UserMistake, match="1 broker or 3, not 2"):
        servers(Settings(data_dir=tmp_path), print, brokers=2)


@pytest.mark.soak
def test_three_brokers_run_as_one_does(tmp_path: Path) -> None:
    """`up --brokers 3`, twice, `status`, a broker killed, `topics plan`, the supervisor killed, `up` again, `down`."""
    bus = Bus(tmp_path)
    first = free_ports(6)
    bus.env["SAFEBUS_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{first}"
    brokers = ["kafka-1", "kafka-2", "kafka-3"]
    up = bus.start("--brokers", "3")
    try:
        told = bus.until(lambda told: told["ready"] or up.poll() is not None)
        assert [process["name"] for process in told["processes"][:4]] == [*brokers, "registry"]
        assert told["bootstrap_servers"] == ",".join(f"127.0.0.1:{first + n}" for n in range(3))
        assert bus.safebus("up", "--brokers", "3").returncode == 0
        another = bus.safebus("up")
        assert (another.returncode, "another number of brokers than 1" in another.stderr) == (2, True)
        os.kill(named(told, "kafka-1")["pid"], signal.SIGKILL)
        plan = bus.safebus("topics", "plan")  # asks the other two
        assert (plan.returncode, plan.stderr) == (0, "")
        bus.until(lambda told: named(told, "kafka-1")["restarts"] == 1 and told["ready"])
        left = everything_of(bus, bus.status())
    finally:
        up.kill()
        up.communicate()
    bus.until(lambda _: not any(map(lives, left)))
    assert bus.safebus("up", "--brokers", "3", "--detach").returncode == 0
    pids = everything_of(bus, bus.status())
    assert bus.safebus("topics", "plan").returncode == 0
    assert bus.safebus("down").returncode == 0
    assert not any(map(lives, pids))


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    """It says which port, who would have it, and how to choose another; in the foreground and behind."""
    bus = Bus(tmp_path)
    bus.env["SAFEBUS_REGISTRY_URL"] = "http://registry.example/apis/ccompat/v7"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        bus.env["SAFEBUS_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{port}"
        for arguments in (["up"], ["up", "--detach"]):
            said = bus.safebus(*arguments)
            assert said.returncode == 2
            assert f"port {port}, where Kafka would listen, cannot be had" in said.stderr.splitlines()[-1]
            assert "Traceback" not in said.stderr
