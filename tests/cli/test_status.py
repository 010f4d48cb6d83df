"""`safebus status` is read at three in the morning, on whatever terminal there is."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from services.cli.status import table
from services.supervisor.status import ProcessStatus, Status

NOW = datetime.now(UTC)
STATUS = Status(
    pid=os.getpid(),
    since=NOW,
    state="up",
    embedded=True,
    bootstrap_servers="127.0.0.1:19092",
    registry_url="http://127.0.0.1:19081",
    data_dir=Path("/d"),
    processes=(
        ProcessStatus(
            name="police-notifications",
            state="restarting",
            pid=os.getpid(),
            since=NOW,
            restarts=3,
            last_exit_at=NOW,
            last_reason="killed (SIGKILL)",
            address="http://127.0.0.1:65535",
            log=Path("/d/log"),
        ),
    ),
)


@pytest.mark.parametrize("width", [50, 60, 79, 80, 120])
def test_no_cell_is_cut_off(width: int) -> None:
    """A narrow terminal leaves cells out; name, state, and how often and why it ended are always whole."""
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(*table(STATUS, width), sep="\n")
    said = " ".join(out.getvalue().split())
    assert "…" not in said
    assert "police-notifications restarting" in said
    assert "ended 3 times" in said
    assert ("127.0.0.1:65535" in said) == (width >= 80)
