"""Children: the local authority's own index → what each line says.

A CSV in UTF-8 with these columns, in any order, all of them; cells may be empty where this does not say otherwise:

    child_id               must: the child's opaque id, letters, digits, `.`, `_`, `-`; no number that others use
    version                the record's version in the authority's system; empty: derived from whether the line changed
    status                 open (also when empty) or closed
    provisional            yes or no (also when empty): the id was given before it was certain who the child is (H13)
    forenames, family_name
    also_known_as          other names, forenames first, separated by semicolons
    date_of_birth          YYYY-MM-DD
    stated_age             whole years, where there is no date of birth (H13)
    nhs_number, upn, police_reference, social_care_id
    schools                school:<URN>, several separated by semicolons: all of them are told (H9)
    nursery                school:<URN> or nursery:<code>
    gp_practice            practice:<ODS code>
    health_visiting, school_nursing, maternity
                           health:<code>, by commissioning and school entry, not by birthday (H13)
    home_educated          yes or no
    location_confidential  yes or no: where the child is must not become known (H2)
    protection_plan        yes or no: whether the child is subject to a child protection plan; empty: not known here
    circumstances          unborn, undocumented, looked after, privately fostered, parent under 18,
                           adopted record closed; separated by semicolons (H13)
    allocated_worker       organisation id of the social care team
    placing_authority, host_authority    la:<code>, for a child who is looked after

An adoption closes one line's record and opens an unrelated one: no column joins the two, and none may (H1).
"""

from __future__ import annotations

import re
from datetime import date
from functools import partial
from typing import Any

from services.bus.contract.identifiers import plain
from services.bus.events import Circumstance, RecordStatus, Role, YesNoUnknown
from services.registers.reading import Parsed, Row, Said, Wrong, parse_lines
from services.registers.words import organisation_id

REGISTRATIONS = {
    "schools": (Role.SCHOOL, ("school",)),
    "nursery": (Role.NURSERY, ("school", "nursery")),
    "gp_practice": (Role.GP_PRACTICE, ("practice",)),
    "health_visiting": (Role.HEALTH_VISITING, ("health",)),
    "school_nursing": (Role.SCHOOL_NURSING, ("health",)),
    "maternity": (Role.MATERNITY, ("health",)),
}
COLUMNS = (
    "child_id",
    "version",
    "status",
    "provisional",
    "forenames",
    "family_name",
    "also_known_as",
    "date_of_birth",
    "stated_age",
    "nhs_number",
    "upn",
    "police_reference",
    "social_care_id",
    *REGISTRATIONS,
    "home_educated",
    "location_confidential",
    "protection_plan",
    "circumstances",
    "allocated_worker",
    "placing_authority",
    "host_authority",
)
NUMBERS = ("nhs_number", "upn", "police_reference", "social_care_id")
"""Of these none may be the child_id, which stands in keys and headers."""
STATUSES = {"open": RecordStatus.OPEN, "closed": RecordStatus.CLOSED}
CIRCUMSTANCES = {
    circumstance.value.replace("_", " ").casefold(): circumstance
    for circumstance in Circumstance
    if circumstance is not Circumstance.UNKNOWN
}
MOST_VERSIONS = 2**63 - 1
_CHILD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def parse(text: str, today: date) -> Parsed:
    """What an index file says of each child. A date of birth after `today` is refused.

    Raises:
        UserMistake: columns are missing.
    """
    return parse_lines(text, COLUMNS, partial(_child, today))


def _child(today: date, where: str, row: Row) -> Said:
    child_id = row.required("child_id")
    if not _CHILD_ID.fullmatch(child_id):
        raise Wrong("child_id is more than letters, digits and . _ -, or longer than 64")
    if any(child_id.casefold() == (row.text(column) or "").replace(" ", "").casefold() for column in NUMBERS):
        raise Wrong("child_id is a number by which others know the child; give it one that says nothing")
    status = STATUSES.get((row.text("status") or "open").casefold())
    if status is None:
        raise Wrong("status is neither open nor closed")
    fields: dict[str, Any] = {
        "status": status,
        "provisional": row.yes("provisional"),
        "identity": _identity(row, today),
        "also_known_as": row.several("also_known_as"),
        "stated_age": row.whole("stated_age"),
        "police_reference": row.text("police_reference"),
        "social_care_id": row.text("social_care_id"),
        "registrations": _registrations(row),
        "home_educated": row.yes("home_educated"),
        "location_confidential": row.yes("location_confidential"),
        "protection_plan": _plan(row),
        "circumstances": _circumstances(row),
        "allocated_worker": _organisation(row, "allocated_worker"),
        "placing_authority": _organisation(row, "placing_authority", "la"),
        "host_authority": _organisation(row, "host_authority", "la"),
    }
    return Said(where, child_id, fields, version=row.whole("version", MOST_VERSIONS))


def _identity(row: Row, today: date) -> dict[str, Any]:
    born = row.day("date_of_birth")
    if born is not None and born > today:
        raise Wrong("date_of_birth lies in the future; leave it empty for a child who is not born yet")
    nhs_number, upn = row.identifier("nhs_number", "nhs-number"), row.identifier("upn", "upn")
    return {
        "forenames": row.text("forenames") or "",
        "family_name": row.text("family_name") or "",
        "date_of_birth": born,
        "nhs_number": nhs_number and plain(nhs_number),
        "upn": upn and plain(upn),
    }


def _registrations(row: Row) -> list[dict[str, Any]]:
    return [
        {"organisation_id": organisation_id(part, column, kinds), "role": role}
        for column, (role, kinds) in REGISTRATIONS.items()
        for part in row.several(column)
    ]


def _plan(row: Row) -> YesNoUnknown:
    """An empty cell is no statement that there is none: whoever visits asks as if there were one (H7)."""
    if row.text("protection_plan") is None:
        return YesNoUnknown.UNKNOWN
    return YesNoUnknown.YES if row.yes("protection_plan") else YesNoUnknown.NO


def _circumstances(row: Row) -> list[Circumstance]:
    parts = [part.casefold().replace("_", " ") for part in row.several("circumstances")]
    if any(part not in CIRCUMSTANCES for part in parts):
        raise Wrong(f"circumstances holds something other than: {', '.join(CIRCUMSTANCES)}")
    return [CIRCUMSTANCES[part] for part in parts]


def _organisation(row: Row, column: str, *kinds: str) -> str | None:
    text = row.text(column)
    return text and organisation_id(text, column, kinds)
