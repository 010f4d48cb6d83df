"""What is remembered of an incident while a person may still have to say who one of its children is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from pydantic import AwareDatetime, Field

from services.bus.envelope import Event
from services.bus.events import ChildMatched, IncidentReported
from services.bus.service import View

PATIENCE = timedelta(hours=1)
"""So long an answer waits for its incident before the force's silence is escalated."""


class Incident(View):
    """One incident, without its address, and what people answered about its children."""

    force: str | None = None
    """The force that reported it; None until then, since an answer may come first."""
    incident: IncidentReported | None = None
    """The incident with the children about whom nobody has answered; None once there are none."""
    correlation_id: str = ""
    answers: dict[str, str] = Field(default_factory=dict)
    """Child's reference → child_id that a person gave."""
    reported_at: AwareDatetime | None = None
    """When it was reported first."""
    awaited_by: str = ""
    """The child whose answer came before the incident, if one did; and by when it was owed."""
    incident_due_by: AwareDatetime | None = None

    @classmethod
    def key_of(cls, event: Event) -> str | None:
        return event.incident_id if isinstance(event, IncidentReported | ChildMatched) else None

    def evolve(self, event: Event) -> Self:
        if isinstance(event, IncidentReported):
            # The id is another force's own: its answers could be told from the first one's by nothing.
            if self.reported_by_another(event.force):
                return self
            chain = (
                self.correlation_id or event.envelope.correlation_id or f"{event.envelope.source} {event.envelope.id}"
            )
            return self._with(event.model_copy(update={"address": None}), self.answers).model_copy(
                update={"force": event.force, "correlation_id": chain, "reported_at": self.reported_at or event.at}
            )
        assert isinstance(event, ChildMatched)
        known = self._with(self.incident, {**self.answers, event.child_reference: event.child_id})
        if self.force is None and not self.answers:
            return known.model_copy(update={"awaited_by": event.child_id, "incident_due_by": incident_due(event.at)})
        return known

    def reported_by_another(self, force: str) -> bool:
        """Whether the incident that is known by this id is another force's."""
        return self.force not in (None, force)

    def _with(self, incident: IncidentReported | None, answers: dict[str, str]) -> Self:
        left = [child for child in incident.children if child.reference not in answers] if incident else []
        rest = incident.model_copy(update={"children": left}) if incident and left else None
        return self.model_copy(update={"incident": rest, "answers": answers})


def incident_due(answered_at: datetime) -> datetime:
    """By when an incident must be here that was answered about before it was reported."""
    return answered_at + PATIENCE
