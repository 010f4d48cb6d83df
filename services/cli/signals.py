"""What Ctrl-C, SIGTERM and a closed terminal do to a command that has processes of its own."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def ends_in_good_order(work: asyncio.Task[Any], hurry: Callable[[], None] = lambda: None) -> None:
    """The first signal cancels `work`, which then stops what it has started; each one after that calls `hurry`.

    It never cancels twice: that would break off the stop itself, and leave behind what was still to be stopped.
    """

    def stop() -> None:
        if work.cancelling():
            hurry()
        else:
            work.cancel()

    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop)
