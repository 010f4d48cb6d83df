"""What was expected, and was done → met. What was expected, and its time has come → told to the one who must act."""

from __future__ import annotations

from collections.abc import Iterator

from services.bus.directory import Directory
from services.bus.disclosing import local_authority, local_day, registered
from services.bus.envelope import Alarm, Event, Recipient
from services.bus.events import (
    ChildMatched,
    DeadlineMet,
    DeadlineMissed,
    DeadlineSet,
    DisclosureRead,
    LawfulBasis,
    Purpose,
    Role,
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


def end(done: DisclosureRead | ChildMatched, deadline: Deadline) -> Iterator[Event]:
    """Met, if this is what was expected; late, if it was done after it was due, escalated or not."""
    return _met(done, deadline)


def note_met(met: DeadlineMet, deadline: Deadline) -> Iterator[Event]:
    """Watch it no longer: the room that set it says that it is done.

    It alone can tell whether a decision took effect or an answer is complete, and neither needs to be read here.
    """
    return iter(())


def escalate(alarm: Alarm, deadline: Deadline, directory: Directory) -> Iterator[Event]:
    """Tell the one whom the deadline names that it was missed, and never who owed it if that would show a place (H2).

    A receipt that has waited too long for its deadline is told to the child's local authority, as a deadline of
    unknown kind: somebody has read what nobody was expected to read.
    """
    told = deadline.escalate_to or _authority_of(deadline.child_id, alarm, directory)
    due_by = deadline.due_by or deadline.alarm
    if not (told and due_by and deadline.deadline_id):
        return
    yield DeadlineMissed.because(
        alarm,
        subject=str(deadline.deadline_id),
        to=Recipient(told, Role.LOCAL_AUTHORITY),
        disclosure={"purpose": Purpose.ESCALATION, "lawful_basis": LawfulBasis.PUBLIC_TASK_6_1_E},
        deadline_id=deadline.deadline_id,
        child_id=deadline.child_id,
        kind=deadline.kind,
        due_by=due_by,
        owed_role=deadline.owed_role,
        owed_by=deadline.owed_by,
    )


def _authority_of(child_id: str, alarm: Alarm, directory: Directory) -> str | None:
    """The authority of an organisation that holds a part of the child's care; any if there is none."""
    child = directory.child(child_id)
    held = registered(child, local_day(alarm.at), *Role) if child else []
    codes = [found.local_authority_code for r in held if (found := directory.organisation(r.organisation_id))]
    authority = local_authority(next(filter(None, codes), None), directory)
    return authority.organisation_id if authority else None


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
