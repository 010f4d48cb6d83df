"""What a card says in words. The organisations' names are the directory's; of a confidential place only roles (H2)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from services.bus.calendar import LONDON
from services.bus.directory import Directory
from services.bus.events import EscalatedBecause, EscalationState, FactKind, HandoverEscalated, Role
from services.handover_feed.facts import Fact

ROLES = {
    Role.UNKNOWN: "somebody",
    Role.SCHOOL: "a school",
    Role.NURSERY: "a nursery",
    Role.GP_PRACTICE: "a GP practice",
    Role.HEALTH_VISITING: "health visiting",
    Role.SCHOOL_NURSING: "school nursing",
    Role.MATERNITY: "maternity",
    Role.MASH: "the MASH",
    Role.OUT_OF_HOURS: "the out-of-hours team",
    Role.POLICE: "the police",
    Role.LOCAL_AUTHORITY: "the local authority",
    Role.SOCIAL_CARE: "social care",
    Role.REFERRER: "whoever raised the concern",
    Role.HOUSING: "housing",
    Role.OTHER: "another agency",
}
LONGEST_NAME = 200


def word(code: StrEnum | str) -> str:
    """A code as a reader reads it: `DOMESTIC_ABUSE` is domestic abuse."""
    return str(code).replace("_", " ").lower()


def listed(parts: Iterable[str]) -> str:
    """`a, b and c`; empty if there is none."""
    *most, last = [*parts] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def joined(sentences: Iterable[str]) -> str:
    """One after the other, without those that say nothing."""
    return " ".join(sentence.strip() for sentence in sentences if sentence.strip())


def who(organisation_id: str, role: Role, directory: Directory, *, confidential: bool) -> str:
    """An organisation by its name, or by its role where its name could tell where the child is (H2)."""
    if confidential and role is not Role.POLICE:
        return ROLES[role]
    known = directory.organisation(organisation_id) if organisation_id else None
    return (known.name if known else "")[:LONGEST_NAME] or organisation_id[:LONGEST_NAME] or ROLES[role]


def said_by(fact: Fact, directory: Directory, *, confidential: bool) -> str:
    """Who said it: a force, a role, or a worker."""
    if fact.role is Role.UNKNOWN and fact.said_by:
        return fact.said_by[:LONGEST_NAME]
    return who(fact.said_by, fact.role, directory, confidential=confidential)


def words(fact: Fact, directory: Directory, *, confidential: bool) -> str:
    """What happened, and of whom something is expected."""
    if fact.kind not in (
        FactKind.ALERT_UNREAD, FactKind.INFORMATION_REQUESTED, FactKind.DEADLINE_COMING, FactKind.DEADLINE_MISSED,
    ):  # fmt: skip
        return fact.text
    of = who(fact.owed_by, fact.owed_role, directory, confidential=confidential)
    return f"{of if ':' in of else of[:1].upper() + of[1:]}. {fact.text}"


def escalation(state: HandoverEscalated) -> str:
    """How it stands with the on-call manager."""
    at = moment(state.happened_at)
    if state.why is EscalatedBecause.PASSED_ON:
        return _passed_on(state.state, at)
    since = moment(state.waiting_since)
    if at.partition(" ")[2] == since.partition(" ")[2]:
        since = since.partition(" ")[0]
    match state.state:
        case EscalationState.PAGED:
            return f"The on-call manager was paged at {at}: nobody had taken this since {since}."
        case EscalationState.NOT_REACHED:
            return f"The on-call manager could not be paged by {at}: telephone. Nobody had taken this since {since}."
    return f"At {at} nobody had taken this since {since}: the on-call manager is to be paged."


def _passed_on(state: EscalationState, at: str) -> str:
    why = "a worker who may not open this passed it on"
    match state:
        case EscalationState.PAGED:
            return f"The on-call manager was paged at {at}: {why}."
        case EscalationState.NOT_REACHED:
            return f"The on-call manager could not be paged by {at}: telephone. {why.capitalize()}."
    return f"At {at} {why}: the on-call manager is to be paged."


def moment(at: datetime) -> str:
    """A moment as a reader reads it, in Europe/London."""
    return at.astimezone(LONDON).strftime("%H:%M on %-d %B %Y") if 1 < at.year < 9999 else "a time not known"
