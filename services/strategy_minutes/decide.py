"""A meeting and its approved minutes → to each invitee what the chair lets it have, whoever could not come first."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from services.bus.calendar import working_days_after
from services.bus.directory import Directory
from services.bus.disclosing import deadline_id, expect, held_or, local_authority, met
from services.bus.envelope import Event, Held, Recipient, same_cause_same_id
from services.bus.events import (
    Action,
    ChildRecorded,
    DeadlineKind,
    LawfulBasis,
    MeetingRecorded,
    MinutesApproved,
    MinutesDistributed,
    OrganisationRecorded,
    Purpose,
    RecordStatus,
    Release,
    Role,
)
from services.strategy_minutes.refusals import MeetingAboutNobody
from services.strategy_minutes.view import Handed, Meeting, Share

READ_WITHIN = 1
"""Working days; there is no national figure (DOMAIN.md §2)."""


def hand_out(approved: MinutesApproved, known: Meeting, directory: Directory) -> Iterator[Event | Held]:
    """To each invitee its share and its own actions. Minutes that come before their meeting wait for it.

    Later minutes replace earlier ones; minutes that are known already, or older than those, change nothing. Held for a
    person: an action whose owner was not invited, since nobody would hear of it; minutes that say something else under
    an id that was handed out (H16).
    """
    now = known.with_record(approved)
    if now is known:
        if known.contradicted_by(approved):
            yield Held("H16", approved.minutes_id)
        return
    if now.meeting is None:
        yield from _await_meeting(approved, known, now, directory)
        return
    yield from _distribute(approved, now, directory)
    yield from _unheard_actions(now)


def note_meeting(recorded: MeetingRecorded, known: Meeting, directory: Directory) -> Iterator[Event | Held]:
    """Hand out the minutes that waited for it; of a corrected record, to whoever may now have more.

    Held for a person: a record that says something else under a version that is known, since one of the two is wrong
    about who may have what (H4).

    Raises:
        MeetingAboutNobody: it names no child.
    """
    if not recorded.child_ids:
        raise MeetingAboutNobody(recorded.meeting_id)
    now = known.with_record(recorded)
    if known.contradicted_by(recorded):
        yield Held("H4", recorded.meeting_id)
    if now is known or not now.minutes:
        return
    if known.meeting is None and now.meeting_due_by:
        yield met(
            recorded,
            DeadlineKind.MEETING_EXPECTED,
            id=deadline_id(DeadlineKind.MEETING_EXPECTED, recorded.meeting_id),
            child_id=recorded.meeting_id,
            due_by=now.meeting_due_by,
        )
    yield from _distribute(recorded, now, directory)
    if known.meeting is None:
        yield from _unheard_actions(now)


def _await_meeting(
    approved: MinutesApproved, known: Meeting, now: Meeting, directory: Directory
) -> Iterator[Event | Held]:
    """The authority owes the record of the meeting, within one deadline for however many minutes of it.

    The children are not known yet: the deadline is kept under the meeting's id, and as if they were confidential (H2).
    """
    if known.minutes or not now.meeting_due_by:
        return
    owners = (directory.organisation(action.owner) for action in approved.actions)
    code = next((owner.local_authority_code for owner in owners if owner), None)
    authority = local_authority(code, directory)
    if authority is None:
        yield Held("H7", approved.meeting_id)
        return
    yield expect(
        approved,
        DeadlineKind.MEETING_EXPECTED,
        id=deadline_id(DeadlineKind.MEETING_EXPECTED, approved.meeting_id),
        child_id=approved.meeting_id,
        of=authority,
        due_by=now.meeting_due_by,
        adults=(),
        location_confidential=True,
        directory=directory,
    )


def _distribute(cause: MeetingRecorded | MinutesApproved, now: Meeting, directory: Directory) -> Iterator[Event | Held]:
    """What is embargoed or about a professional is held whole (H4), and what is about a closed record (H1) or a child
    who does not fit (H13), too.

    An invitee that was handed more than the chair now lets it have is held for a recall (H16).
    """
    assert now.meeting
    assert now.minutes
    minutes_id = now.minutes.minutes_id
    if now.held_back:
        yield Held("H4", minutes_id)
        return
    children = {child_id: directory.child(child_id) for child_id in now.meeting.child_ids}
    rules = {child_id: rule for child_id, child in children.items() if (rule := _needs_a_person(child))}
    if rules:
        yield from (Held(rule, child_id) for child_id, rule in rules.items())
        return
    confidential = _confidential(now.meeting, directory)
    for organisation_id in now.to_withdraw():
        yield Held("H16", minutes_id, None if confidential else organisation_id)
    if not now.meeting.invitees:  # nobody would learn of them, and nobody would see that
        yield Held("H4", minutes_id)
    for share in now.to_hand_out():
        yield from held_or(
            _tell(cause, share, now, directory),
            adults=now.meeting.adults_of_concern,
            recipient=share.organisation_id,
            subject=minutes_id,
            location_confidential=confidential,
        )


def _tell(
    cause: MeetingRecorded | MinutesApproved, share: Share, now: Meeting, directory: Directory
) -> Iterator[Event | Held]:
    """One invitee's share, and until when somebody there should have read it.

    The deadline is that of the first child, whichever others the meeting was about. Held for a person if the invitee
    has no inbox, or plays a part that this version of the contract does not name.
    """
    assert now.meeting
    assert now.minutes
    meeting, minutes = now.meeting, now.minutes
    confidential = _confidential(meeting, directory)
    invitee = _open(share, directory)
    if invitee is None:
        yield Held("H7", minutes.minutes_id, None if confidential else share.organisation_id)
        return
    due_by = working_days_after(cause.at, READ_WITHIN)
    told = MinutesDistributed.because(
        cause,
        subject=minutes.minutes_id,
        to=Recipient(share.organisation_id, share.role),
        disclosure={
            "purpose": Purpose.STRATEGY_MINUTES,
            "lawful_basis": LawfulBasis.PUBLIC_TASK_6_1_E,
            "due_by": due_by,
            "location_confidential": confidential,
            "supersedes": _earlier(cause, share, now.handed.get(share.organisation_id)),
        },
        meeting_id=meeting.meeting_id,
        minutes_id=minutes.minutes_id,
        child_ids=meeting.child_ids,
        held_at=meeting.held_at,
        release=share.release,
        text=_text(share.release, minutes),
        document=minutes.document if share.release is Release.FULL else None,
        own_actions=_own_actions(share, minutes),
        was_absent=share.was_absent,
    )
    yield told
    yield expect(
        cause,
        DeadlineKind.MINUTES_READ,
        id=deadline_id(DeadlineKind.MINUTES_READ, str(told.disclosure.id)),
        disclosure_id=told.disclosure.id,
        child_id=meeting.child_ids[0],
        of=invitee,
        owed_role=share.role,
        due_by=due_by,
        adults=meeting.adults_of_concern,
        location_confidential=confidential,
        directory=directory,
    )


def _text(release: Release, minutes: MinutesApproved) -> str | None:
    if release is Release.FULL:
        return minutes.full_text or None
    return minutes.extract if release is Release.EXTRACT else None


def _own_actions(share: Share, minutes: MinutesApproved) -> list[Action]:
    return [action for action in minutes.actions if action.owner == share.organisation_id]


def _unheard_actions(now: Meeting) -> Iterator[Held]:
    """H4 gives nobody another's actions; so one whose owner was not invited, or may have nothing, needs a person."""
    if now.minutes and not now.held_back:
        told = {share.organisation_id for share in now.shares()}
        yield from (Held("H4", action.action_id) for action in now.minutes.actions if action.owner not in told)


def _open(share: Share, directory: Directory) -> OrganisationRecorded | None:
    invitee = directory.organisation(share.organisation_id)
    known = invitee is not None and invitee.status is RecordStatus.OPEN and share.role is not Role.UNKNOWN
    return invitee if known else None


def _needs_a_person(child: ChildRecorded | None) -> str | None:
    """The rule by which nothing about this child is handed out automatically."""
    if child is None or (child.status is RecordStatus.OPEN and not child.circumstances):
        return None
    return "H13" if child.status is RecordStatus.OPEN else "H1"


def _confidential(meeting: MeetingRecorded, directory: Directory) -> bool:
    """H2, by the meeting or by the directory."""
    children = (directory.child(child_id) for child_id in meeting.child_ids)
    return meeting.location_confidential or any(child is not None and child.location_confidential for child in children)


def _earlier(cause: MeetingRecorded | MinutesApproved, share: Share, had: Handed | None) -> UUID | None:
    """The id of what this invitee was handed before, which follows from its cause like any other (DESIGN.md §1)."""
    if had is None:
        return None
    decider, topic = cause.envelope.heard_by, MinutesDistributed.topic
    return same_cause_same_id(had.cause_source, had.cause_id, decider, topic, share.organisation_id, had.minutes_id)
