"""Operation Encompass: domestic abuse → an alert to every school where the child is registered, due by H9's clock.

Domestic Abuse Act 2021 s.49A: as soon as is reasonably practicable, for every child under 18. A school learns that an
incident happened, when, and that this child was there or lives there; nothing of an adult, a place or the narrative.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from services.bus.calendar import encompass_due, in_holiday, local_day
from services.bus.directory import Directory
from services.bus.disclosing import (
    area_codes,
    deadline_id,
    expect,
    held_or,
    of_area,
    registered,
    standing,
)
from services.bus.envelope import Event, Held, Recipient
from services.bus.events import (
    ChildIdentity,
    ChildRecorded,
    DeadlineKind,
    IncidentKind,
    LawfulBasis,
    OrganisationRecorded,
    PoliceNotified,
    Purpose,
    RecordStatus,
    Registration,
    Role,
    SchoolAlerted,
)

SCHOOLS = (Role.SCHOOL, Role.NURSERY)
WHAT_TO_DO = (
    "Tell your designated safeguarding lead before this child is next in school. Watch for a change in the child, "
    "listen, and give silent or spoken support. Do not ask the child about it, and do not contact the family about it. "
    "Pass on any new concern to the MASH."
)


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is alerted, and on what lawful basis."""

    organisation: OrganisationRecorded
    basis: LawfulBasis


def alert_schools(notified: PoliceNotified, directory: Directory) -> Iterator[Event | Held]:
    """Alert everyone who looks after the child in the daytime, each once; the local authority where nobody else does.

    Held for a person: an incident of unknown kind (H7), a child whose record was closed meanwhile (H1), whose
    circumstances are special or who by the date of birth is no child any more (H13), a listener to whom an adult of
    concern is connected (H3), and a child whom nobody could be told about (H9).
    """
    if IncidentKind.DOMESTIC_ABUSE not in notified.kinds:
        if IncidentKind.UNKNOWN in notified.kinds or not notified.kinds:
            yield Held("H7", notified.child_id)
        return
    child = directory.child(notified.child_id)
    identity = child.identity if child else notified.about
    if identity.date_of_birth and _age(identity.date_of_birth, local_day(_aware_at(notified))) >= 18:
        yield Held("H13", notified.child_id)
        return
    if child and child.status is not RecordStatus.OPEN:
        yield Held("H1", notified.child_id)
        return
    if notified.circumstances or (child and child.circumstances):
        yield Held("H13", notified.child_id)
        return
    confidential = notified.location_confidential or bool(child and child.location_confidential)
    listeners = list(who_listens(notified, child, directory))
    if None in listeners:
        yield Held("H9", notified.child_id)
    for listener in _each_once(listeners):
        yield from held_or(
            _alert(notified, identity, listener, confidential, directory),
            adults=notified.adults_of_concern,
            recipient=listener.organisation.organisation_id,
            subject=notified.child_id,
            location_confidential=confidential,
        )


def who_listens(
    notified: PoliceNotified, child: ChildRecorded | None, directory: Directory
) -> Iterator[Listener | None]:
    """Every school and nursery of the child, or whoever stands in; None where there is nobody (H9).

    A home-educated child's is the local authority. A child who is at no school yet has a health visiting team; a child
    who is registered nowhere has the local authority, since nobody else would be told.
    """
    places = _schools(child, notified, directory) if child else []
    for place in places:
        yield from _at_school(place, notified, child, directory)
    if child and child.home_educated:
        yield _authority(notified, child, LawfulBasis.HOME_EDUCATION_ENCOMPASS, directory)
    elif not places:
        on = local_day(notified.at)
        held = registered(child, on, Role.HEALTH_VISITING) if child else []
        teams = [team for one in held if (team := standing(one.organisation_id, directory))]
        yield from (Listener(team, LawfulBasis.PUBLIC_TASK_6_1_E) for team in teams)
        if not teams:
            yield _authority(notified, child, LawfulBasis.PUBLIC_TASK_6_1_E, directory)


