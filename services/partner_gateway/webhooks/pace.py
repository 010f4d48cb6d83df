"""When a notice is tried again, and when an endpoint is left in peace for a while."""

from __future__ import annotations

from random import uniform

SECOND_US = 1_000_000
FIRST_US = 5 * SECOND_US
LONGEST_US = 3_600 * SECOND_US
LONGEST_REST_US = 900 * SECOND_US

UNWELL = 3
"""So many entries in a row whose first attempt failed are a fault of the endpoint, not of an entry."""


def again_after(attempts: int) -> int:
    """µs until a notice's next attempt: 5 s, 15 s, 45 s … to an hour; up to half less, so that not all come at once."""
    return _spread(min(FIRST_US * 3 ** min(attempts - 1, 10), LONGEST_US))


def rest(failing: int) -> int:
    """µs in which nothing is sent to an endpoint: none while it is well, then 5 s, 15 s … to 15 minutes."""
    return _spread(min(FIRST_US * 3 ** min(failing - UNWELL, 10), LONGEST_REST_US)) if failing >= UNWELL else 0


def _spread(us: int) -> int:
    return int(us * uniform(0.5, 1))  # noqa: S311 - nothing to guess here
