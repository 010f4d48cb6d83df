"""From single things, each with its moment and its number, to the rows of one measure. London's days and months."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from math import ceil
from statistics import median
from typing import NamedTuple

from services.bus.calendar import local
from services.performance_data.facts import moment
from services.performance_data.measures import Grain, Measure, Row, Unit

NINE_IN_TEN = 0.9


class Thing(NamedTuple):
    """One thing that a measure is about: an alert, a request, a night's matter."""

    at: int
    """Its moment, UTC microseconds: the day or month it counts in."""
    sample: float = 1
    """Of a share, whether it is one of those asked about, 1 or 0; of a time, the seconds it took; else unused."""
    values: tuple[str, ...] = ()
    """In which rows it stands, where the measure has a dimension."""


@dataclass(frozen=True, slots=True)
class Span:
    """Whole London months, as of one moment."""

    months: tuple[date, ...]
    now: datetime

    def days(self) -> Iterator[date]:
        """Every day of them that has begun."""
        today = local(self.now)
        assert today, "now is in the calendar"
        for first in self.months:
            day = first
            while day.month == first.month and day <= today.date():
                yield day
                day += timedelta(days=1)


def table(
    name: str,
    *,
    group: str,
    title: str,
    unit: Unit,
    meaning: str,
    source: str,
    things: Iterable[Thing],
    span: Span,
    by: str | None = None,
    grain: Grain = Grain.MONTH,
    adds_up: bool = True,
) -> Measure:
    """The measure of these things, in the months of the span; others are left out.

    Args:
        by: the dimension's name; without one a row is a period's, also of a period without anything.
    """
    rows: dict[tuple[date, tuple[str, ...]], list[float]] = defaultdict(list)
    totals: dict[date, list[float]] = {month: [] for month in span.months}
    if by is None:
        periods = span.days() if grain is Grain.DAY else span.months
        rows.update({(period, ()): [] for period in periods})
    for thing in things:
        day = day_of(thing.at)
        if day is None or (month := day.replace(day=1)) not in totals:
            continue
        totals[month].append(thing.sample)
        period = day if grain is Grain.DAY else month
        for value in [()] if by is None else [(value,) for value in thing.values]:
            rows[period, value].append(thing.sample)
    return Measure(
        id=name,
        group=group,
        title=title,
        unit=unit,
        grain=grain,
        dimensions=() if by is None else (by,),
        meaning=meaning,
        source=source,
        rows=tuple(_row(unit, period, value, rows[period, value]) for period, value in sorted(rows)),
        totals=tuple(_row(unit, month, (), samples) for month, samples in totals.items()),
        adds_up=adds_up,
    )


def _row(unit: Unit, period: date, values: tuple[str, ...], samples: Sequence[float]) -> Row:
    if unit is Unit.SHARE:
        return Row(period, values, numerator=round(sum(samples)), denominator=len(samples))
    if unit is Unit.COUNT or not samples:
        return Row(period, values, count=len(samples))
    ordered = sorted(samples)
    slow = ordered[ceil(NINE_IN_TEN * len(ordered)) - 1]
    return Row(period, values, count=len(ordered), median=median(ordered), p90=slow)


def seconds(begin: int, end: int) -> float:
    """From one moment to a later one; 0 where a clock says that it was earlier."""
    return max(0, end - begin) / 1_000_000


@lru_cache(maxsize=65_536)
def day_of(at: int) -> date | None:
    """The London day; None outside the calendar."""
    try:
        here = local(moment(at))
    except OverflowError:
        return None
    return here.date() if here else None


def within_12_months(earlier: int, later: int) -> bool:
    """Whether the later London day is at most 12 calendar months after the earlier one."""
    first, last = day_of(earlier), day_of(later)
    if first is None or last is None or last < first:
        return False
    return last <= _a_year_after(first)


def _a_year_after(day: date) -> date:
    try:
        return day.replace(year=day.year + 1)
    except ValueError:  # 29 February
        return day.replace(year=day.year + 1, day=28)


def words(code: str) -> str:
    """A code of the contract as people write it: DOMESTIC_ABUSE is domestic abuse."""
    return "GP practice" if code == "GP_PRACTICE" else "MASH" if code == "MASH" else code.replace("_", " ").lower()
