"""A whole installation is lost, and put back from its backup."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.test_up import Bus

SCHOOL = "school:110394"


def done(bus: Bus, *arguments: str) -> str:
    """What a command printed that had to succeed."""
    ran: subprocess.CompletedProcess[str] = bus.safebus(*arguments)
    assert ran.returncode == 0, f"{arguments}: {ran.stdout}{ran.stderr}\n{bus.last_lines()}"
    return ran.stdout


@pytest.mark.soak
def test_a_lost_disk_is_put_back_with_its_log_or_beside_it(tmp_path: Path) -> None:
    """Partners, keys, inboxes and events of a bus that was down; and of databases alone, whose Kafka went on."""
    bus = Bus(tmp_path / "data")
    bus.env["SAFEBUS_GATEWAY_PORT"] = bus.env["SAFEBUS_BOARD_PORT"] = "0"
    try:
        done(bus, "up", "--detach")
        done(bus, "partner", "add", SCHOOL, "--as", "agency", "--sandbox", "--save", str(tmp_path / "key"))
        done(bus, "partner", "test", SCHOOL)
        assert "Kafka and the registry are not in it" in done(bus, "backup", str(tmp_path / "hot"))
        done(bus, "partner", "test", SCHOOL)
        partners = json.loads(done(bus, "partner", "list", "--json"))
        done(bus, "down")
        done(bus, "backup", str(tmp_path / "cold"))

        (tmp_path / "data").rename(tmp_path / "lost")
        done(bus, "restore", str(tmp_path / "cold"))
        done(bus, "up", "--detach")
        assert json.loads(done(bus, "partner", "list", "--json")) == partners
        done(bus, "partner", "test", SCHOOL)
        done(bus, "down")

        (tmp_path / "data").rename(tmp_path / "went-on")
        assert "safebus recover" in done(bus, "restore", str(tmp_path / "hot"))
        for server in ("kafka", "registry"):
            (tmp_path / "went-on" / server).rename(tmp_path / "data" / server)
        assert bus.safebus("up", "--detach").returncode != 0
        told = bus.status()
        behind = [process["name"] for process in told["processes"] if process["state"] == "stopped"]
        assert "partner-gateway" in behind
        for name in behind:
            done(bus, "recover", name)
        bus.until(lambda now: now["ready"])
        assert json.loads(done(bus, "partner", "list", "--json")) == partners
        done(bus, "partner", "test", SCHOOL)
    finally:
        bus.safebus("down")
