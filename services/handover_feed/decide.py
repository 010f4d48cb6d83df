"""Whatever is heard about a matter → its card as it stands now. Danger that nobody took → the on-call manager (H7)."""

from __future__ import annotations

from collections.abc import Iterator

from services.bus.directory import Directory
from services.bus.envelope import Alarm, Event, same_cause_same_id
from services.bus.events import (
    DisclosureRead,
    HandoverAct,
    HandoverActed,
    HandoverEscalated,
    MatterChanged,
    MatterCued,
    MeetingCued,
    MeetingRecorded,
    ReceiptState,
    ShiftClosed,
)
from services.handover_feed.card import DOORS, card
from services.handover_feed.following import follow
from services.handover_feed.view import Matter


def show(heard: Event, matter: Matter, directory: Directory) -> Iterator[Event]:
    """The whole card again, if what was heard changed it; and whoever takes a matter has read it."""
    now = matter.evolve(heard)
    if now.version != matter.version:
        yield _card(heard, now, heard.envelope.id, directory)
    if isinstance(heard, HandoverActed) and heard.act is HandoverAct.TAKEN:
        yield from _read(heard, now)
    if isinstance(heard, HandoverActed) and (asked := now.standing.asked) != matter.standing.asked and asked:
        # Whatever was said of it meanwhile: an act that was sent long after it was done asks all the same.
        due = now.paged.passed_on(asked.act_id, asked.at, now.matter_id, now.child_id)
        yield HandoverEscalated.because(heard, subject=due.escalation_id, **dict(due))
    yield from follow(heard, matter, now)


def arrange(recorded: MeetingRecorded, matter: Matter) -> Iterator[Event]:
    """To each child whom a strategy discussion is about, or was: when it is to be held."""
    now = matter.evolve(recorded)
    if now.meeting is None or now.meeting == matter.meeting:
        return
    before = matter.meeting.children if matter.meeting else ()
    for child_id in sorted({*now.meeting.children, *before}):
        # Of what is not about this child any more it is told no more than that: it may be kept apart by now (H4).
        its = child_id in now.meeting.children
        about = MeetingCued(
            meeting_id=recorded.meeting_id,
            version=recorded.version,
            enquiry_id=recorded.enquiry_id,
            held_at=recorded.held_at if its else None,
            chair=recorded.chair if its else "",
            location_confidential=its and recorded.location_confidential,
            adults_of_concern=recorded.adults_of_concern if its else [],
        )
        yield MatterCued.because(recorded, subject=child_id, matter_id=child_id, child_id=child_id, meeting=about)


def escalate(alarm: Alarm, matter: Matter, directory: Directory) -> Iterator[Event]:
    """Immediate danger has waited too long: the manager is to be paged, each time under an id of its own (H7).

    Or a meeting has come near, or is over: the card says so.
    """
    now = matter.rung(alarm)
    due = now.paged.last
    because = [one.fact_id for own_id, one in now.meetings.items() if one != matter.meetings.get(own_id)]
    if due and due != matter.paged.last:
        yield HandoverEscalated.because(alarm, subject=due.escalation_id, **dict(due))
        because = [due.escalation_id]
    if now.version != matter.version:
        yield _card(alarm, now, because[0], directory)


def keep(_said: MatterChanged | ShiftClosed) -> Iterator[Event]:
    """Nothing is said on: it is kept for whoever reads the board (board/projection.py)."""
    yield from ()


def _read(taken: HandoverActed, matter: Matter) -> Iterator[Event]:
    """The receipts of the worker who has it now, so that nobody is told that a notification went unread.

    For the front doors alone, whose workers read the board; not of what a reader must open first (H3); and of a child
    whose place is confidential without the reader's name (H2).
    """
    holder, known = matter.standing.holder, matter.known
    if holder is None or holder.person_id != taken.by.person_id or known.asked_to_declare:
        return
    for told in known.told:
        if told.role in DOORS and told.event_id in taken.addresses:
            yield DisclosureRead.because(
                taken,
                subject=str(told.disclosure_id),
                receipt_id=str(same_cause_same_id("board", "receipt", str(told.disclosure_id))),
                disclosure_id=told.disclosure_id,
                child_id=matter.child_id or matter.matter_id,
                role=told.role,
                state=ReceiptState.READ,
                happened_at=taken.acted_at,
                practitioner=None if known.location_confidential else taken.by.name,
            )


def _card(cause: Event | Alarm, matter: Matter, caused_by: str, directory: Directory) -> MatterChanged:
    return MatterChanged.because(
        cause,
        subject=matter.matter_id,
        version=matter.version,
        changed_at=cause.at,
        caused_by=caused_by,
        **card(matter, directory),
    )
