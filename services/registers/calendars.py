"""What no register knows of a school: a local file with hours, terms, closed days, cover → what each entry says.

A YAML mapping from a school's URN, or any organisation's id, to any of these keys; what an entry leaves out stays:

    990001:
      hours: [Mon-Thu 08:45-15:15, Fri 08:45-13:00]
      terms: [2026-09-02 to 2026-10-23, 2026-11-02 to 2026-12-18]
      closed: {2026-11-30: inset day, 2026-12-10 to 2026-12-11: boiler}
      holiday_cover: la:825       who is told in holidays (H9)
      escalates_to: la:825        who is told when a deadline is missed
      successor: school:990002    who took over when it closed

A list of terms speaks for the days from its first to its last only: keep last year's beside this year's, and the summer
between them is a holiday.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.registers.entries import CALENDAR_KEYS, calendar_fields, known_keys_only, parse_entries
from services.registers.reading import Parsed, Said


def parse(text: str) -> Parsed:
    """What a calendar says of each organisation.

    Raises:
        UserMistake: it is not such a file.
    """
    return parse_entries(text, "calendar ", _calendar)


def _calendar(where: str, organisation: str, entry: Mapping[str, Any]) -> Said:
    known_keys_only(entry, CALENDAR_KEYS)
    return Said(where, organisation, calendar_fields(entry), complete=False)
