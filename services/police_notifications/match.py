"""Who a child of an incident is: for certain, or a question for a person with likely candidates (H1, H12).

A wrong match tells the wrong school, a missed one tells nobody. So only what is certain is automatic: an identifier,
the forename and the date of birth agree, and nothing else that is known contradicts them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from rapidfuzz import fuzz

from services.bus.directory import Directory
from services.bus.events import (
    ChildRecorded,
    IncidentChild,
    MatchBasis,
    MatchCandidate,
    RecordStatus,
    UnmatchedReason,
)

BASES = {
    "nhs-number": MatchBasis.NHS_NUMBER,
    "upn": MatchBasis.UPN,
    "police-reference": MatchBasis.POLICE_REFERENCE,
}
"""The directory's schemes by which a certain match may be found, the strongest first."""
MOST_CANDIDATES = 5
ALIKE_ENOUGH = 60
"""Score from which a child is worth a person's look."""
PLACEHOLDER = "9999999999"
"""An NHS number that passes the check and is nobody's."""


@dataclass(frozen=True, slots=True)
class Match:
    """It is this child, for certain."""

    record: ChildRecorded
    basis: MatchBasis


@dataclass(frozen=True, slots=True)
class Question:
    """A person has to say who it is."""

    why: UnmatchedReason
    candidates: tuple[MatchCandidate, ...] = ()


def who_is(child: IncidentChild, directory: Directory) -> Match | Question:
    """The one open record that is certainly this child, or the question for a person.

    Where a closed record agrees nobody is named as a candidate: after an adoption the open record that looks most
    alike may be the child's new one, and nothing on the bus may join the two (H1).
    """
    sharing = _sharing(child, directory)
    still_open = [record for record in sharing if _is_open(record)]
    closed = [record for record in sharing if not _is_open(record)]
    if len(still_open) == 1:
        shared = _shared(child, still_open[0])
        if _certain(child, still_open[0]) and all(_shared(child, record) <= shared for record in closed):
            return Match(still_open[0], next(basis for scheme, basis in BASES.items() if scheme in shared))
    nearby = _nearby(child, directory)
    if closed or any(not _is_open(record) and _same_name_and_birth(child, record) for record in nearby):
        return Question(UnmatchedReason.RECORD_CLOSED)
    candidates = _candidates(child, {record.child_id: record for record in (*still_open, *nearby)}.values())
    return Question(_why(child, still_open, candidates), candidates)


def as_candidate(child: IncidentChild, record: ChildRecorded) -> MatchCandidate:
    """How alike the two are, and the names of the fields that agree and differ; no values."""
    ours, theirs = identifiers(child), identifiers(record)
    agrees = {scheme.replace("-", "_"): theirs[scheme] == ours[scheme] for scheme in ours.keys() & theirs.keys()}
    agrees["forenames"] = compatible_forename(child.identity.forenames, record)
    agrees["family_name"] = _words(child.identity.family_name) == _words(record.identity.family_name)
    if child.identity.date_of_birth and record.identity.date_of_birth:
        agrees["date_of_birth"] = child.identity.date_of_birth == record.identity.date_of_birth
    called = _full_name(child.identity.forenames, child.identity.family_name)
    known_as = [_full_name(record.identity.forenames, record.identity.family_name), *map(_folded, record.also_known_as)]
    name = max(fuzz.token_sort_ratio(called, name) for name in known_as)
    birth = _birth_alike(child.identity.date_of_birth, record.identity.date_of_birth)
    return MatchCandidate(
        child_id=record.child_id,
        score=round(0.5 * name + 0.3 * birth + 20 * bool(_shared(child, record))),
        matched_on=sorted(field for field, agree in agrees.items() if agree),
        differs_on=sorted(field for field, agree in agrees.items() if not agree),
    )


def identifiers(child: IncidentChild | ChildRecorded) -> dict[str, str]:
    """The child's identifiers by the directory's scheme, as the directory writes them."""
    found = {
        "nhs-number": _compact(child.identity.nhs_number),
        "upn": _compact(child.identity.upn),
        "police-reference": child.police_reference,
    }
    return {scheme: value for scheme, value in found.items() if value and value != PLACEHOLDER}


def compatible_forename(forenames: str, record: ChildRecorded) -> bool:
    """Whether these forenames may be those of the record, or of one of its other names (H12).

    Case, diacritics, hyphens and left-out middle names do not matter. Two that contradict each other do (twins often
    share a first name), and an initial is nobody's name.
    """
    given = _words(forenames)
    known = [_words(record.identity.forenames), *map(_words, record.also_known_as)]
    return any(_compatible(given, name) for name in known)


