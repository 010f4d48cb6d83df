"""Who takes an incident for a child, and by when somebody there must have looked (H7, H14)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from services.bus.calendar import (
    USUAL,
    Calendar,
    Hours,
    add_hours,
    encompass_due,
    is_open,
    local_day,
    opening_hours_after,
)
from services.bus.directory import Directory
from services.bus.disclosing import area_codes, of_area
from services.bus.events import ChildRecorded, Grading, IncidentReported, OrganisationRecorded, Role, YesNoUnknown

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


def front_door(
    child: ChildRecorded | None, force: str | None, at: datetime, directory: Directory
) -> OrganisationRecorded | None:
    """The MASH while it is open, else the duty team: of the child's authority, else of the force's, else the only one.

    None if there is neither, or several could be meant.
    """
    police = directory.organisation(force) if force else None
    codes = [*area_codes(child, local_day(at), directory), police.local_authority_code if police else None]
    mash = of_area(Role.MASH, codes, directory)
    if mash and is_open(at, hours(mash)):
        return mash
    return of_area(Role.OUT_OF_HOURS, codes, directory) or mash


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


def match_by(incident: IncidentReported, at: datetime, door: OrganisationRecorded) -> datetime:
    """By when a person must have said who a child is: before school, and sooner where it is urgent (H12)."""
    # A force's clock that runs ahead must not move it past the next school morning.
    aware_at = min(incident.aware_at, at)
    return min(read_by(incident, at, door), encompass_due(aware_at, USUAL))
