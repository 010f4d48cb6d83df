"""Schools: Get Information About Schools, the Department for Education's register → what each line says.

The file is GIAS's own "establishment fields" CSV. Used are these columns; the others may be there or not:

    URN                              6 digits; the id on the bus is school:<URN>
    EstablishmentName
    EstablishmentStatus (name)       Open; Open, but proposed to close; Closed; Proposed to open (UNKNOWN: not yet)
    LA (code)                        3 digits; also where a missed deadline goes at first: la:<LA code>
    PhaseOfEducation (name)          Nursery makes a nursery
    EstablishmentTypeGroup (name)    universities and children's centres are no schools
    StatutoryLowAge, StatutoryHighAge

GIAS knows no hours, terms, holiday cover or successors: a new school begins with SCHOOL_HOURS and without terms, which
is every weekday that is no bank holiday, until a calendar (`calendars.py`) or the local authority says more. A school
that closed stays in the directory, marked closed, whoever takes over.
"""

from __future__ import annotations

from dataclasses import asdict

from services.bus.calendar import SCHOOL_HOURS
from services.bus.contract.identifiers import reason_against
from services.bus.events import RecordStatus, Role
from services.registers.reading import Parsed, Row, Said, Wrong, parse_lines

COLUMNS = (
    "URN",
    "EstablishmentName",
    "EstablishmentStatus (name)",
    "LA (code)",
    "PhaseOfEducation (name)",
    "EstablishmentTypeGroup (name)",
    "StatutoryLowAge",
    "StatutoryHighAge",
)
STATUSES = {
    "open": RecordStatus.OPEN,
    "open, but proposed to close": RecordStatus.OPEN,
    "closed": RecordStatus.CLOSED,
    "proposed to open": RecordStatus.UNKNOWN,
}
NO_SCHOOL = ("universities", "children's centres")
NO_AUTHORITY = "000"


def parse(text: str) -> Parsed:
    """What a GIAS file says of each school.

    Raises:
        UserMistake: it is no GIAS file.
    """
    return parse_lines(text, COLUMNS, _school)


def school_id(urn: str) -> str:
    return f"school:{urn}"


def _school(where: str, row: Row) -> Said:
    urn = row.required("URN")
    if reason := reason_against("urn", urn):
        raise Wrong(f"URN {reason}")
    status = STATUSES.get(row.required("EstablishmentStatus (name)").casefold())
    if status is None:
        raise Wrong(f"EstablishmentStatus (name) is none of: {', '.join(STATUSES)}")
    low, high = row.whole("StatutoryLowAge"), row.whole("StatutoryHighAge")
    if low is not None and high is not None and low > high:
        raise Wrong("StatutoryLowAge is above StatutoryHighAge")
    authority = _authority(row)
    return Said(
        where,
        school_id(urn),
        {
            "kind": _kind(row),
            "name": row.required("EstablishmentName"),
            "urn": urn,
            "local_authority_code": authority,
            "status": status,
            "low_age": low,
            "high_age": high,
        },
        at_first={
            "weekly_hours": [asdict(hours) for hours in SCHOOL_HOURS],
            "escalates_to": authority and f"la:{authority}",
        },
    )


def _authority(row: Row) -> str | None:
    code = row.required("LA (code)")
    if len(code) != 3 or not (code.isascii() and code.isdigit()):
        raise Wrong("LA (code) is not 3 digits")
    return None if code == NO_AUTHORITY else code


def _kind(row: Row) -> Role:
    if (row.text("EstablishmentTypeGroup (name)") or "").casefold() in NO_SCHOOL:
        return Role.OTHER
    return Role.NURSERY if (row.text("PhaseOfEducation (name)") or "").casefold() == "nursery" else Role.SCHOOL
