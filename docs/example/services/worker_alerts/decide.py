"""A police notification of a child who has an allocated worker → that worker's team, by the next working day."""

from __future__ import annotations

from collections.abc import Iterator

from services.bus.calendar import working_days_after
from services.bus.directory import Directory
from services.bus.disclosing import held_or, standing
from services.bus.envelope import Event, Held, Recipient
from services.bus.events import LawfulBasis, OrganisationRecorded, PoliceNotified, Purpose, WorkerAlerted


def tell_worker(notified: PoliceNotified, directory: Directory) -> Iterator[Event | Held]:
    """Tell the team that works with the child. Nothing follows for a child without one.

    Held for a person: the team has closed or is not known (H7); an adult of concern is connected (H3).
    """
    child = directory.child(notified.child_id)
    if child is None or child.allocated_worker is None:
        return
    team = standing(child.allocated_worker, directory)
    if team is None:
        yield Held("H7", notified.child_id)
        return
    confidential = notified.location_confidential or child.location_confidential
    yield from held_or(
        _alert(notified, team, confidential),
        adults=notified.adults_of_concern,
        recipient=team.organisation_id,
        subject=notified.child_id,
        location_confidential=confidential,
    )


def _alert(notified: PoliceNotified, team: OrganisationRecorded, confidential: bool) -> Iterator[Event]:
    yield WorkerAlerted.because(
        notified,
        subject=notified.child_id,
        to=Recipient(team.organisation_id, team.kind),
        disclosure={
            "purpose": Purpose.POLICE_NOTIFICATION,
            "lawful_basis": LawfulBasis.PUBLIC_TASK_6_1_E,
            "due_by": working_days_after(notified.at, 1),
            "location_confidential": confidential,
        },
        child_id=notified.child_id,
        incident_id=notified.incident_id,
        incident_at=notified.occurred_at,
    )
