"""Why a process ended, in words: its own last ones, else what its exit code means."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

from services.bus.errors import EXIT_MISTAKE, EXIT_MUST_STOP, EXIT_TRY_AGAIN

TAIL = 16_384
"""Bytes at the end of a log that are looked at."""

_MEANINGS = {
    0: "it ended by itself",
    1: "it met a fault",
    EXIT_MISTAKE: "something that it was told is wrong",
    EXIT_MUST_STOP: "going on could lose or repeat an event",
    EXIT_TRY_AGAIN: "something around it was away",
}
_RAISED = re.compile(r"([A-Za-z_][\w.]*): .*|[A-Za-z_][\w.]*(?:Error|Exception|Interrupt)")


def meaning(code: int) -> str:
    """What an exit code says; negative ones are signals."""
    if code < 0:
        try:
            return f"killed ({signal.Signals(-code).name})"
        except ValueError:
            return f"killed (signal {-code})"
    return _MEANINGS.get(code, f"it ended with exit code {code}")


def last_words(log: Path, since: int, code: int) -> str:
    """The reason that the process gave in the last line of its log that has one, else the code's meaning.

    Args:
        log: structlog's JSON lines, as services/bus/logs.py has them.
        since: the log's size when the process was started; what stands before is of another one.
    """
    if code < 0:
        return meaning(code)
    lines = _tail(log, since)
    for line in reversed(lines):
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict) and isinstance(said.get("reason"), str):
            return str(said["reason"])
    if any(line.startswith("Traceback ") for line in lines):
        raised = _RAISED.fullmatch(lines[-1])
        # The error's name only: its text may hold what an event said.
        name = (raised[1] or raised[0]) if raised else "an error"
        return f"a fault of safebus itself, {name}; its log has the traceback"
    return meaning(code)


def _tail(log: Path, since: int) -> list[str]:
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(since, size - TAIL))
            return file.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return []
