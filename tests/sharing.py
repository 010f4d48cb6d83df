"""How `pytest -n` shares the tests among its processes: by files, and what should not meet itself as one."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

TOGETHER = {
    "tests/cli/test_up.py": "whole installations",
    "tests/e2e/": "whole installations",
    "tests/embedded/": "whole installations",
    "tests/faults/": "faults",
    "tests/client/": "the gateway",
    "tests/partner_gateway/": "the gateway",
    "tests/handover_feed/": "the board",
}
"""Installations of a dozen processes starting at once would keep each other from it; the others share what takes long
to start: a broker to stop and to kill, a gateway with all that it stands on."""


def unit(nodeid: str) -> str:
    """What one process runs from its first test to its last."""
    return next((name for path, name in TOGETHER.items() if nodeid.startswith(path)), nodeid.partition("::")[0])


class ByUnits(LoadFileScheduling):  # type: ignore[misc]
    """The unit with the most tests is handed out first, so that the end is not a long one's."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)
