"""What was expected, and was done → met. What was expected, and its time has come → told to the one who must act."""

from __future__ import annotations

from collections.abc import Iterator

from services.bus.directory import Directory
from services.bus.envelope import Alarm, Event, Held, Recipient
from services.bus.events import (
    DeadlineMet,
    DeadlineMissed,
    DeadlineSet,
    DisclosureRead,
    LawfulBasis,
    Purpose,
    RecordStatus,
)
from services.deadlines.refusals import DisclosureHasADeadline, NobodyToEscalateTo
from services.deadlines.view import Deadline


def accept(expected: DeadlineSet, deadline: Deadline) -> Iterator[Event]:
    """Watch it from now on; met at once if it was done before it was set.

    Raises:
        NobodyToEscalateTo: it would be missed in silence.
        DisclosureHasADeadline: its disclosure has another one.
    """
    if not expected.escalate_to.strip():
        raise NobodyToEscalateTo(expected.deadline_id)
    if deadline.due_by and deadline.deadline_id and deadline.deadline_id != expected.deadline_id:
        raise DisclosureHasADeadline(expected.deadline_id, deadline.deadline_id)
    return _met(expected, deadline)


def end(done: DisclosureRead, deadline: Deadline) -> Iterator[Event]:
    """Met, if this is what was expected; late, if it was done after it was due, escalated or not."""
    return _met(done, deadline)


def note_met(met: DeadlineMet, deadline: Deadline) -> Iterator[Event]:
    """Watch it no longer: the room that set it says that it is done.

    It alone can tell whether a decision took effect or an answer is complete, and neither needs to be read here.
    """
    return iter(())


def escalate(alarm: Alarm, deadline: Deadline, directory: Directory) -> Iterator[Event | Held]:
    """Tell the one whom the deadline names that it was missed, and never who owed it if that would show a place (H2).

    Held for a person: that one has closed; or a receipt has waited too long for its deadline. Its deadline may have
    been held because an adult of concern is connected with the authority, and nobody here knows of adults (H3).
    """
    told = directory.organisation(deadline.escalate_to)
    if deadline.due_by is None or told is None or told.status is not RecordStatus.OPEN:
        yield Held("H7", str(deadline.deadline_id))
        return
    assert deadline.deadline_id
    yield DeadlineMissed.because(
        alarm,
        subject=str(deadline.deadline_id),
        to=Recipient(told.organisation_id, told.kind),
        disclosure={
            "purpose": Purpose.ESCALATION,
            "lawful_basis": LawfulBasis.PUBLIC_TASK_6_1_E,
            "location_confidential": deadline.location_confidential,
            "declare_no_conflict": deadline.declare_no_conflict,
        },
        deadline_id=deadline.deadline_id,
        child_id=deadline.child_id,
        kind=deadline.kind,
        due_by=deadline.due_by,
        owed_role=deadline.owed_role,
        owed_by=deadline.owed_by,
    )


def _met(cause: Event, before: Deadline) -> Iterator[Event]:
    now = before.evolve(cause)
    if before.met_at or not (now.met_at and now.due_by and now.deadline_id):
        return
    yield DeadlineMet.because(
        cause,
        subject=str(now.deadline_id),
        deadline_id=now.deadline_id,
        child_id=now.child_id,
        kind=now.kind,
        due_by=now.due_by,
        met_at=now.met_at,
        late=now.met_at > now.due_by,
    )
