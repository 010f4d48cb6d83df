"""Whether a process lives and is ready, in words that an operator can act on."""

from __future__ import annotations

import time

STALE = 60.0
"""Seconds without a turn of the loop after which a process no longer counts as alive."""


class Health:
    """Set by the loop, shown at /livez and /readyz."""

    def __init__(self) -> None:
        self.reason = "starting"
        self._ready = False
        self._beat = time.monotonic()

    def waiting(self, reason: str) -> None:
        """Alive, but waiting for something outside."""
        self.reason, self._ready = reason, False
        self.beat()

    def ready(self) -> None:
        self.reason, self._ready = "ready", True
        self.beat()

    def beat(self) -> None:
        """The loop has turned."""
        self._beat = time.monotonic()

    @property
    def is_ready(self) -> bool:
        return self._ready and self.is_alive

    @property
    def is_alive(self) -> bool:
        return time.monotonic() - self._beat < STALE
