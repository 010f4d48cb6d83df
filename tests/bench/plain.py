"""The smallest whole service: one small event in, one out, a view that counts: the hallway's own cost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

from services.bus.envelope import Event
from services.bus.events import ChildMatched, DeadlineKind, DeadlineMet
from services.bus.service import Service, View

DEADLINE = UUID(int=1)
THEN = datetime(2026, 11, 16, 8, 45, tzinfo=UTC)


class Count(View):
    """How many answers an incident has had."""

    answers: int = 0

    @classmethod
    def key_of(cls, event: Event) -> str | None:
        return event.incident_id if isinstance(event, ChildMatched) else None

    def evolve(self, event: Event) -> Self:
        return self.model_copy(update={"answers": self.answers + 1})


def count(matched: ChildMatched, known: Count) -> Iterator[Event]:
    """One output for each answer."""
    yield DeadlineMet.because(
        matched,
        subject=matched.child_id,
        deadline_id=DEADLINE,
        child_id=matched.child_id,
        kind=DeadlineKind.MATCH_BY_PERSON,
        due_by=THEN,
        met_at=THEN,
        late=known.answers > 1_000_000,
    )


SERVICE = Service(name="plain", on={ChildMatched: count}, emits=(DeadlineMet,), view=Count)


def matched(number: int) -> ChildMatched:
    """5,000 incidents in turn."""
    return ChildMatched(
        incident_id=f"incident-{number % 5000}",
        child_reference=str(number),
        child_id=f"child-{number % 5000}",
        decided_by="front door",
        reason="the school confirmed the date of birth",
    )
