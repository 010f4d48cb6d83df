"""What dies in the police's rooms, and why; a mark stands where nothing may leak from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from services.bus.events import ChildMatched, IncidentReported
from services.police_notifications.wiring import SERVICE as NOTIFICATIONS
from tests.police_notifications.samples import PLACES, child, identity, incident, record

MARK = "Zyxwvut"
"""A name, which only who reveals it sees."""
__all__ = ["MARK", "NOTIFICATIONS", "PLACES", "maya", "reported", "unsaid", "whose"]


def unsaid(event: Any) -> Any:
    """The same without an envelope, so that whoever publishes it says it."""
    return type(event)(**{name: getattr(event, name) for name in type(event).model_fields})


def reported(tag: str, number: int, **changed: Any) -> IncidentReported:
    """An incident of a child whom nobody can match for certain."""
    about = identity(forenames=MARK, nhs_number=None)
    now = datetime.now(UTC)
    made = incident(child(about=about), incident_id=f"incident-{tag}-{number}", at=now, **changed)
    return unsaid(made)  # type: ignore[no-any-return]


def whose(tag: str, number: int, reference: str = "c1") -> ChildMatched:
    """The answer that it is Maya, whom the directory may not have yet."""
    return ChildMatched(
        incident_id=f"incident-{tag}-{number}",
        child_reference=reference,
        child_id=f"maya-{tag}",
        decided_by=MARK,
        reason=f"{MARK} said so",
    )


def maya(tag: str) -> Any:
    """Maya's record."""
    return record(f"maya-{tag}", about=identity(nhs_number=None, forenames=f"Maya{uuid4().hex[:4]}"))
