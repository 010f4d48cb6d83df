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
        self._waits: float | None = None

    def waiting(self, reason: str) -> None:
        """Alive, but waiting for something outside."""
        self.reason, self._ready = reason, False
        self._waits = self._waits or time.monotonic()
        self.beat()

    def ready(self) -> None:
        self.reason, self._ready, self._waits = "ready", True, None
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

    @property
    def deaf_for(self) -> float:
        """Seconds for which the loop has waited for something outside; 0 while it hears, or where none runs."""
        return time.monotonic() - self._waits if self._waits else 0.0


PROCESS = Health()
"""Of this process's loop, for what is served beside it: what people see may not look live when nothing is heard."""
