"""What every room that discloses asks in the same way: may this one be told, who is there now, who hears of silence.

Pure, like the decisions that call it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from uuid import UUID

from services.bus.directory import Directory
from services.bus.envelope import Alarm, Event, Held, same_cause_same_id
from services.bus.events import (
    AdultOfConcern,
    ChildRecorded,
    DeadlineKind,
    DeadlineMet,
    DeadlineSet,
    Disclosure,
    OrganisationRecorded,
    RecordStatus,
    Registration,
    Role,
    YesNoUnknown,
)

# --- H3: an adult of concern at the recipient ------------------------------------------------------------------------


def conflict(adults: Iterable[AdultOfConcern], organisation_id: str) -> YesNoUnknown:
    """Whether an adult of concern is connected with an organisation (H3): the worst link of any of them.

    NO only if each adult has a recorded NO; an adult without a link to the organisation counts as UNKNOWN.
    """
    links = [
        link
        for adult in adults
        for link in [own.link for own in adult.links if own.organisation_id == organisation_id]
        or [YesNoUnknown.UNKNOWN]
    ]
    if YesNoUnknown.YES in links:
        return YesNoUnknown.YES
    return YesNoUnknown.UNKNOWN if YesNoUnknown.UNKNOWN in links else YesNoUnknown.NO


def held_or(
    otherwise: Iterable[Event | Held],
    *,
    adults: Iterable[AdultOfConcern],
    recipient: str,
    subject: str,
    location_confidential: bool,
) -> Iterator[Event | Held]:
    """`otherwise`, unless an adult of concern is connected with the recipient: then that is held (H3).

    Where it is not known, whoever reads it first declares that there is no conflict: the gateway shows nothing before.
    Of a child whose location is confidential the hold does not name the recipient (H2). Give `otherwise` as a
    generator: it is then not decided.
    """
    match conflict(adults, recipient):
        case YesNoUnknown.YES:
            yield Held("H3", subject, None if location_confidential else recipient)
        case YesNoUnknown.NO:
            yield from otherwise
        case _:
            yield from map(_to_be_declared, otherwise)


def _to_be_declared(part: Event | Held) -> Event | Held:
    """The same; if it discloses, it opens only to who declares that there is no conflict."""
    disclosure: Disclosure | None = getattr(part, "disclosure", None)
    if isinstance(part, Held) or disclosure is None:
        return part
    asked = disclosure.model_copy(update={"declare_no_conflict": True})
    return part.model_copy(update={"disclosure": asked}).enveloped(part.envelope)


# --- who is there now -------------------------------------------------------------------------------------------------


def registered(child: ChildRecorded, on: date, *roles: Role) -> list[Registration]:
    """The child's registrations in those roles that hold on that date, first and last day included."""
    return [
        held
        for held in child.registrations
        if held.role in roles and (held.since or date.min) <= on <= (held.until or date.max)
    ]


def registered_or_next(child: ChildRecorded, on: date, *roles: Role) -> list[Registration]:
    """Those that hold on that date; between two schools, those that begin next."""
    coming = [held for held in child.registrations if held.role in roles and held.since and held.since > on]
    first = min((held.since for held in coming if held.since), default=None)
    return registered(child, on, *roles) or [held for held in coming if held.since == first]


def standing(organisation_id: str, directory: Directory) -> OrganisationRecorded | None:
    """The organisation if it is open, else the open one that took over; None if there is none or it is not known."""
    seen: set[str] = set()
    following: str | None = organisation_id
    while following and following not in seen:
        seen.add(following)
        organisation = directory.organisation(following)
        if organisation is None or organisation.status is RecordStatus.OPEN:
            return organisation
        following = organisation.successor
    return None


def area_codes(child: ChildRecorded | None, on: date, directory: Directory) -> list[str]:
    """Codes of the local authorities of those who hold a part of the child's care on that day, most frequent first."""
    if child is None:
        return []
    near = [held.organisation_id for held in registered(child, on, *Role)]
    holding = [standing(one, directory) for one in (*near, child.allocated_worker) if one]
    codes = Counter(one.local_authority_code for one in holding if one and one.local_authority_code)
    return [code for code, _ in codes.most_common()]


