"""An event → the facts that it tells of. One function an event; what is not here tells of none."""

from __future__ import annotations

from collections.abc import Iterator
from functools import singledispatch

from services.bus.disclosing import deadline_id
from services.bus.envelope import Event
from services.bus.events import (
    ChildMatched,
    ChildUnmatched,
    DeadlineKind,
    DeadlineMissed,
    DeadlineSet,
    FactKind,
    HandoverNoted,
    IncidentKind,
    NoteKind,
    OperatorAct,
    OperatorActed,
    PoliceNotified,
    Presence,
    Role,
    SchoolAlerted,
    YesNoUnknown,
)
from services.handover_feed.enquiries import contact, decision, request
from services.handover_feed.facts import Fact, fact
from services.handover_feed.held import matter_of_act, of_dead_letter
from services.handover_feed.sentences import joined, listed, word

SHOWN_BY_ITSELF = (
    DeadlineKind.UNKNOWN,
    DeadlineKind.MEETING_EXPECTED,
    DeadlineKind.INCIDENT_EXPECTED,
    DeadlineKind.FRONT_DOOR_DECISION,
)
"""What is expected and stands nowhere else on a card. Of the others the card says who was told and has not read it."""

THE_BUS = "the bus"

NOTES = {
    NoteKind.ASKED: FactKind.ASKED,
    NoteKind.HAZARD: FactKind.HAZARD,
}
PRESENT = {
    Presence.WAS_PRESENT: "The child was there.",
    Presence.LIVES_THERE: "The child lives there.",
    Presence.BOTH: "The child lives there and was there.",
}
DANGER = {
    YesNoUnknown.YES: "a child is in immediate danger",
    YesNoUnknown.NO: "no immediate danger",
    YesNoUnknown.UNKNOWN: "whether there is immediate danger was not said",
}


@singledispatch
def facts_of(_event: Event) -> Iterator[Fact]:
    """What an event tells of; no event is wrong here, since a board that fails to show one would hide it."""
    yield from ()


@facts_of.register
def _incident(told: PoliceNotified) -> Iterator[Fact]:
    disclosure = str(told.disclosure.id)
    decision = str(deadline_id(DeadlineKind.FRONT_DOOR_DECISION, disclosure))
    read = str(deadline_id(DeadlineKind.NOTIFICATION_READ, disclosure))
    kinds = [kind for kind in told.kinds if kind is not IncidentKind.UNKNOWN]
    graded = f"graded {word(told.grading)}" if told.grading.value != "UNKNOWN" else "not graded"
    what = listed(word(kind) for kind in kinds) or "of an unknown kind"
    sentences = [
        f"{what.capitalize()}; {graded}; {DANGER[told.immediate_danger]}.",
        "It happened long before the police became aware." if told.historic else "",
        PRESENT.get(told.presence, ""),
        told.narrative,
        ""
        if told.voice
        else f"The child's voice was not recorded: {told.voice_not_recorded_reason or 'no reason given'}.",
        f"The police ask for no strategy discussion: {told.strategy_discussion.reason}"
        if told.strategy_discussion.wanted is YesNoUnknown.NO
        else "",
    ]
    unknown = not kinds or IncidentKind.UNKNOWN in told.kinds
    missing = (
        YesNoUnknown.YES if IncidentKind.MISSING in kinds else YesNoUnknown.UNKNOWN if unknown else YesNoUnknown.NO
    )
    yield fact(
        told,
        FactKind.INCIDENT,
        happened_at=told.occurred_at,
        text=joined(sentences),
        voice=told.voice,
        said_by=told.force,
        role=Role.POLICE,
        enquiry_id=told.incident_id,
        ends=(decision,),
        deadlines=(read, decision),
        danger=told.immediate_danger,
        grading=told.grading,
        missing=missing,
    )
    if told.strategy_discussion.wanted is YesNoUnknown.YES:
        yield fact(
            told,
            FactKind.STRATEGY_DISCUSSION,
            suffix=":strategy",
            text=f"The police ask for a strategy discussion: {told.strategy_discussion.reason}",
            said_by=told.force,
            role=Role.POLICE,
            enquiry_id=told.incident_id,
            ends=(decision,),
            deadlines=(decision,),
        )


