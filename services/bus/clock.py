"""What time it is: the real clock, or a demo's, which one driver steps and every process reads.

A decision takes "now" from its event; only deadlines, opening times of the age check and an output's own `ce_time` ask
here. Latencies are always measured by the real clock.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from services.bus.settings import Settings


class Clock:
    """UTC, from the file if there is one. The file holds one ISO 8601 time and is replaced whole."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file

    @classmethod
    def of(cls, settings: Settings) -> Clock:
        return cls(settings.clock_file)

    def now(self) -> datetime:
        if self._file is None:
            return datetime.now(UTC)
        try:
            told = self._file.read_text()
        except FileNotFoundError:
            return datetime.now(UTC)
        return datetime.fromisoformat(told.strip()).astimezone(UTC)

    def step(self, to: datetime) -> None:
        """Set a demo's clock; atomic for whoever reads it."""
        if self._file is None:
            raise ValueError("the real clock cannot be stepped")
        half = self._file.with_suffix(f".{os.getpid()}")
        half.write_text(to.astimezone(UTC).isoformat())
        half.replace(self._file)
