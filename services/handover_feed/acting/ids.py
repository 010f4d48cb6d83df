"""Ids of what is said at the board: the same form, the same id, whoever sends it how often."""

from __future__ import annotations

from services.bus.envelope import same_cause_same_id


def event_id(kind: type, form_id: str) -> str:
    """Of the event of that kind that a form's own id leads to."""
    return str(same_cause_same_id("board", kind.__name__, form_id))


def decision_id(act_id: str, enquiry_id: str) -> str:
    """Of the decision on one enquiry that a form leads to."""
    return str(same_cause_same_id("board", "decision", act_id, enquiry_id))
