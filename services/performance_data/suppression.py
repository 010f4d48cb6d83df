"""What may leave the partnership: figures in which no number under 5 stands, or can be worked out.

Every number that is shown, and every one that follows from others (those of a share that are not counted in it), is a
cell; every sum that a reader can do is an equation. A cell of 1 to 4 is hidden. Then, until nothing changes, each
equation whose hidden cells would follow from the shown ones has its smallest shown part hidden too, and at last its
whole. Zero is shown, since it tells of nobody; but of single days it is hidden as well, or days with one child each
could be counted off against the month.

A month's cells depend on that month alone, so that two reports of different months never give more than each by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from services.performance_data.measures import SUPPRESSED, Figures, Grain, Measure, Row, Unit

THRESHOLD = 5
SAME_TOTAL = {
    "notifications_by_kind": "notifications_by_day",
    "notifications_by_source": "notifications_by_day",
    "notifications_by_area": "notifications_by_day",
    "repeat_incidents": "notifications_by_day",
    "strategy_asked": "notifications_by_day",
    "contacts_by_grading": "contacts_by_day",
    "contacts_by_source": "contacts_by_day",
    "contacts_by_area": "contacts_by_day",
    "minutes_by_role": "minutes_by_attendance",
}
"""Measures of the same things, whose totals are one number."""
STATES = {
    "information_on_time_by_agency": "on time",
    "information_late_by_agency": "late",
    "information_incomplete_by_agency": "incomplete",
    "information_not_returned_by_agency": "not returned",
}
"""Shares of the same requests, which add up to all of them: by agency here, and by state in information_requests."""
REQUESTS, OVER, TIMES = "information_requests", "information requests that are over", "information_time_by_agency"
NEARLY = {
    "notification_to_alert": ("alerts_in_time_by_role", "denominator"),
    "night_waited": ("night_taken", "count"),
}
"""Measures whose counts are nearly always another measure's number, so that both are hidden or none."""

SOME_OF = {
    "notification_to_outcome": "notifications_by_day",
    "notification_to_gp": "notifications_by_day",
    "night_waited": "night_taken",
}
"""Measures of a month's some of another measure's things: how many are left out follows from both counts."""


class Cell(NamedTuple):
    """One number. `whole` tells a month's total from the row of its first day."""

    measure: str
    period: date
    values: tuple[str, ...]
    part: str
    whole: bool


class Sum(NamedTuple):
    """What adds up to what."""

    whole: Cell
    parts: tuple[Cell, ...]


def for_outside(figures: Figures) -> Figures:
    """The same figures with everything hidden that must not leave the partnership."""
    cells = {cell: number for cell, number, _ in _numbers(figures)}
    hidden = _hidden(cells, list(_sums(figures)), _days(figures), list(_ties(figures)))
    return replace(figures, outside=True, measures=tuple(_covered(measure, hidden) for measure in figures.measures))


def _numbers(figures: Figures) -> Iterator[tuple[Cell, int, Measure]]:
    for measure in figures.measures:
        for row, total in _rows(measure):
            for part, number in _parts(row):
                yield _cell(measure, row, part, total=total), number, measure
    for measure, other, row, whole in _left_out(figures):
        if isinstance(row.count, int) and isinstance(whole.count, int):
            yield _rest(measure, row), whole.count - row.count, other


def _left_out(figures: Figures) -> Iterator[tuple[Measure, Measure, Row, Row]]:
    by_id = {measure.id: measure for measure in figures.measures}
    for measure in figures.measures:
        other = by_id.get(SOME_OF.get(measure.id, ""))
        for row in measure.totals if other else ():
            assert other
            yield measure, other, row, other.total(row.period)


def _rest(measure: Measure, row: Row) -> Cell:
    return Cell(measure.id, row.period, ("left out",), "count", whole=True)


def _rows(measure: Measure) -> Iterator[tuple[Row, bool]]:
    """Its rows and totals. Without a dimension a month's row is its total."""
    of_months = not measure.dimensions and measure.grain is Grain.MONTH
    yield from ((row, of_months) for row in measure.rows)
    yield from ((row, True) for row in measure.totals)


def _parts(row: Row) -> Iterator[tuple[str, int]]:
    """What can be told from a row: of a share also those that are not counted in it."""
    if isinstance(row.count, int):
        yield "count", row.count
    if isinstance(row.numerator, int) and isinstance(row.denominator, int):
        yield "numerator", row.numerator
        yield "rest", row.denominator - row.numerator
        yield "denominator", row.denominator


def _cell(measure: Measure, row: Row, part: str, *, total: bool) -> Cell:
    """Numbers that are the same by what they mean are one cell."""
    name, period, values = measure.id, row.period, row.values
    if total and part in ("count", "denominator"):
        name, part = (SAME_TOTAL[name], "count") if name in SAME_TOTAL else (name, part)
    if name in STATES and part == "denominator":
        return Cell(OVER, period, values, "count", total)
    if name in STATES and part == "numerator" and total:
        return Cell(REQUESTS, period, (STATES[name],), "count", whole=False)
    if name == "alerts_read_in_time_by_role" and part == "denominator":
        return Cell("alerts_in_time_by_role", period, values, "numerator", total)
    if name == "strategy_held" and part == "denominator":
        return Cell("strategy_asked", period, ("yes",), "count", whole=False)
    return Cell(name, period, values, part, total)


