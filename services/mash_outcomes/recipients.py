"""Who must know of a decision, in which role, and which reason was written for them (H5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.bus.calendar import local_day
from services.bus.directory import Directory
from services.bus.disclosing import area_codes, of_area, registered, registered_or_next, standing
from services.bus.envelope import Held
from services.bus.events import (
    ChildRecorded,
    DecisionMade,
    OrganisationRecorded,
    RecipientClass,
    Role,
)
from services.mash_outcomes.view import Contact

HEALTH = (Role.GP_PRACTICE, Role.HEALTH_VISITING, Role.SCHOOL_NURSING, Role.MATERNITY)
"""They hear outcomes through gp.updates and nowhere else (DESIGN.md §3)."""

EDUCATION = (Role.SCHOOL, Role.NURSERY)

CLASSES = {
    **dict.fromkeys(EDUCATION, RecipientClass.EDUCATION),
    **dict.fromkeys(HEALTH, RecipientClass.HEALTH),
    Role.POLICE: RecipientClass.POLICE,
    Role.SOCIAL_CARE: RecipientClass.SOCIAL_CARE,
    Role.LOCAL_AUTHORITY: RecipientClass.SOCIAL_CARE,
}
"""Of every other role: OTHER."""


@dataclass(frozen=True, slots=True)
class Listener:
    """One organisation that must know, once, however many parts it plays; and the contacts that it raised."""

    organisation: OrganisationRecorded
    role: Role
    classes: tuple[RecipientClass, ...]
    """The reason of the first of these that has one is meant for it."""
    contacts: tuple[Contact, ...] = field(default=())

    @property
    def professional(self) -> bool:
        return RecipientClass.REFERRER_NOT_PROFESSIONAL not in self.classes


def listeners(
    child: ChildRecorded | None, contacts: Iterable[Contact], at: datetime, directory: Directory
) -> list[Listener | Held]:
    """Every school and nursery of the child, or between two schools the next one, its social care team and whoever
    raised the concern; no health role.

    Held for a person is whoever has no inbox: an organisation that is not known or has closed (H7), a referrer who
    names none (H10), a member of the public who names none (H5). The hold of a referrer is about the contact.
    """
    found: dict[str, Listener] = {}
    held: list[Listener | Held] = []
    for child_id, organisation_id, role in _in_care_of(child, at):
        organisation = standing(organisation_id, directory)
        if organisation is None:
            held.append(Held("H7", child_id, organisation_id))
        else:
            found.setdefault(organisation.organisation_id, Listener(organisation, role, (_class(role),)))
    for contact in contacts:
        referrer = _referrer(contact, directory)
        if isinstance(referrer, Listener):
            referrer = _joined(found.get(referrer.organisation.organisation_id), referrer, contact)
        if isinstance(referrer, Held):
            held.append(referrer)
        elif referrer:
            found[referrer.organisation.organisation_id] = referrer
    return [*found.values(), *held]


def health_roles(child: ChildRecorded | None, at: datetime) -> list[Role]:
    """The practice, and the health team by registration; unregistered, by school entry and never by birthday (H13).

    A role that nobody holds is told as well: whoever sends then finds nobody registered, and says so.
    """
    on = local_day(at)
    teams = [role for role in HEALTH[1:] if child and registered(child, on, role)]
    if not teams:
        at_school = child and registered(child, on, Role.SCHOOL)
        teams = [Role.SCHOOL_NURSING if at_school else Role.HEALTH_VISITING]
    return [Role.GP_PRACTICE, *teams]


def reason_for(made: DecisionMade, classes: Iterable[RecipientClass]) -> str | None:
    """The reason written for the first of these classes that has one (H5).

    What is meant for a referrer who is not a professional counts only once a person has approved it.
    """
    for wanted in classes:
        for written in made.shareable_reasons:
            unapproved = wanted is RecipientClass.REFERRER_NOT_PROFESSIONAL and not (written.approved_by or "").strip()
            if written.recipient_class is wanted and written.reason.strip() and not unapproved:
                return written.reason
    return None


def front_door(child: ChildRecorded | None, at: datetime, directory: Directory) -> OrganisationRecorded | None:
    """The MASH of the child's local authority, else the only one; the authority itself if there is none."""
    codes = area_codes(child, local_day(at), directory)
    return of_area(Role.MASH, codes, directory) or of_area(Role.LOCAL_AUTHORITY, codes, directory)


def _in_care_of(child: ChildRecorded | None, at: datetime) -> Iterator[tuple[str, str, Role]]:
    if child is None:
        return
    for held in registered_or_next(child, local_day(at), *EDUCATION):
        yield child.child_id, held.organisation_id, held.role
    if child.allocated_worker:
        yield child.child_id, child.allocated_worker, Role.SOCIAL_CARE


def _joined(other: Listener | None, referrer: Listener, contact: Contact) -> Listener | Held:
    """The referrer, as the one organisation that it is, whatever other part it plays.

    One inbox cannot keep what a person approved (H5) apart from what a professional may read.
    """
    other = other or referrer
    if other.professional != referrer.professional:
        return Held("H5", contact.reference, referrer.organisation.organisation_id)
    classes = tuple(dict.fromkeys((*other.classes, *referrer.classes)))
    return replace(other, classes=classes, contacts=(*other.contacts, contact))


def _referrer(contact: Contact, directory: Directory) -> Listener | Held | None:
    """None for a health role, which is told through its cue."""
    if contact.professional and contact.role in HEALTH:
        return None
    if not contact.organisation_id:
        return Held("H10" if contact.professional else "H5", contact.reference)
    organisation = standing(contact.organisation_id, directory)
    if organisation is None:
        return Held("H7", contact.reference, contact.organisation_id)
    if not contact.professional:
        return Listener(organisation, Role.REFERRER, (RecipientClass.REFERRER_NOT_PROFESSIONAL,))
    return Listener(organisation, Role.REFERRER, (RecipientClass.REFERRER_PROFESSIONAL, _class(contact.role)))


def _class(role: Role) -> RecipientClass:
    return CLASSES.get(role, RecipientClass.OTHER)
