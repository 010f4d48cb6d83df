"""What is shown: measures, their rows and totals. Values only; how they come about stands in `counting/`.

A child's id, a name, a post or a meeting is never among them. What leaves the partnership has been through
`suppression.outside`, which puts `SUPPRESSED` where a number is too small to be shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

WITHHELD = "withheld"
"""A dimension's value where it could show who the recipients of a child in a confidential place are (H2)."""
NOT_KNOWN = "not known"
"""A dimension's value where the events do not tell."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A number that may not be shown: it is under 5, or would give away another that is. It holds nothing."""

    def __str__(self) -> str:
        return "suppressed"


SUPPRESSED = Suppressed()

Whole = int | Suppressed
Real = float | Suppressed


class Unit(StrEnum):
    """What a row holds."""

    COUNT = "count"
    """`count`: how many."""
    SHARE = "share"
    """`numerator` of `denominator`."""
    SECONDS = "seconds"
    """`median` and `p90` seconds over `count` of them."""


class Grain(StrEnum):
    """What a row's period is: a London day, or a London month."""

    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Row:
    """One cell of a table. What its unit does not use is None.

    `period` is the day, or the month's first day, in Europe/London. `values` are the dimensions' values, in the order
    of `Measure.dimensions`; empty in a total.
    """

    period: date
    values: tuple[str, ...] = ()
    count: Whole | None = None
    numerator: Whole | None = None
    denominator: Whole | None = None
    median: Real | None = None
    """Seconds. None when there is nothing to take it of."""
    p90: Real | None = None
    """Seconds within which nine in ten were done (nearest rank). None when there is nothing to take it of."""

    @property
    def share(self) -> Real | None:
        """0.0 to 1.0. None when the denominator is 0, or this is no share."""
        if isinstance(self.numerator, Suppressed) or isinstance(self.denominator, Suppressed):
            return SUPPRESSED
        return self.numerator / self.denominator if self.denominator and self.numerator is not None else None

    @property
    def is_suppressed(self) -> bool:
        """Whether any of it may not be shown."""
        return SUPPRESSED in (self.count, self.numerator, self.denominator, self.median, self.p90)


@dataclass(frozen=True, slots=True)
class Measure:
    """One table of the partnership's performance data, complete for the months asked for.

    `rows` are sorted by period, then values; a day or month without anything has a row with 0 where there is no
    dimension, and none where there is. `totals` has one row a month, also for a month without anything.
    """

    id: str
    """Stable, a file name: `alerts_in_time_by_role`."""
    group: str
    """The heading it stands under, such as `Notifications and contacts`."""
    title: str
    unit: Unit
    grain: Grain
    dimensions: tuple[str, ...]
    """Names of `Row.values` for people, such as `agency`. At most one."""
    meaning: str
    """What is counted, when, and what is not, in a sentence or two."""
    source: str
    """The rule or finding it answers to, such as `N3`, or `Working Together: within 1 working day`."""
    rows: tuple[Row, ...]
    totals: tuple[Row, ...]
    adds_up: bool = True
    """Whether a month's rows add up to its total. Not where one thing stands in several rows."""

    def of(self, month: date) -> tuple[Row, ...]:
        """The rows of that month, `month` being its first day."""
        return tuple(row for row in self.rows if row.period.replace(day=1) == month)

    def total(self, month: date) -> Row:
        """That month's total.

        Raises:
            KeyError: it was not asked for.
        """
        for row in self.totals:
            if row.period == month:
                return row
        raise KeyError(month)


@dataclass(frozen=True, slots=True)
class Figures:
    """All measures of some months, as of one moment."""

    months: tuple[date, ...]
    """First days of the months asked for, in order; the last may still be going on."""
    made_at: datetime
    """UTC. What was not returned by then is overdue or waiting as of then."""
    outside: bool
    """True: small numbers are suppressed, and this may leave the partnership. False: it may not."""
    measures: tuple[Measure, ...]
    behind: int
    """Events that have not been read yet; 0 when the figures are complete."""
    not_counted: tuple[tuple[str, int], ...]
    """Topic and number of its events that could not be decoded, over all time; each misses from some figure."""
    began: date | None = None
    """The London month, by its first day, of the first police notification that is known; not its moment, which would
    tell of one child. What was before it is no repeat here."""

    def __getitem__(self, measure: str) -> Measure:
        """The measure with that id.

        Raises:
            KeyError: there is none.
        """
        for one in self.measures:
            if one.id == measure:
                return one
        raise KeyError(measure)
