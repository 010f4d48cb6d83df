"""The scenario, whole: a real Kafka, a real registry, every service its own process, judged by what its reader saw."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.embedded.ports import free_port

DEMO = [sys.executable, "-m", "services.cli", "demo"]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A place and ports of its own."""
    return os.environ | {
        "SAFEBUS_DATA_DIR": str(tmp_path / "data"),
        "SAFEBUS_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
        "SAFEBUS_REGISTRY_URL": f"http://127.0.0.1:{free_port()}/apis/ccompat/v7",
    }


@pytest.fixture
def no_orphans(tmp_path: Path) -> Iterator[None]:
    """Whatever a test does, no process of its installation is left."""
    yield
    left = [p for p in psutil.process_iter(["cmdline", "environ"]) if _belongs(p, str(tmp_path))]
    for process in left:
        process.kill()
    assert not left


def _belongs(process: psutil.Process, folder: str) -> bool:
    told = " ".join(process.info["cmdline"] or ()) + str((process.info["environ"] or {}).get("SAFEBUS_DATA_DIR", ""))
    return process.pid != os.getpid() and folder in told


async def _play(env: dict[str, str], *options: str) -> tuple[int, list[dict[str, Any]]]:
    process = await asyncio.create_subprocess_exec(
        *DEMO, *options, env=env, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(process.communicate(), 240)
    assert process.returncode is not None
    return process.returncode, [json.loads(line) for line in said.splitlines()]


@pytest.mark.usefixtures("no_orphans")
@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.soak)])
async def test_everyone_who_has_to_learn_does(env: dict[str, str], tmp_path: Path, times: int) -> None:
    """Everybody learns, in order, and nothing is left running; twice in one place too, so nothing is left locked."""
    for _ in range(times):
        code, lines = await _play(env, "--once", "--json")
        *seen, last = lines
        told = [line for line in seen if line["recipient"] != "handover-board"]
        assert code == 0, last
        summary = last["summary"]
        assert summary["everyone_learnt"]
        assert summary["waiting_for_a_person"] == 2
        assert {"at", "type", "id", "recipient", "purpose", "cause", "latency_ms", "due_by"} == set(told[0])
        assert len({line["id"] for line in told}) == len(told) == summary["reached"]
        on_board = [line for line in seen if line["recipient"] == "handover-board"]
        assert summary["on_the_board"] == len(on_board) == 6
        assert summary["not_on_the_board"] == []
        assert {tuple(line) for line in map(sorted, seen)} == {tuple(sorted(told[0]))}
        by_type = _by_type(told)
        assert by_type["police.notifications.v1"] == ["duty:825"] * 2
        assert sorted(by_type["encompass.alerts.v1"]) == ["school:990001", "school:990002"]
        assert by_type["deadlines.missed.v1"] == ["la:825", "la:825"]
        assert sorted(by_type["gp.updates.v1"]) == ["health:825-school-nursing"] * 2 + ["practice:K82007"] * 2
        assert by_type["strategy.distributions.v1"][0] == "practice:K82007", "who could not attend has them first"
        alerts = [datetime.fromisoformat(line["due_by"]) for line in told if line["type"] == "encompass.alerts.v1"]
        assert {due.date() for due in alerts} == {datetime(2026, 11, 16, tzinfo=UTC).date()}
    logs = b"".join(path.read_bytes() for path in (tmp_path / "data" / "logs").glob("*.log"))
    for personal in (b"Hartley", b"Marchetti", b"9996900606", b"pillow", b"neighbour", b"R825990122998"):
        assert personal not in logs


def _by_type(told: list[dict[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in told:
        found.setdefault(line["type"], []).append(line["recipient"])
    return found


@pytest.mark.usefixtures("no_orphans")
@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_stop_in_the_middle_leaves_nothing_behind(
    env: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    """Stopped while it plays, by somebody who cannot wait: no process, no lock and no word of a process is left."""
    process = await asyncio.create_subprocess_exec(
        *DEMO, "--once", env=env, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(120):
        async for line in process.stdout:
            if b"Friday" in line:
                break
        for _ in range(3):
            process.send_signal(number)
            await asyncio.sleep(0.3)
        await process.stdout.read()
        await process.wait()
    assert process.returncode not in (0, None)
    assert not list((tmp_path / "data" / "run").glob("*.json"))
    assert not list((tmp_path / "data" / "run").glob("demo-clock*"))