def _compatible(one: list[str], other: list[str]) -> bool:
    if not one or not other or min(len(one[0]), len(other[0])) < 2:
        return False
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter] or "".join(one) == "".join(other)


def _certain(child: IncidentChild, record: ChildRecorded) -> bool:
    ours, theirs = identifiers(child), identifiers(record)
    # A child can have a nominal record in each force, so another police reference contradicts nothing.
    contradicts = any(
        theirs.get(scheme, ours[scheme]) != ours[scheme] for scheme in ours if scheme != "police-reference"
    )
    born = child.identity.date_of_birth
    return (
        not contradicts
        and born is not None
        and born == record.identity.date_of_birth
        and compatible_forename(child.identity.forenames, record)
    )


def _why(child: IncidentChild, sharing: list[ChildRecorded], candidates: Iterable[MatchCandidate]) -> UnmatchedReason:
    if not candidates:
        return UnmatchedReason.NO_CANDIDATE
    if not sharing:
        return UnmatchedReason.NO_IDENTIFIER
    same_child = len(sharing) == 1
    same_person = same_child and _same_forename_and_birth(child, sharing[0])
    # One record that agrees in name and birth, yet not in every identifier: they may be two children's.
    return (
        UnmatchedReason.NAME_OR_BIRTH_DIFFERS if same_child and not same_person else UnmatchedReason.SEVERAL_CANDIDATES
    )


def _candidates(child: IncidentChild, records: Iterable[ChildRecorded]) -> tuple[MatchCandidate, ...]:
    alike = [as_candidate(child, record) for record in records if _is_open(record)]
    shared = {record.child_id for record in records if _shared(child, record)}
    worth = [one for one in alike if one.score >= ALIKE_ENOUGH or one.child_id in shared]
    return tuple(sorted(worth, key=lambda one: (-one.score, one.child_id))[:MOST_CANDIDATES])


def _sharing(child: IncidentChild, directory: Directory) -> list[ChildRecorded]:
    found = {
        record.child_id: record
        for scheme, value in identifiers(child).items()
        for record in directory.children_with(scheme, value)
    }
    return list(found.values())


def _nearby(child: IncidentChild, directory: Directory) -> list[ChildRecorded]:
    born, family_name = child.identity.date_of_birth, child.identity.family_name.casefold()
    by_birth = directory.children_with("date-of-birth", born.isoformat()) if born else []
    by_name = directory.children_with("family-name", family_name) if family_name else []
    return [*by_birth, *by_name]


def _shared(child: IncidentChild, record: ChildRecorded) -> set[str]:
    return {scheme for scheme, value in identifiers(child).items() if identifiers(record).get(scheme) == value}


def _is_open(record: ChildRecorded) -> bool:
    return record.status is RecordStatus.OPEN


def _same_forename_and_birth(child: IncidentChild, record: ChildRecorded) -> bool:
    born = child.identity.date_of_birth
    return born == record.identity.date_of_birth and compatible_forename(child.identity.forenames, record)


def _same_name_and_birth(child: IncidentChild, record: ChildRecorded) -> bool:
    family_name = _words(child.identity.family_name)
    return _same_forename_and_birth(child, record) and family_name == _words(record.identity.family_name)


def _birth_alike(one: date | None, other: date | None) -> int:
    """0 to 100; one slip of the pen, or day and month the other way round, is 60, and not knowing is 50."""
    if one is None or other is None:
        return 50
    if one == other:
        return 100
    slips = sum(a != b for a, b in ((one.day, other.day), (one.month, other.month), (one.year, other.year)))
    swapped = (one.day, one.month, one.year) == (other.month, other.day, other.year)
    return 60 if slips == 1 or swapped else 0


def _compact(identifier: str | None) -> str:
    return "".join((identifier or "").split()).upper()


def _full_name(forenames: str, family_name: str) -> str:
    return _folded(f"{forenames} {family_name}")


def _folded(name: str) -> str:
    return " ".join(_words(name))


def _words(name: str) -> list[str]:
    """The words of a name without case, diacritics and apostrophes; a hyphen ends a word."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    kept = (char for char in plain if not unicodedata.combining(char) and char not in "'’ʼ`")
    return "".join(char if char.isalnum() or unicodedata.category(char)[0] == "M" else " " for char in kept).split()
