"""How urgently an entry asks for attention, kept with it, so that a list of it needs no look at the others."""

from __future__ import annotations

from services.bus.events import DeadlineMissed, HealthUpdated

IN_DANGER, DUE, INFORMATION, READ, FINISHED = range(5)
"""The most urgent first. `DUE` holds what is late as well, as it becomes so by time alone; `READ` is read, and due for
more than that."""


def urgency(kind: str, due_us: int | None, *, in_danger: bool, read: bool, acted: bool) -> int:
    """
    Args:
        kind: the event's type.
        in_danger: of a police notification, whether the child is, or for all that is known may be, in danger now (H7).
    """
    if acted or (read and due_us is None):
        return FINISHED
    if read and kind != HealthUpdated.topic:  # which is owed until somebody has filed and hidden it (H11)
        return READ
    if in_danger and not read:
        return IN_DANGER
    return DUE if due_us is not None or kind == DeadlineMissed.topic else INFORMATION


def order_us(now: int, due_us: int | None, time_us: int) -> int:
    """Entries of one urgency go by when they are due, or were said; the finished, by their number alone."""
    return 0 if now == FINISHED else time_us if due_us is None else due_us
