"""The few phrases in which people write organisations' ids, opening hours and runs of days.

Mon-Fri 08:45-15:15          hours; 00:00-24:00 is round the clock, also on bank holidays
2026-09-02 to 2026-10-23     a run of days; one date alone is a run of one day
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import date
from typing import Any

from services.bus.calendar import opening_minutes
from services.registers.reading import Wrong

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ID = re.compile(r"([a-z]+):[A-Za-z0-9-]+")
_HOURS = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? (\d\d:\d\d)-(\d\d:\d\d)")


def organisation_id(text: str, name: str, kinds: Collection[str] = ()) -> str:
    """`text` as an organisation's id, such as school:990001; with `kinds`, one that begins so.

    Raises:
        Wrong: naming the column or key `name`.
    """
    found = _ID.fullmatch(text)
    if not found or (kinds and found[1] not in kinds):
        wanted = " or ".join(f"{kind}:…" for kind in kinds) or "kind:code, such as la:825"
        raise Wrong(f"{name} is not an organisation's id: {wanted}")
    return text


def hours(phrases: Iterable[object], name: str = "hours") -> list[dict[str, Any]]:
    """Opening hours, one entry for each weekday and opening.

    Raises:
        Wrong: a phrase cannot be read, or closes before it opens.
    """
    week = []
    for phrase in phrases:
        found = _HOURS.fullmatch(str(phrase).casefold())
        if (
            not found
            or not {found[1], found[2] or found[1]} <= set(WEEKDAYS)
            or not opening_minutes(found[3], found[4])
        ):
            raise Wrong(f"{name} are not written as Mon-Fri 08:45-15:15")
        first, last = WEEKDAYS.index(found[1]), WEEKDAYS.index(found[2] or found[1])
        if first > last:
            raise Wrong(f"{name} name a later weekday before an earlier one")
        week += [{"weekday": day + 1, "opens": found[3], "closes": found[4]} for day in range(first, last + 1)]
    return sorted(week, key=lambda entry: (entry["weekday"], entry["opens"]))


def days(phrase: object, name: str) -> dict[str, date]:
    """The first and the last day of a run.

    Raises:
        Wrong: no such dates, or the last before the first.
    """
    first, _, last = str(phrase).partition(" to ")
    try:
        run = {"first": date.fromisoformat(first.strip()), "last": date.fromisoformat((last or first).strip())}
    except ValueError:
        raise Wrong(f"{name} holds a date that is not written YYYY-MM-DD, or YYYY-MM-DD to YYYY-MM-DD") from None
    if run["last"] < run["first"]:
        raise Wrong(f"{name} holds a run of days that ends before it begins")
    return run
