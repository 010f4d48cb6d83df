"""A cue for a health role → a document about this child alone, to each who is registered in that role when it is sent.

H11: no adult's and no third party's data, registration checked at the time of sending, hidden from online access; its
deadline ends only when a named person has confirmed that it is hidden.
"""

from __future__ import annotations

from collections.abc import Iterator

from services.bus.calendar import local_day, working_days_after
from services.bus.directory import Directory
from services.bus.disclosing import deadline_id, expect, held_or, registered, standing
from services.bus.envelope import Event, Held, Recipient
from services.bus.events import (
    ChildIdentity,
    ChildRecorded,
    DeadlineKind,
    HealthMatter,
    HealthToBeTold,
    HealthUpdated,
    LawfulBasis,
    OrganisationRecorded,
    Outcome,
    Purpose,
    RecordStatus,
    Role,
)
from services.gp_updates.refusals import NotAHealthRole, NothingToFile

HEALTH_ROLES = (Role.GP_PRACTICE, Role.HEALTH_VISITING, Role.SCHOOL_NURSING, Role.MATERNITY)

FILED_WITHIN = 1
"""Working days in which a document is filed and hidden; local practice."""

TITLES = {
    HealthMatter.ENQUIRY_OUTCOME: "Safeguarding: outcome of a MASH enquiry",
    HealthMatter.STRATEGY_ACTIONS: "Safeguarding: actions of a strategy discussion",
}
"""The same for every child: a title is shown where the document is not. Of every other matter: UNTITLED."""

UNTITLED = "Safeguarding: information from the MASH"

OUTCOMES = {
    Outcome.NO_FURTHER_ACTION: "no further action",
    Outcome.ADVICE: "advice was given",
    Outcome.EARLY_HELP: "early help",
    Outcome.SECTION_17_ASSESSMENT: "an assessment as a child in need (Children Act 1989 s.17)",
    Outcome.STRATEGY_DISCUSSION: "a strategy discussion",
    Outcome.SECTION_47_ENQUIRY: "a child protection enquiry (Children Act 1989 s.47)",
}


def update_record(cue: HealthToBeTold, directory: Directory) -> Iterator[Event | Held]:
    """Send it to every organisation that is registered for the child in the role now.

    Held for a person: nobody is registered, or one that is has closed without a successor (H11); the child's record was
    closed meanwhile (H1); the child does not fit (H13); an adult of concern is connected with it (H3).

    Raises:
        NotAHealthRole: the role keeps no health record.
        NothingToFile: it closes an enquiry and has no reason, or says nothing at all.
    """
    if cue.role not in HEALTH_ROLES:
        raise NotAHealthRole(cue.cue_id, cue.role)
    if not _text(cue) or (cue.closes and not (cue.reason or "").strip()):
        raise NothingToFile(cue.cue_id)
    child = directory.child(cue.child_id)
    if child is None:
        yield Held("H11", cue.child_id)
        return
    if child.status is not RecordStatus.OPEN or child.circumstances:
        yield Held("H13" if child.status is RecordStatus.OPEN else "H1", cue.child_id)
        return
    confidential = cue.location_confidential or child.location_confidential
    keepers = _keepers(cue, child, directory)
    if not keepers or None in keepers:
        yield Held("H11", cue.child_id)
    for keeper in filter(None, keepers):
        yield from held_or(
            _document(cue, child, keeper, confidential, directory),
            adults=cue.adults_of_concern,
            recipient=keeper.organisation_id,
            subject=cue.child_id,
            location_confidential=confidential,
        )


def _keepers(cue: HealthToBeTold, child: ChildRecorded, directory: Directory) -> list[OrganisationRecorded | None]:
    """Each organisation once that keeps the child's record in that role on that day; None for one that has closed."""
    held = registered(child, local_day(cue.at), cue.role)
    found = [standing(each.organisation_id, directory) for each in held]
    return list({keeper.organisation_id if keeper else None: keeper for keeper in found}.values())


def _document(
    cue: HealthToBeTold, child: ChildRecorded, keeper: OrganisationRecorded, confidential: bool, directory: Directory
) -> Iterator[Event | Held]:
    due_by = working_days_after(cue.at, FILED_WITHIN)
    updated = HealthUpdated.because(
        cue,
        subject=cue.child_id,
        to=Recipient(keeper.organisation_id, cue.role),
        disclosure={
            "purpose": Purpose.HEALTH_RECORD,
            "lawful_basis": LawfulBasis.PUBLIC_TASK_6_1_E,
            "due_by": due_by,
            "location_confidential": confidential,
        },
        child_id=cue.child_id,
        about=_about(child),
        title=TITLES.get(cue.what, UNTITLED),
        text=_text(cue),
        outcome=cue.outcome,
        decided_at=cue.decided_at,
        hide_from_online_access=True,
    )
    yield updated
    yield expect(
        cue,
        DeadlineKind.HEALTH_RECORD_FILED,
        id=deadline_id(DeadlineKind.HEALTH_RECORD_FILED, str(updated.disclosure.id)),
        disclosure_id=updated.disclosure.id,
        child_id=cue.child_id,
        of=keeper,
        owed_role=cue.role,
        due_by=due_by,
        adults=cue.adults_of_concern,
        location_confidential=confidential,
        directory=directory,
        needs_hidden_confirmation=True,
    )


def _about(child: ChildRecorded) -> ChildIdentity:
    """By the NHS number, so that it is filed in the right record; pupil numbers are no business of health."""
    return child.identity.model_copy(update={"upn": None})


def _text(cue: HealthToBeTold) -> str:
    """Outcome, reason and what happens next, each in a line of its own if it is there."""
    decided = OUTCOMES.get(cue.outcome)
    lines = [f"Outcome: {decided}." if decided else "", cue.reason or "", cue.what_happens_next]
    return "\n\n".join(line.strip() for line in lines if line.strip())