def of_area(kind: Role, codes: Iterable[str | None], directory: Directory) -> OrganisationRecorded | None:
    """The open organisation of that kind in the first of these local authorities that has one, else the only one.

    None where several could be meant: no county learns of another's child by guesswork.
    """
    for code in filter(None, codes):
        for organisation in directory.organisations_in(kind, code):
            if organisation.status is RecordStatus.OPEN:
                return organisation
    anywhere = [one for one in directory.organisations_in(kind) if one.status is RecordStatus.OPEN]
    return anywhere[0] if len(anywhere) == 1 else None


def local_authority(code: str | None, directory: Directory) -> OrganisationRecorded | None:
    """The open local authority with that code; if the code is not known or nobody has it, the only one there is."""
    return of_area(Role.LOCAL_AUTHORITY, [code], directory)


def authority_for(organisation: OrganisationRecorded, directory: Directory) -> OrganisationRecorded | None:
    """Who is told when this organisation stays silent: whom it names, else its local authority; never itself.

    When the authority itself is silent and names nobody, its MASH.
    """
    named = standing(organisation.escalates_to, directory) if organisation.escalates_to else None
    if named and named.organisation_id != organisation.organisation_id:
        return named
    for kind in (Role.LOCAL_AUTHORITY, Role.MASH):
        found = of_area(kind, [organisation.local_authority_code], directory)
        if found and found.organisation_id != organisation.organisation_id:
            return found
    return None


# --- who hears of silence ---------------------------------------------------------------------------------------------


def deadline_id(kind: DeadlineKind, about: str) -> UUID:
    """The id of the deadline of that kind about one thing: a disclosure's id, as a rule."""
    return same_cause_same_id("deadline", kind.value, about)


def match_deadline_id(incident_id: str, child_reference: str) -> UUID:
    """The id of the question who an unmatched child is, and of its deadline."""
    return same_cause_same_id("match", incident_id, child_reference)


def expect(
    cause: Event | Alarm,
    kind: DeadlineKind,
    *,
    id: UUID,  # noqa: A002
    child_id: str,
    of: OrganisationRecorded,
    due_by: datetime,
    adults: Sequence[AdultOfConcern],
    location_confidential: bool,
    directory: Directory,
    disclosure_id: UUID | None = None,
    owed_role: Role | None = None,
    needs_hidden_confirmation: bool = False,
) -> DeadlineSet | Held:
    """What is expected `of` an organisation by a time, and to whom it escalates.

    Of a child whose location is confidential it does not say who owes it (H2). Held for a person to watch if an adult
    of concern is connected with the one that it would escalate to (H3), or if there is nobody at all (H7). Where it is
    not known, whoever reads the escalation declares first.

    Args:
        id: `deadline_id(...)` or `match_deadline_id(...)`.
        disclosure_id: the disclosure whose receipt ends it; None if no receipt does.
        owed_role: the role in which it is owed; by default the organisation's own kind.
    """
    authority = authority_for(of, directory)
    if authority is None:
        return Held("H7", child_id)
    link = conflict(adults, authority.organisation_id)
    if link is YesNoUnknown.YES:
        return Held("H3", child_id, None if location_confidential else authority.organisation_id)
    return DeadlineSet.because(
        cause,
        subject=str(id),
        deadline_id=id,
        child_id=child_id,
        kind=kind,
        disclosure_id=disclosure_id,
        owed_role=owed_role or of.kind,
        owed_by=None if location_confidential else of.organisation_id,
        due_by=due_by,
        escalate_to=authority.organisation_id,
        needs_hidden_confirmation=needs_hidden_confirmation,
        location_confidential=location_confidential,
        declare_no_conflict=link is not YesNoUnknown.NO,
    )


def met(cause: Event, kind: DeadlineKind, *, id: UUID, child_id: str, due_by: datetime) -> DeadlineMet:  # noqa: A002
    """What was expected is done, because of `cause` and at its time.

    For a deadline that ends with no receipt: the room that set it says so, since it alone can tell whether a decision
    was refused or an answer is complete.
    """
    return DeadlineMet.because(
        cause,
        subject=str(id),
        deadline_id=id,
        child_id=child_id,
        kind=kind,
        due_by=due_by,
        met_at=cause.at,
        late=cause.at > due_by,
    )
