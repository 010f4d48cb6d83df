"""Whatever is heard about a matter → its card as it stands now. Danger that nobody took → the on-call manager (H7)."""

from __future__ import annotations

from collections.abc import Iterator

from services.bus.directory import Directory
from services.bus.envelope import Alarm, Event
from services.bus.events import HandoverEscalated, MatterChanged, ShiftClosed
from services.handover_feed.card import card
from services.handover_feed.view import Matter


def show(heard: Event, matter: Matter, directory: Directory) -> Iterator[Event]:
    """The whole card again, if what was heard changed it."""
    now = matter.evolve(heard)
    if now.version != matter.version:
        yield _card(heard, now, heard.envelope.id, directory)


def escalate(alarm: Alarm, matter: Matter, directory: Directory) -> Iterator[Event]:
    """Immediate danger has waited too long: the manager is to be paged, each time under an id of its own (H7)."""
    now = matter.rung(alarm)
    due = now.paged.last
    if due and due != matter.paged.last:
        yield HandoverEscalated.because(alarm, subject=due.escalation_id, **dict(due))
        yield _card(alarm, now, due.escalation_id, directory)


def keep(_said: MatterChanged | ShiftClosed) -> Iterator[Event]:
    """Nothing is said on: it is kept for whoever reads the board (board/projection.py)."""
    yield from ()


def _card(cause: Event | Alarm, matter: Matter, caused_by: str, directory: Directory) -> MatterChanged:
    return MatterChanged.because(
        cause,
        subject=matter.matter_id,
        version=matter.version,
        changed_at=cause.at,
        caused_by=caused_by,
        **card(matter, directory),
    )
