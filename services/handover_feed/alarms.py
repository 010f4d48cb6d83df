"""How it stands with the on-call manager, and when immediate danger has waited too long to be taken (H7)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Self

from pydantic import AwareDatetime

from services.bus.envelope import Model, same_cause_same_id
from services.bus.events import EscalatedBecause, EscalationState, HandoverEscalated

MOST = 24
"""The manager is paged so often at most for one wait: by then whoever is paged is not there."""


class Paged(Model):
    """What was said of it. The alarms that rang are told by the log, so that a recovery pages nobody again."""

    last: HandoverEscalated | None = None
    """The last word."""
    paged_at: AwareDatetime | None = None
    rung_at: AwareDatetime | None = None
    rung_for: AwareDatetime | None = None
    """Since when there was waiting for what rang last; `rings`: how often it rang for that."""
    rings: int = 0

    def heard(self, said: HandoverEscalated) -> Self:
        """What is known once this was said too."""
        changed: dict[str, Any] = {}
        if self.last is None or _order(self.last) <= _order(said):
            changed["last"] = said
        if said.state is EscalationState.PAGED:
            changed["paged_at"] = max(said.happened_at, self.paged_at or said.happened_at)
        if said.why is EscalatedBecause.PASSED_ON:
            return self.model_copy(update=changed)  # it is no wait for danger to be taken
        if said.state is EscalationState.DUE and (self.rung_at is None or said.happened_at > self.rung_at):
            changed["rings"] = self.rings + 1 if self.rung_for == said.waiting_since else 1
            changed |= {"rung_at": said.happened_at, "rung_for": said.waiting_since}
        return self.model_copy(update=changed)

    def due(self, since: datetime, at: datetime, matter_id: str, child_id: str | None) -> HandoverEscalated:
        """The manager is to be paged at `at`, for the first time or again, each time under an id of its own."""
        rings = self.rings + 1 if self.rung_for == since else 1
        return HandoverEscalated(
            escalation_id=str(same_cause_same_id("escalation", matter_id, since.isoformat(), str(rings))),
            matter_id=matter_id,
            child_id=child_id,
            state=EscalationState.DUE,
            waiting_since=since,
            happened_at=at,
            attempts=0,
        )

    def passed_on(self, act_id: str, at: datetime, matter_id: str, child_id: str | None) -> HandoverEscalated:
        """The manager is to be paged at once, since a worker may not open the matter and passes it on (H3)."""
        return HandoverEscalated(
            escalation_id=str(same_cause_same_id("escalation", matter_id, act_id)),
            matter_id=matter_id,
            child_id=child_id,
            state=EscalationState.DUE,
            waiting_since=at,
            happened_at=at,
            attempts=0,
            why=EscalatedBecause.PASSED_ON,
        )

    def has_ended(self, since: datetime | None) -> bool:
        """Whether danger that has waited since then rings no more, since it rang often enough."""
        return since is not None and self.rung_for == since and self.rings >= MOST

    def next(self, since: datetime, within: timedelta) -> datetime | None:
        """When danger that has waited since then is escalated next; None once that was done often enough."""
        if self.rung_at is None or self.rung_for != since:
            return since + within
        return None if self.has_ended(since) else self.rung_at + within


def _order(said: HandoverEscalated) -> tuple[datetime, str]:
    return said.happened_at, said.state.value