@facts_of.register
def _unmatched(asked: ChildUnmatched) -> Iterator[Fact]:
    likely = asked.candidates[0] if asked.candidates else None
    sentences = [
        f"It is not certain who this child is: {word(asked.why)}; {DANGER[asked.immediate_danger]}.",
        f"{len(asked.candidates)} in the index are alike." if len(asked.candidates) > 1 else "",
        f"The likeliest agrees on {listed(map(word, likely.matched_on)) or 'nothing'} and differs on "
        f"{listed(map(word, likely.differs_on)) or 'nothing'}."
        if likely
        else "Nobody in the index is alike.",
        "Nobody has been told about this child: say who it is.",
    ]
    yield fact(
        asked,
        FactKind.UNMATCHED,
        happened_at=asked.aware_at,
        text=joined(sentences),
        said_by=asked.force,
        role=Role.POLICE,
        enquiry_id=asked.incident_id,
        ends=(asked.unmatched_id,),
        deadlines=(asked.unmatched_id,),
        danger=asked.immediate_danger,
        grading=asked.grading,
        missing=YesNoUnknown.UNKNOWN,
    )


@facts_of.register
def _matched(answered: ChildMatched) -> Iterator[Fact]:
    yield fact(
        answered,
        FactKind.MATCHED,
        text=f"It was said who this child is. Once that stands, the rest is on the child's own card. {answered.reason}",
        said_by=answered.decided_by,
        enquiry_id=answered.incident_id,
    )


@facts_of.register
def _dealt_with(acted: OperatorActed) -> Iterator[Fact]:
    """An operator has dealt with a dead letter: it stands beside what was held, with the reason."""
    if matter_of_act(acted) is None:
        return
    did = "sent it again, and it was decided" if acted.act is OperatorAct.RETRIED else "discarded it"
    yield fact(
        acted,
        FactKind.NOTE,
        happened_at=acted.acted_at,
        text=f"An operator of the bus {did}. {(acted.reason or '').strip()}".strip(),
        said_by=THE_BUS,
        for_information=True,
        quiet=True,
    )


@facts_of.register
def _alert(told: SchoolAlerted) -> Iterator[Fact]:
    read = str(deadline_id(DeadlineKind.SCHOOL_ALERT_READ, str(told.disclosure.id)))
    yield fact(
        told,
        FactKind.ALERT_UNREAD,
        text="Nobody there has read the domestic abuse alert yet.",
        role=Role.POLICE,
        owed_by=told.disclosure.recipient,
        owed_role=told.disclosure.recipient_role,
        due_by=told.disclosure.due_by,
        ends=(read, f"read {told.disclosure.id}"),
        deadlines=(read,),
    )


@facts_of.register
def _expected(expected: DeadlineSet) -> Iterator[Fact]:
    if expected.kind in SHOWN_BY_ITSELF:
        yield fact(
            expected,
            FactKind.DEADLINE_COMING,
            text=f"Expected: {word(expected.kind)}.",
            said_by=THE_BUS,
            owed_by=expected.owed_by or "",
            owed_role=expected.owed_role,
            due_by=expected.due_by,
            ends=(str(expected.deadline_id), f"missed {expected.deadline_id}"),
            deadlines=(str(expected.deadline_id),),
            quiet=expected.kind is DeadlineKind.FRONT_DOOR_DECISION,
        )


@facts_of.register
def _missed(missed: DeadlineMissed) -> Iterator[Fact]:
    yield fact(
        missed,
        FactKind.DEADLINE_MISSED,
        happened_at=missed.due_by,
        text=f"Not done in time: {word(missed.kind)}.",
        said_by=THE_BUS,
        owed_by=missed.owed_by or "",
        owed_role=missed.owed_role,
        due_by=missed.due_by,
        ends=(str(missed.deadline_id),),
    )


@facts_of.register
def _note(note: HandoverNoted) -> Iterator[Fact]:
    plan = note.kind is NoteKind.PROTECTION_PLAN
    kind = NOTES.get(note.kind, FactKind.NOTE)
    yield fact(
        note,
        kind,
        happened_at=note.written_at,
        text=f"The child has a child protection plan. {note.text}" if plan else note.text,
        said_by=f"{note.by.name}, {note.by.post}",
        due_by=note.due_by if kind is FactKind.ASKED else None,
        to=note.to,
        for_information=kind is not FactKind.ASKED and note.to is note.by.team,
    )


for tells in (contact, request, decision, of_dead_letter):
    facts_of.register(tells)
