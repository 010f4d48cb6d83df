"""Which months somebody asks for: as an address has it, `2026-10` or `2026-01..2026-10`, and as a form's two fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date

MOST = 24
"""Months at once: more cannot be read in one chart."""
OFFERED = 36
FIRST = date(2000, 1, 1)
"""No event is older than the bus."""

_MONTH = re.compile(r"(\d{4})-(\d{2})")

EMPTY, BACKWARDS, LATER = (
    "Choose a first and a last month",
    "The last month must not be before the first",
    "Choose months that have begun",
)
TOO_MANY = f"Choose {MOST} months or fewer"


class NoPeriod(ValueError):
    """The sentence says what to do."""


def period(first: str, last: str, today: date) -> tuple[date, ...]:
    """The first days of the months from `first` to `last`, both `YYYY-MM`.

    Raises:
        NoPeriod: there is no such period, or it is too long.
    """
    begins, ends = _first_of(first), _first_of(last)
    if begins is None or ends is None:
        raise NoPeriod(EMPTY)
    if ends < begins:
        raise NoPeriod(BACKWARDS)
    if begins < FIRST or ends > today:
        raise NoPeriod(LATER if ends > today else EMPTY)
    if len(months := tuple(_from(begins, ends))) > MOST:
        raise NoPeriod(TOO_MANY)
    return months


def of_address(text: str, today: date) -> tuple[date, ...]:
    """As `period`, of an address.

    Raises:
        NoPeriod: as there.
    """
    first, _, last = text.partition("..")
    return period(first, last or first, today)


def address(months: Sequence[date]) -> str:
    """2026-10, or 2026-01..2026-10"""
    ends = [f"{months[0]:%Y-%m}", f"{months[-1]:%Y-%m}"]
    return ends[0] if ends[0] == ends[1] else "..".join(ends)


def back(last: date, number: int) -> tuple[date, ...]:
    """So many months, `last` being in the last of them."""
    return tuple(_plus(last.replace(day=1), place - number + 1) for place in range(number))


def _from(begins: date, ends: date) -> Iterator[date]:
    while begins <= ends:
        yield begins
        begins = _plus(begins, 1)


def _plus(first: date, months: int) -> date:
    count = first.year * 12 + first.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def _first_of(text: str) -> date | None:
    found = _MONTH.fullmatch(text)
    try:
        return date(int(found[1]), int(found[2]), 1) if found else None
    except ValueError:
        return None
