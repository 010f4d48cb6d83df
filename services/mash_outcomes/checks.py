"""Checks with other agencies: asked on a recorded ground (H6), answered category by category, in time (N3, N4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from services.bus.calendar import USUAL, add_hours, opening_hours_after
from services.bus.directory import Directory
from services.bus.disclosing import deadline_id, expect, met, standing
from services.bus.envelope import Event, Held
from services.bus.events import (
    ChildRecorded,
    DeadlineKind,
    DeadlineMet,
    FamilyTold,
    Grading,
    InformationRequested,
    InformationReturned,
    Threshold,
)
from services.mash_outcomes.recipients import front_door
from services.mash_outcomes.refusals import RequestWithoutGround
from services.mash_outcomes.view import Case, Request

RED_HOURS = 4.0
"""By the clock (H14). What nobody has graded counts as red (H7)."""

OPENING_HOURS = {Grading.AMBER: 24.0, Grading.GREEN: 72.0}
"""Hours in which the agency is open (H14)."""


def expect_answer(requested: InformationRequested, case: Case, directory: Directory) -> Iterator[Event | Held]:
    """The agency owes an answer by the request's priority. One that came before its request counts.

    The deadline has the id of the request's disclosure, and reading the request does not end it.

    Raises:
        RequestWithoutGround: below section 47, and the ground for asking others is not recorded (H6).
    """
    if missing := missing_ground(requested):
        raise RequestWithoutGround(requested.request_id, missing)
    if case.asked(requested.request_id):
        return
    now = case.evolve(requested).requests[requested.request_id]
    agency = standing(requested.disclosure.recipient, directory)
    if agency is None:
        yield Held("H7", requested.request_id)
        return
    yield expect(
        requested,
        DeadlineKind.INFORMATION_RESPONSE,
        id=requested.disclosure.id,
        child_id=requested.child_id,
        of=agency,
        owed_role=requested.disclosure.recipient_role,
        due_by=answer_due(now, directory),
        adults=case.decision.adults_of_concern if case.decision else (),
        location_confidential=_confidential(case, directory.child(requested.child_id)),
        directory=directory,
    )
    if now.record_due_by:
        yield _met(requested, _record_id(requested.request_id), now.record_due_by)
    if now.complete:
        yield _met(requested, requested.disclosure.id, answer_due(now, directory))


def note_answer(returned: InformationReturned, case: Case, directory: Directory) -> Iterator[Event | Held]:
    """Met once every category that was asked for has an answer, in however many parts.

    An answer to a request that nobody recorded waits for it: the front door owes that record.
    """
    before = case.requests.get(returned.request_id, Request())
    now = case.evolve(returned).requests[returned.request_id]
    if now.disclosure_id and now.complete and not before.complete:
        yield _met(returned, now.disclosure_id, answer_due(now, directory))
    if now.record_due_by and not before.record_due_by:
        yield _await_request(returned, now.record_due_by, case, directory)


def answer_due(request: Request, directory: Directory) -> datetime:
    """By when an agency answers: red by the clock, amber and green by its opening hours (H14)."""
    assert request.asked_at, "the request was heard of"
    hours = OPENING_HOURS.get(request.priority)
    if hours is None:
        return add_hours(request.asked_at, RED_HOURS)
    return opening_hours_after(request.asked_at, hours, standing(request.of, directory) or USUAL)


def _await_request(returned: InformationReturned, due_by: datetime, case: Case, directory: Directory) -> Event | Held:
    """Somebody answered what nobody recorded having asked."""
    child = directory.child(returned.child_id)
    door = front_door(child, returned.at, directory)
    if door is None:
        return Held("H7", returned.request_id)
    return expect(
        returned,
        DeadlineKind.INFORMATION_RESPONSE,
        id=_record_id(returned.request_id),
        child_id=returned.child_id,
        of=door,
        due_by=due_by,
        adults=case.decision.adults_of_concern if case.decision else (),
        location_confidential=_confidential(case, child),
        directory=directory,
    )


def _record_id(request_id: str) -> UUID:
    """Of the deadline for recording a request that was answered before anybody heard of it."""
    return deadline_id(DeadlineKind.INFORMATION_RESPONSE, request_id)


def _met(cause: InformationRequested | InformationReturned, id: UUID, due_by: datetime) -> DeadlineMet:  # noqa: A002
    return met(cause, DeadlineKind.INFORMATION_RESPONSE, id=id, child_id=cause.child_id, due_by=due_by)


def _confidential(case: Case, child: ChildRecorded | None) -> bool:
    """H2. A request does not say, and a child who is not in the directory may be anywhere."""
    return case.location_confidential or child is None or child.location_confidential


def missing_ground(requested: InformationRequested) -> list[str]:
    """Fields that record no ground, none at section 47. A family that is not told yet needs a reason why not (H6)."""
    if requested.threshold is Threshold.SECTION_47:
        return []
    told = requested.family_told is FamilyTold.TOLD
    unsafe = requested.family_told is FamilyTold.NOT_TOLD_UNSAFE
    recorded = {
        "threshold": requested.threshold is not Threshold.UNKNOWN,
        "family_told": told or unsafe,
        "family_not_told_reason": not unsafe or bool((requested.family_not_told_reason or "").strip()),
        "authorised_by": bool((requested.authorised_by or "").strip()),
    }
    return [field for field, there in recorded.items() if not there]
