"""How `pytest -n` shares the tests among its processes: by files, and what should not meet itself as one."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

TOGETHER = {
    "tests/cli/test_up.py": "whole installations",
    "tests/e2e/": "whole installations",
    "tests/embedded/": "whole installations",
    "tests/client/": "the gateway",
    "tests/partner_gateway/": "the gateway",
    "tests/handover_feed/": "the board and what else needs the stack",
    "tests/dead_letters/": "the board and what else needs the stack",
    "tests/performance_data/test_on_kafka.py": "the board and what else needs the stack",
    "tests/tracing/": "the board and what else needs the stack",
    "tests/faults/": "faults",
    "tests/catalogue/": "the registry",
    "tests/registers/test_importing.py": "the registry",
    "tests/bus/test_registry.py": "the registry",
    "tests/supervisor/test_parts.py": "the registry",
}
"""Installations of a dozen processes starting at once would keep each other from it; the others share what takes long
to start: a broker to stop and to kill, a gateway or a board with all that it stands on (the stack takes 15 s of a
processor, the registry alone 5). These begin first, in this order, the longest at the top: else the last of them would
run alone at the end, for minutes."""

LONG = (
    "tests/people/test_unattended.py",
    "tests/operating/test_ops_page.py",
    "tests/performance_data/pages/browser/test_pages.py",
    "tests/docs/test_recipes.py",
    "tests/lag_monitor/test_telling.py",
    "tests/supervisor/test_supervisor.py",
)
"""Files of their own that take longest. By the alphabet they would come late, and one process would end alone."""


def unit(nodeid: str) -> str:
    """What one process runs from its first test to its last."""
    return next((name for path, name in TOGETHER.items() if nodeid.startswith(path)), nodeid.partition("::")[0])


def turn(nodeid: str) -> int:
    """When a test's unit is handed out: lower is earlier."""
    longest = [*dict.fromkeys(TOGETHER.values()), *LONG]
    name = unit(nodeid)
    return longest.index(name) if name in longest else len(longest)


class ByUnits(LoadFileScheduling):  # type: ignore[misc]
    """Hands out units in the order in which their tests were collected."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # which would begin with the unit that has the most tests

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)
