"""Plain calls of a room's decisions: an event as a service hears it, and what its decision says in answer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar

from services.bus.batch import distinct
from services.bus.calendar import LONDON
from services.bus.directory import Directory, MemoryDirectory
from services.bus.envelope import Envelope, Event, Held
from services.bus.service import Service, View

E = TypeVar("E", bound=Event)


def london(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    """That wall time in Buckinghamshire, UTC."""
    return datetime(year, month, day, hour, minute, tzinfo=LONDON).astimezone(UTC)


FRIDAY_EVENING = london(2026, 11, 20, 19, 40)


def said(event: E, *, by: str, at: datetime = FRIDAY_EVENING, id: str = "1", source: str = "urn:test") -> E:  # noqa: A002
    """`event`, said at `at` by `source` with that id, as the service `by` hears it."""
    return event.enveloped(Envelope(id=id, source=source, type=event.topic, time=at, heard_by=by))


def decide(
    service: Service, event: Event, directory: Directory | None = None, view: View | None = None
) -> tuple[list[Event | Held], View | None]:
    """What the wired service says to the event, and what it remembers then; `view` is what it remembered before.

    Raises:
        Unfit: two events of it would have the same id, as in the loop.
    """
    before = view or (service.view() if service.view else None)
    parts = list(distinct(service.decide(event, before, directory or MemoryDirectory())))
    return parts, before.evolve(event) if before else None


def of(kind: type[E], parts: Iterable[Event | Held]) -> list[E]:
    """Those parts that are events of that type, in order."""
    return [part for part in parts if isinstance(part, kind)]


def held(parts: Iterable[Event | Held]) -> list[Held]:
    return [part for part in parts if isinstance(part, Held)]


def written(parts: Iterable[Event | Held]) -> str:
    """Everything that leaves with these parts, envelopes included, as one text to search for what must not be there."""
    return json.dumps(
        [(p.model_dump(mode="json"), str(p.envelope)) if isinstance(p, Event) else repr(p) for p in parts],
        ensure_ascii=False,
    )
