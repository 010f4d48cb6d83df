"""A police incident → one notification to the front door for each child known for certain, one question for each other.

An incident's address is read here and goes no further. Working Together to Safeguard Children: a decision within one
working day. DOMAIN.md §4: H1, H2, H3, H7, H8, H12, H13.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from services.bus.calendar import (
    USUAL,
    Calendar,
    Hours,
    add_hours,
    encompass_due,
    is_open,
    opening_hours_after,
    working_days_after,
)
from services.bus.directory import Directory
from services.bus.disclosing import (
    deadline_id,
    expect,
    held_or,
    local_authority,
    local_day,
    match_deadline_id,
    standing,
)
from services.bus.envelope import Alarm, Event, Held, Recipient
from services.bus.events import (
    ChildMatched,
    ChildRecorded,
    ChildUnmatched,
    DeadlineKind,
    Grading,
    IncidentChild,
    IncidentReported,
    LawfulBasis,
    MatchBasis,
    OrganisationRecorded,
    PoliceNotified,
    Purpose,
    RecordStatus,
    Role,
    UnmatchedReason,
    YesNoUnknown,
)
from services.police_notifications.match import Match, Question, as_candidate, who_is
from services.police_notifications.refusals import AnsweredOtherwise, NoSuchChild, NotInDirectory, ReferencesNotUnique
from services.police_notifications.view import Incident

IN_DANGER = timedelta(minutes=10)
"""To take an incident in which a child is, or may be, in immediate danger (H7)."""
RED_HOURS = 1
"""By the clock (H14). What nobody has graded counts as red (H7)."""
OPENING_HOURS = {Grading.AMBER: 4, Grading.GREEN: 8}
"""Of the recipient (H14)."""
USUAL_HOURS = {
    Role.MASH: Calendar(tuple(Hours(weekday, "09:00", "17:00") for weekday in range(1, 6))),
    Role.OUT_OF_HOURS: Calendar(tuple(Hours(weekday, "00:00", "24:00") for weekday in range(1, 8))),
}
"""Of a front door that has not said when it is open."""


def notify_front_door(reported: IncidentReported, known: Incident, directory: Directory) -> Iterator[Event | Held]:
    """Tell the front door of each child who is known for certain, or whom a person has already named; ask about the
    others (H12).

    Protective instructions are an item of their own and wait for a named officer (H8).

    Raises:
        ReferencesNotUnique: two children have the same reference.
    """
    references = Counter(child.reference for child in reported.children)
    if len(references) < len(reported.children):
        raise ReferencesNotUnique(reported.incident_id)
    if reported.protective_instructions:
        yield Held("H8", reported.incident_id)
    if known.force is None:
        for reference in known.answers.keys() - references.keys():
            yield Held("H12", unmatched(reported.incident_id, reference))
    told: set[str] = set()
    for child in reported.children:
        yield from _about(child, reported, known, told, directory)


def notify_matched_child(matched: ChildMatched, known: Incident, directory: Directory) -> Iterator[Event | Held]:
    """Tell the front door of the child whom a person has named. Before its incident an answer waits for it.

    Raises:
        AnsweredOtherwise: somebody, or a certain match, named another child, or this child under another reference.
        NoSuchChild: the incident has no child with that reference.
        NotInDirectory: the directory has no open record of the named child.
    """
    ids = (matched.incident_id, matched.child_reference)
    answered = known.answers.get(matched.child_reference)
    if answered == matched.child_id:
        return
    if answered or matched.child_id in known.answers.values():
        raise AnsweredOtherwise(*ids)
    if known.force is None:
        return
    children = known.incident.children if known.incident else []
    child = next((child for child in children if child.reference == matched.child_reference), None)
    if known.incident is None or child is None:
        raise NoSuchChild(*ids)
    record = _open_record(matched.child_id, directory)
    if record is None:
        raise NotInDirectory(*ids)
    if _contradicted(matched.child_id, child, children, directory):
        raise AnsweredOtherwise(*ids)
    # What follows belongs to the incident's chain, although the answer set it off.
    cause = matched.model_copy().enveloped(replace(matched.envelope, correlation_id=known.correlation_id))
    yield from _tell(cause, known.incident, child, Match(record, MatchBasis.PERSON), directory)


def ask_for_the_incident(alarm: Alarm, known: Incident, directory: Directory) -> Iterator[Event | Held]:
    """Answers have waited for their incident for too long: the local authority hears of it at once."""
    authority = local_authority(None, directory)
    if authority is None:
        return
    for reference, child_id in known.answers.items():
        yield expect(
            alarm,
            DeadlineKind.MATCH_BY_PERSON,
            id=deadline_id(DeadlineKind.MATCH_BY_PERSON, f"{alarm.envelope.id} {reference}"),
            child_id=child_id,
            of=authority,
            due_by=alarm.at,
            adults=(),
            location_confidential=True,  # nobody can say that it is not
            directory=directory,
        )


def unmatched(incident_id: str, child_reference: str) -> str:
    """An opaque id for a child of an incident until it is known who it is."""
    return f"unmatched:{match_deadline_id(incident_id, child_reference)}"


def _contradicted(answer: str, child: IncidentChild, children: list[IncidentChild], directory: Directory) -> bool:
    """Whether this child is for certain another one, or the named one is for certain this child's sibling.

    A sibling named by mistake would leave this child untold, and nobody would see it.
    """
    certain = {one.reference: found for one in children if isinstance(found := who_is(one, directory), Match)}
    if child.reference in certain:
        return certain[child.reference].record.child_id != answer
    return answer in {match.record.child_id for match in certain.values()}


def _about(
    child: IncidentChild, incident: IncidentReported, known: Incident, told: set[str], directory: Directory
) -> Iterator[Event | Held]:
    """What follows for one child of the incident; `told` are the children of the directory already told of."""
    nobody = unmatched(incident.incident_id, child.reference)
    another_force = known.reported_by_another(incident.force)
    answer = None if another_force else known.answers.get(child.reference)
    found = who_is(child, directory)
    if isinstance(found, Match) and found.record.child_id in told:
        twice = as_candidate(child, found.record)
        found = Question(UnmatchedReason.SEVERAL_CANDIDATES, (twice,))
    if answer:
        record = _open_record(answer, directory)
        if record is None or answer in told or (isinstance(found, Match) and found.record.child_id != answer):
            yield Held("H12", nobody)
            return
        found = found if isinstance(found, Match) else Match(record, MatchBasis.PERSON)
    if isinstance(found, Match):
        told.add(found.record.child_id)
        yield from _tell(incident, incident, child, found, directory)
    elif child.circumstances:
        yield Held("H13", nobody)
    elif another_force:
        # An answer names incident and reference only, so it could be meant for the other force's child.
        yield Held("H12", nobody)
    else:
        yield from _ask(incident, child, found, nobody, directory)


def _tell(
    cause: Event, incident: IncidentReported, child: IncidentChild, match: Match, directory: Directory
) -> Iterator[Event | Held]:
    child_id = match.record.child_id
    if child.circumstances or match.record.circumstances:
        yield Held("H13", child_id)
        return
    door = front_door(match.record, incident.force, cause.at, directory)
    if door is None:
        yield Held("H7", child_id)
        return
    yield from held_or(
        _notification(cause, incident, child, match, door, directory),
        adults=incident.adults_of_concern,
        recipient=door.organisation_id,
        subject=child_id,
        location_confidential=_confidential(incident, child, match.record),
    )


def _notification(
    cause: Event,
    incident: IncidentReported,
    child: IncidentChild,
    match: Match,
    door: OrganisationRecorded,
    directory: Directory,
) -> Iterator[Event | Held]:
    confidential = _confidential(incident, child, match.record)
    decided_by = working_days_after(cause.at, 1)
    told = PoliceNotified.because(
        cause,
        subject=match.record.child_id,
        to=Recipient(door.organisation_id, door.kind),
        disclosure={
            "purpose": Purpose.POLICE_NOTIFICATION,
            "lawful_basis": LawfulBasis.LAW_ENFORCEMENT_DPA_PART_3,
            "due_by": min(read_by(incident, cause.at, door), decided_by),
        },
        child_id=match.record.child_id,
        incident_id=incident.incident_id,
        child_reference=child.reference,
        about=match.record.identity,
        force=incident.force,
        occurred_at=incident.occurred_at,
        aware_at=incident.aware_at,
        historic=incident.historic,
        kinds=incident.kinds,
        grading=incident.grading,
        immediate_danger=incident.immediate_danger,
        narrative=incident.narrative,
        presence=child.presence,
        voice=child.voice,
        voice_not_recorded_reason=child.voice_not_recorded_reason,
        strategy_discussion=incident.strategy_discussion,
        adults_of_concern=incident.adults_of_concern,
        protective_instructions=[],  # to the safeguarding lead only, once released (H8)
        location_confidential=confidential,
        circumstances=[],
        matched_by=match.basis,
    )
    yield told
    yield expect(
        cause,
        DeadlineKind.FRONT_DOOR_DECISION,
        id=deadline_id(DeadlineKind.FRONT_DOOR_DECISION, str(told.disclosure.id)),
        child_id=told.child_id,
        of=door,
        due_by=decided_by,
        adults=incident.adults_of_concern,
        location_confidential=confidential,
        directory=directory,
    )


def _ask(
    incident: IncidentReported, child: IncidentChild, question: Question, nobody: str, directory: Directory
) -> Iterator[Event | Held]:
    """Ask a person who the child is: before school, and sooner where it is urgent (H12)."""
    question_id = match_deadline_id(incident.incident_id, child.reference)
    yield ChildUnmatched.because(
        incident,
        subject=nobody,
        unmatched_id=str(question_id),
        incident_id=incident.incident_id,
        child_reference=child.reference,
        force=incident.force,
        aware_at=incident.aware_at,
        grading=incident.grading,
        immediate_danger=incident.immediate_danger,
        identity=child.identity,
        stated_age=child.stated_age,
        candidates=list(question.candidates),
        why=question.why,
    )
    door = front_door(None, incident.force, incident.at, directory)
    if door is None:
        yield Held("H7", nobody)
        return
    yield expect(
        incident,
        DeadlineKind.MATCH_BY_PERSON,
        id=question_id,
        child_id=nobody,
        of=door,
        due_by=min(read_by(incident, incident.at, door), encompass_due(incident.at, USUAL)),
        adults=incident.adults_of_concern,
        location_confidential=_confidential(incident, child, None),
        directory=directory,
    )


def front_door(
    child: ChildRecorded | None, force: str, at: datetime, directory: Directory
) -> OrganisationRecorded | None:
    """The MASH while it is open, else the duty team: of the child's authority, else of the force's, else any.

    A child's authority is that of the schools, practices and teams where it is registered on that day.
    """
    codes = _authority_codes(child, force, at, directory)
    mash = _first_open(Role.MASH, codes, directory)
    if mash and is_open(at, hours(mash)):
        return mash
    return _first_open(Role.OUT_OF_HOURS, codes, directory) or mash


def hours(door: OrganisationRecorded) -> OrganisationRecorded | Calendar:
    """When a front door is open: as it says, else as its kind usually is."""
    usual = USUAL_HOURS.get(door.kind)
    return door if door.weekly_hours or usual is None else replace(usual, closed_days=tuple(door.closed_days))


def read_by(incident: IncidentReported, at: datetime, door: OrganisationRecorded) -> datetime:
    """By when somebody must have looked: what is not known ranks as the worst plausible (H7)."""
    if incident.immediate_danger is not YesNoUnknown.NO:
        return at + IN_DANGER
    opening_hours = OPENING_HOURS.get(incident.grading)
    return opening_hours_after(at, opening_hours, hours(door)) if opening_hours else add_hours(at, RED_HOURS)


def _authority_codes(child: ChildRecorded | None, force: str, at: datetime, directory: Directory) -> list[str]:
    """Codes of local authorities, the child's most frequent first, then the force's own."""
    on = local_day(at)
    holding = [
        standing(held.organisation_id, directory)
        for held in (child.registrations if child else ())
        if (held.since or on) <= on <= (held.until or on)
    ]
    codes = Counter(one.local_authority_code for one in holding if one and one.local_authority_code)
    police = directory.organisation(force)
    own = [police.local_authority_code] if police and police.local_authority_code else []
    return [code for code, _ in codes.most_common()] + own


def _first_open(kind: Role, codes: list[str], directory: Directory) -> OrganisationRecorded | None:
    """The first of that kind whose record is open: in these authorities in their order, else anywhere."""
    for code in (*codes, None):
        for organisation in directory.organisations_in(kind, code):
            if organisation.status is RecordStatus.OPEN:
                return organisation
    return None


def _open_record(child_id: str, directory: Directory) -> ChildRecorded | None:
    record = directory.child(child_id)
    return record if record and record.status is RecordStatus.OPEN else None


def _confidential(incident: IncidentReported, child: IncidentChild, record: ChildRecorded | None) -> bool:
    """Whether anyone who knows of the child says that its location is confidential (H2)."""
    return (
        incident.location_confidential or child.location_confidential or bool(record and record.location_confidential)
    )
