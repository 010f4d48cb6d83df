"""Practices: the NHS Organisation Data Service's list of GP practices → what each line says.

A CSV with a header of which these columns are used; the address may be there or not:

    OrganisationCode    ODS code, 1 to 9 letters and digits; the id on the bus is practice:<code>
    Name

The list names practices that are open. One that is missing from it is not thereby closed: the directory keeps it.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

from services.bus.calendar import SURGERY_HOURS
from services.bus.contract.identifiers import reason_against
from services.bus.events import RecordStatus, Role
from services.registers.reading import Parsed, Row, Said, Wrong, parse_lines

COLUMNS = ("OrganisationCode", "Name")


def parse(text: str, authority: str | None = None) -> Parsed:
    """What an ODS file says of each practice. `authority`: the code of the local authority in whose area all lie.

    Raises:
        UserMistake: it is no such file.
    """
    return parse_lines(text, COLUMNS, partial(_practice, authority))


def _practice(authority: str | None, where: str, row: Row) -> Said:
    code = row.required("OrganisationCode").upper()
    if reason := reason_against("ods-code", code):
        raise Wrong(f"OrganisationCode {reason}")
    fields = {
        "kind": Role.GP_PRACTICE,
        "name": row.required("Name"),
        "ods_code": code,
        "status": RecordStatus.OPEN,
    }
    at_first = {"weekly_hours": [asdict(hours) for hours in SURGERY_HOURS]}
    if authority is None:
        return Said(where, f"practice:{code}", fields, at_first)
    return Said(
        where,
        f"practice:{code}",
        fields | {"local_authority_code": authority},
        at_first | {"escalates_to": f"la:{authority}"},
    )
