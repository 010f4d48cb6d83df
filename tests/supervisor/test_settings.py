"""A room whose settings are wrong ends with one sentence for each, and exit code 2: no traceback, and no value."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("room", ["services.handover_feed", "services.deadlines"])
def test_a_room_tells_which_setting_is_wrong(room: str) -> None:
    """The board's hours, which its wiring needs, and a number that is none; what was set may be a secret."""
    wrong = {"SAFEBUS_BOARD_NIGHT_FROM": "07:00", "SAFEBUS_BATCH_SIZE": "SECRETMARK"}
    ended = subprocess.run(
        [sys.executable, "-m", room], env=os.environ | wrong, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 2
    number, hours = ended.stderr.splitlines()
    assert number == "SAFEBUS_BATCH_SIZE: input should be a valid integer, unable to parse string as an integer"
    assert hours.startswith("SAFEBUS_BOARD_NIGHT_FROM: the night begins at 07:00, which must be after the day")
