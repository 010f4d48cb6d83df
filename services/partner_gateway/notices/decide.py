"""Whether a person is to be e-mailed now. Moments and durations are µs; nothing here asks the clock."""

from __future__ import annotations

from dataclasses import dataclass

MINUTE_US = 60_000_000
REMIND_US = 60 * MINUTE_US
"""How long before something is due it is spoken of again, if it is still owed."""

SHORTEST_US = MINUTE_US
"""Between two e-mails to one person, however urgent."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What nobody has read in an inbox yet, or filed (H11), as far as one person may be told."""

    epoch: str
    last: int
    """The inbox's last number at this moment."""
    count: int
    earliest_us: int | None
    """When the first of them is or was due."""
    fresh: int
    """How many of them the person's last e-mail did not speak of."""
    fresh_due_us: int | None
    """When the first of those is due."""
    danger: bool
    """Whether a child of those is, or for all that is known may be, in danger now (H7)."""
    soon: bool
    """Whether something is due within the hour that was not at the last e-mail."""
    later_us: int | None
    """When the first is due of what is not due within the hour."""

    @property
    def remind_us(self) -> int | None:
        """When to look again, if nothing new comes."""
        return None if self.later_us is None else self.later_us - REMIND_US


def is_owed(waits: Waiting, *, sent_us: int, every_us: int, now_us: int) -> bool:
    """Whether an e-mail goes now: something is new, or will soon be due, and the last one was long enough ago.

    What is new and cannot wait for the next regular e-mail (danger, H7; due before it) does not.
    """
    if now_us >= sent_us + every_us:
        return waits.fresh > 0 or waits.soon
    hasty = waits.danger or (waits.fresh_due_us is not None and waits.fresh_due_us < sent_us + every_us)
    return hasty and now_us >= sent_us + SHORTEST_US