def _schools(child: ChildRecorded, notified: PoliceNotified, directory: Directory) -> list[Registration]:
    """Registrations that hold on the school's next day; between two schools, the new one's."""
    now: list[Registration] = []
    coming: list[Registration] = []
    for place in (one for one in child.registrations if one.role in SCHOOLS):
        school = standing(place.organisation_id, directory)
        day = local_day(encompass_due(notified.at, school) if school else notified.at)
        if day <= (place.until or date.max):
            (now if (place.since or date.min) <= day else coming).append(place)
    first = min((place.since for place in coming if place.since), default=None)
    return now or [place for place in coming if place.since == first]


def _at_school(
    place: Registration, notified: PoliceNotified, child: ChildRecorded | None, directory: Directory
) -> Iterator[Listener | None]:
    """The school, or the one that took over; in holidays its named cover as well, who is there before the school is.

    Where there is no school any more, or no cover is named, the authority.
    """
    school = standing(place.organisation_id, directory)
    if school is None:
        yield _authority(notified, child, LawfulBasis.PUBLIC_TASK_6_1_E, directory)
        return
    nursery = Role.NURSERY in (place.role, school.kind)
    basis = LawfulBasis.NURSERY_ENCOMPASS if nursery else LawfulBasis.DA_ACT_2021_S49_A
    if in_holiday(notified.at, school):
        cover = standing(school.holiday_cover, directory) if school.holiday_cover else None
        near = school.local_authority_code
        yield (
            Listener(cover, basis)
            if cover
            else _authority(notified, child, LawfulBasis.PUBLIC_TASK_6_1_E, directory, near)
        )
    yield Listener(school, basis)


def _alert(
    notified: PoliceNotified, identity: ChildIdentity, listener: Listener, confidential: bool, directory: Directory
) -> Iterator[Event | Held]:
    told = listener.organisation
    due_by = encompass_due(_aware_at(notified), told)
    alerted = SchoolAlerted.because(
        notified,
        subject=notified.child_id,
        to=Recipient(told.organisation_id, told.kind),
        disclosure={
            "purpose": Purpose.OPERATION_ENCOMPASS,
            "lawful_basis": listener.basis,
            "due_by": due_by,
            "location_confidential": confidential,
        },
        child_id=notified.child_id,
        about=ChildIdentity(
            forenames=identity.forenames,
            family_name=identity.family_name,
            date_of_birth=identity.date_of_birth,
            # A health visitor files by other means, and knows no pupil numbers.
            upn=None if told.kind is Role.HEALTH_VISITING else identity.upn,
        ),
        incident_at=notified.occurred_at,
        aware_at=notified.aware_at,
        presence=notified.presence,
        historic=notified.historic,
        what_to_do=WHAT_TO_DO,
    )
    yield alerted
    yield expect(
        notified,
        DeadlineKind.SCHOOL_ALERT_READ,
        id=deadline_id(DeadlineKind.SCHOOL_ALERT_READ, str(alerted.disclosure.id)),
        disclosure_id=alerted.disclosure.id,
        child_id=notified.child_id,
        of=told,
        due_by=due_by,
        adults=notified.adults_of_concern,
        location_confidential=confidential,
        directory=directory,
    )


def _aware_at(notified: PoliceNotified) -> datetime:
    """When the police became aware. A clock that runs ahead moves no deadline, and makes no child grow up."""
    return min(notified.aware_at, notified.at)


def _each_once(listeners: Iterable[Listener | None]) -> list[Listener]:
    once: dict[str, Listener] = {}
    for listener in listeners:
        if listener:
            once.setdefault(listener.organisation.organisation_id, listener)
    return list(once.values())


def _authority(
    notified: PoliceNotified,
    child: ChildRecorded | None,
    basis: LawfulBasis,
    directory: Directory,
    near: str | None = None,
) -> Listener | None:
    """The local authority `near`, else that of whoever has a part in the child's care, else of the front door."""
    door = directory.organisation(notified.disclosure.recipient)
    codes = [near, *area_codes(child, local_day(notified.at), directory), door.local_authority_code if door else None]
    authority = of_area(Role.LOCAL_AUTHORITY, codes, directory)
    return Listener(authority, basis) if authority else None


def _age(born: date, on: date) -> int:
    """Completed years on that day."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
