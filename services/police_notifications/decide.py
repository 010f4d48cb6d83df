"""A police incident → one notification to the front door for each child known for certain, one question for each other.

An incident's address is read here and goes no further. Working Together to Safeguard Children: a decision within one
working day. DOMAIN.md §4: H1, H2, H3, H7, H8, H12, H13.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from services.bus.calendar import working_days_after
from services.bus.directory import Directory
from services.bus.disclosing import authority_for, conflict, deadline_id, expect, held_or, match_deadline_id, met
from services.bus.envelope import Event, Held, Recipient
from services.bus.events import (
    ChildMatched,
    ChildRecorded,
    ChildUnmatched,
    DeadlineKind,
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
from services.police_notifications.front_door import front_door, match_by, read_by
from services.police_notifications.match import Match, Question, as_candidate, who_is
from services.police_notifications.refusals import (
    AnsweredOtherwise,
    IncidentAboutNobody,
    NoSuchChild,
    NotInDirectory,
    ReferencesNotUnique,
)
from services.police_notifications.view import Incident, incident_due


def notify_front_door(reported: IncidentReported, known: Incident, directory: Directory) -> Iterator[Event | Held]:
    """Tell the front door of each child who is known for certain, or whom a person has already named; ask about the
    others (H12).

    Protective instructions are an item of their own and wait for a named officer (H8).

    Raises:
        IncidentAboutNobody: it names no child.
        ReferencesNotUnique: two children have the same reference.
    """
    if not reported.children:
        raise IncidentAboutNobody(reported.incident_id)
    references = Counter(child.reference for child in reported.children)
    if len(references) < len(reported.children):
        raise ReferencesNotUnique(reported.incident_id)
    if reported.protective_instructions:
        yield Held("H8", reported.incident_id)
    if known.force is None:
        yield from _awaited(reported, known)
        for reference in sorted(known.answers.keys() - references.keys()):
            yield Held("H12", unmatched(reported.incident_id, reference))
    told: set[str] = set()
    for child in reported.children:
        yield from _about(child, reported, known, told, directory)


def notify_matched_child(matched: ChildMatched, known: Incident, directory: Directory) -> Iterator[Event | Held]:
    """Tell the front door of the child whom a person has named; only an answer that is acted on ends the wait for it.

    Before its incident an answer waits for it, and the force owes that.

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
        if not known.answers:
            yield _await_incident(matched, directory)
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
    cause = matched.model_copy().enveloped(matched.envelope.changed(correlation_id=known.correlation_id))
    yield from _tell(cause, known.incident, child, Match(record, MatchBasis.PERSON), directory)
    yield from _matched(cause, known, child.reference, directory)


def _await_incident(matched: ChildMatched, directory: Directory) -> Event | Held:
    """A person answered about an incident that nobody reported: within one deadline, however many the answers.

    Nobody can say yet that the child's place is not confidential, so it is kept as if it were (H2).
    """
    door = front_door(directory.child(matched.child_id), None, matched.at, directory)
    if door is None:
        return Held("H7", matched.child_id)
    return expect(
        matched,
        DeadlineKind.INCIDENT_EXPECTED,
        id=deadline_id(DeadlineKind.INCIDENT_EXPECTED, matched.incident_id),
        child_id=matched.child_id,
        of=door,
        owed_role=Role.POLICE,
        due_by=incident_due(matched.at),
        adults=(),
        location_confidential=True,
        directory=directory,
    )


def _awaited(reported: IncidentReported, known: Incident) -> Iterator[Event]:
    """The incident that answers have waited for is here."""
    if known.awaited_by and known.incident_due_by:
        yield met(
            reported,
            DeadlineKind.INCIDENT_EXPECTED,
            id=deadline_id(DeadlineKind.INCIDENT_EXPECTED, reported.incident_id),
            child_id=known.awaited_by,
            due_by=known.incident_due_by,
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
        if not another_force and _was_asked(child.reference, known, directory):
            yield from _matched(incident, known, child.reference, directory)
    elif child.circumstances:
        yield Held("H13", nobody)
    elif another_force:
        # An answer names incident and reference only, so it could be meant for the other force's child.
        yield Held("H12", nobody)
    else:
        yield from _ask(incident, child, found, nobody, directory)


def _was_asked(reference: str, known: Incident, directory: Directory) -> bool:
    """Whether an earlier report of this incident left open who the child is."""
    before = known.incident.children if known.incident else []
    same = (one for one in before if one.reference == reference and not one.circumstances)
    return any(isinstance(who_is(one, directory), Question) for one in same)


def _matched(cause: Event, known: Incident, reference: str, directory: Directory) -> Iterator[Event]:
    """It is known who the child is: nobody needs to be asked any longer."""
    assert known.incident
    assert known.reported_at
    door = front_door(None, known.incident.force, known.reported_at, directory)
    if door:
        yield met(
            cause,
            DeadlineKind.MATCH_BY_PERSON,
            id=match_deadline_id(known.incident.incident_id, reference),
            child_id=unmatched(known.incident.incident_id, reference),
            due_by=match_by(known.incident, known.reported_at, door),
        )


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
    due_by = min(read_by(incident, cause.at, door), decided_by)
    told = PoliceNotified.because(
        cause,
        subject=match.record.child_id,
        to=Recipient(door.organisation_id, door.kind),
        disclosure={
            "purpose": Purpose.POLICE_NOTIFICATION,
            "lawful_basis": LawfulBasis.LAW_ENFORCEMENT_DPA_PART_3,
            "due_by": due_by,
            "location_confidential": confidential,
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
        police_protection=incident.police_protection,
        visit_hazards=incident.visit_hazards,
        protection_plan=match.record.protection_plan,
        location_confidential=confidential,
        circumstances=[],
        matched_by=match.basis,
    )
    yield told
    yield expect(
        cause,
        DeadlineKind.NOTIFICATION_READ,
        id=deadline_id(DeadlineKind.NOTIFICATION_READ, str(told.disclosure.id)),
        disclosure_id=told.disclosure.id,
        child_id=told.child_id,
        of=door,
        due_by=due_by,
        adults=incident.adults_of_concern,
        location_confidential=confidential,
        directory=directory,
    )
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
    """Ask a person who the child is: before school, and sooner where it is urgent (H12).

    Held where an adult of concern is known to be among those who would be asked (H3). Where it is not known they are
    asked all the same: nobody else can say who the child is, and the question does not tell what happened.
    """
    question_id = match_deadline_id(incident.incident_id, child.reference)
    door = front_door(None, incident.force, incident.at, directory)
    asked = [one for one in (door, authority_for(door, directory) if door else None) if one]
    if any(conflict(incident.adults_of_concern, one.organisation_id) is YesNoUnknown.YES for one in asked):
        yield Held("H3", nobody)
        return
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
    if door is None:
        yield Held("H7", nobody)
        return
    yield expect(
        incident,
        DeadlineKind.MATCH_BY_PERSON,
        id=question_id,
        child_id=nobody,
        of=door,
        due_by=match_by(incident, incident.at, door),
        adults=incident.adults_of_concern,
        location_confidential=_confidential(incident, child, None),
        directory=directory,
    )


def _open_record(child_id: str, directory: Directory) -> ChildRecorded | None:
    record = directory.child(child_id)
    return record if record and record.status is RecordStatus.OPEN else None


def _confidential(incident: IncidentReported, child: IncidentChild, record: ChildRecorded | None) -> bool:
    """Whether anyone who knows of the child says that its location is confidential (H2)."""
    return (
        incident.location_confidential or child.location_confidential or bool(record and record.location_confidential)
    )
