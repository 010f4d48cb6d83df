"""Organisations that no register lists: front door, duty and health teams, the authority → what each entry says.

A YAML mapping from an organisation's id (mash:…, duty:…, la:…, health:…, police:…, nursery:…) to:

    mash:825:
      kind: MASH                  a role of the contract, in capitals
      name: Buckinghamshire MASH
      status: open                open (also when left out) or closed
      authority: "825"            local authority code, 3 digits
      ods_code: RXQ               of a health organisation
      low_age: 0
      high_age: 4

and the keys of a calendar (`calendars.py`): hours, terms, closed, holiday_cover, escalates_to, successor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.bus.contract.identifiers import reason_against
from services.bus.events import RecordStatus, Role
from services.registers.entries import CALENDAR_KEYS, calendar_fields, known_keys_only, parse_entries
from services.registers.reading import Parsed, Said, Wrong

KEYS = ("kind", "name", "status", "authority", "ods_code", "low_age", "high_age", *CALENDAR_KEYS)
KINDS = [role.value for role in Role if role is not Role.UNKNOWN]


def parse(text: str) -> Parsed:
    """What the file says of each organisation.

    Raises:
        UserMistake: it is not such a file.
    """
    return parse_entries(text, "", _team)


def _team(where: str, organisation: str, entry: Mapping[str, Any]) -> Said:
    known_keys_only(entry, KEYS)
    if entry.get("kind") not in KINDS:
        raise Wrong(f"kind is none of: {', '.join(KINDS)}")
    name = str(entry.get("name") or "").strip()
    if not name:
        raise Wrong("name is empty")
    status = str(entry.get("status", "open")).upper()
    if status not in (RecordStatus.OPEN, RecordStatus.CLOSED):
        raise Wrong("status is neither open nor closed")
    ods_code = entry.get("ods_code")
    if ods_code is not None and (reason := reason_against("ods-code", str(ods_code))):
        raise Wrong(f"ods_code {reason}")
    fields = {
        "kind": Role(entry["kind"]),
        "name": name,
        "status": RecordStatus(status),
        "local_authority_code": _authority(entry),
        "ods_code": ods_code and str(ods_code).upper(),
        "low_age": _age(entry, "low_age"),
        "high_age": _age(entry, "high_age"),
    }
    return Said(where, organisation, fields | calendar_fields(entry))


def _authority(entry: Mapping[str, Any]) -> str | None:
    code = entry.get("authority")
    if code is None or re.fullmatch(r"[0-9]{3}", str(code)):
        return None if code is None else str(code)
    raise Wrong("authority is not a code of 3 digits")


def _age(entry: Mapping[str, Any], key: str) -> int | None:
    age = entry.get(key)
    if age is None or (type(age) is int and 0 <= age <= 150):
        return age
    raise Wrong(f"{key} is not a whole number of years")