def _sums(figures: Figures) -> Iterator[Sum]:
    """Every sum that a reader can do with the cells."""
    for measure in figures.measures:
        share = measure.unit is Unit.SHARE
        by_month: dict[date, list[Row]] = defaultdict(list)
        for row in measure.rows:
            by_month[row.period.replace(day=1)].append(row)
        for total in measure.totals:
            if measure.dimensions or measure.grain is Grain.DAY:
                for part in ("numerator", "rest", "denominator") if share else ("count",):
                    cells = (_cell(measure, row, part, total=False) for row in by_month[total.period])
                    yield Sum(_cell(measure, total, part, total=True), tuple(cells))
        if share:
            for row, whole in _rows(measure):
                numerator, rest = (_cell(measure, row, part, total=whole) for part in ("numerator", "rest"))
                yield Sum(_cell(measure, row, "denominator", total=whole), (numerator, rest))
    yield from _of_requests(figures)
    for measure, other, row, of in _left_out(figures):
        counted = _cell(measure, row, "count", total=True)
        yield Sum(_cell(other, of, "count", total=True), (counted, _rest(measure, row)))


def _of_requests(figures: Figures) -> Iterator[Sum]:
    """On time, late, incomplete and not returned are all that are over, of each agency and of all; and so on."""
    shares = [measure for measure in figures.measures if measure.id in STATES]
    for row, total in {place: None for measure in shares for place in _rows(measure)}:
        over = Cell(OVER, row.period, row.values, "count", total)
        parts = tuple(_cell(measure, row, "numerator", total=total) for measure in shares)
        yield Sum(over, parts)
        yield Sum(Cell(TIMES, row.period, row.values, "count", total), parts[:2])
        if total:
            waiting = Cell(REQUESTS, row.period, ("waiting",), "count", whole=False)
            yield Sum(Cell(REQUESTS, row.period, (), "count", whole=True), (over, waiting))


def _days(figures: Figures) -> set[Cell]:
    """Single days of months in which anything was."""
    found = set()
    for measure in (one for one in figures.measures if one.grain is Grain.DAY):
        busy = {total.period for total in measure.totals if total.count}
        found |= {
            _cell(measure, row, "count", total=False) for row in measure.rows if row.period.replace(day=1) in busy
        }
    return found


def _ties(figures: Figures) -> Iterator[tuple[Cell, Cell]]:
    for measure in (one for one in figures.measures if one.id in NEARLY):
        other, part = NEARLY[measure.id]
        for row, total in _rows(measure):
            yield _cell(measure, row, "count", total=total), Cell(other, row.period, row.values, part, total)


def _hidden(cells: Mapping[Cell, int], sums: list[Sum], days: set[Cell], ties: list[tuple[Cell, Cell]]) -> set[Cell]:
    hidden = {cell for cell, number in cells.items() if 0 < number < THRESHOLD or (cell in days and not number)}
    before = -1
    while len(hidden) != before:
        before = len(hidden)
        hidden |= {cell for one in sums if (cell := _to_hide(one, cells, hidden)) is not None}
        for tie in ties:
            if hidden & set(tie):
                hidden |= {cell for cell in tie if cells.get(cell)}
    return hidden


def _to_hide(one: Sum, cells: Mapping[Cell, int], hidden: set[Cell]) -> Cell | None:
    """One more cell, if by this sum a hidden one could be worked out."""
    parts = [part for part in dict.fromkeys(one.parts) if part in cells]
    covered = [part for part in parts if part in hidden]
    shown = sorted((part for part in parts if part not in hidden and cells[part]), key=cells.__getitem__)
    if one.whole in hidden:
        return shown[0] if shown and not covered else None
    if not covered or one.whole not in cells:
        return None
    left = sum(cells[part] for part in covered)
    alike = left == len(covered)  # each of them could only be 1
    if len(covered) > 1 and left >= THRESHOLD and not alike:
        return None
    return shown[0] if shown else one.whole


def _covered(measure: Measure, hidden: set[Cell]) -> Measure:
    of_months = not measure.dimensions and measure.grain is Grain.MONTH
    return replace(
        measure,
        rows=tuple(_row(measure, row, hidden, total=of_months) for row in measure.rows),
        totals=tuple(_row(measure, row, hidden, total=True) for row in measure.totals),
    )


def _row(measure: Measure, row: Row, hidden: set[Cell], *, total: bool) -> Row:
    """A row with its hidden numbers covered. How long a few took would point to them, so it goes with their number.

    Where a number is hidden only for those that are left out, how long the others took is told.
    """
    covered = {part for part, _ in _parts(row) if _cell(measure, row, part, total=total) in hidden}
    if covered & {"numerator", "rest"}:  # each follows from the other
        row = replace(row, numerator=SUPPRESSED)
    if "denominator" in covered:
        row = replace(row, denominator=SUPPRESSED)
    if "count" not in covered:
        return row
    if row.median is None or (measure.id in SOME_OF and isinstance(row.count, int) and row.count >= THRESHOLD):
        return replace(row, count=SUPPRESSED)
    return replace(row, count=SUPPRESSED, median=SUPPRESSED, p90=SUPPRESSED)
