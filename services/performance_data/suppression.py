"""What may leave the partnership: figures in which no number under 5 stands, or can be worked out.

Every number that is shown, and every one that follows from others (those of a share that are not counted in it, what
one measure leaves out of another's things), is a cell; every sum that a reader can do is an equation. A cell of 1 to 4
is hidden. Then, until nothing changes, each equation whose hidden cells would follow from the shown ones has its
smallest shown part hidden too, and at last its whole; and where a small cell follows from several equations together,
what stands beside it. Zero is shown, since it tells of nobody; but of single days it is hidden as well, or days with
one child each could be counted off against the month.

A month's cells depend on that month alone, so that two reports of different months never give more than each by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from services.performance_data.measures import SUPPRESSED, Figures, Grain, Measure, Row, Unit
from services.performance_data.solving import determined

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
SOME_OF = (
    ("notification_to_outcome", "notifications_by_day", "count"),
    ("notification_to_gp", "notifications_by_day", "count"),
    ("notification_to_gp", "notification_to_outcome", "count"),
    ("notification_to_alert", "alerts_in_time_by_role", "denominator"),
    ("night_waited", "night_taken", "count"),
)
"""Measures of times of some, or of nearly all, of another measure's things: the difference of the two is a number of
those that are left out."""


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
    exact: bool = True
    """False where one thing may stand in two parts."""


def for_outside(figures: Figures) -> Figures:
    """The same figures with everything hidden that must not leave the partnership."""
    cells, sums = _all(figures)
    hidden = _hidden(cells, sums, _days(figures))
    return replace(
        figures, outside=True, measures=tuple(_covered(measure, cells, hidden) for measure in figures.measures)
    )


def _all(figures: Figures) -> tuple[dict[Cell, int], list[Sum]]:
    """Every number that is shown or follows, and every sum of them that a reader can do."""
    cells = {
        _cell(measure, row, part, total=total): number
        for measure in figures.measures
        for row, total in _rows(measure)
        for part, number in _parts(row)
    }
    sums = list(_sums(figures))
    for one, number in [*_left_out(figures, cells), *_of_two_kinds(figures, cells)]:
        cells.setdefault(one.parts[-1], number)
        sums.append(one)
    return cells, sums


def _left_out(figures: Figures, cells: Mapping[Cell, int]) -> Iterator[tuple[Sum, int]]:
    """What one measure leaves out of another's things, whichever of the two has more."""
    by_id = {measure.id: measure for measure in figures.measures}
    for name, other, part in SOME_OF:
        for row, total in _rows(by_id[name]) if {name, other} <= by_id.keys() else ():
            two = _cell(by_id[name], row, "count", total=total), _cell(by_id[other], row, part, total=total)
            if cells.keys() >= set(two):
                less, more = sorted(two, key=cells.__getitem__)
                rest = Cell(name, row.period, (*row.values, f"left out of {other}"), "count", total)
                yield Sum(more, (less, rest)), cells[more] - cells[less]


def _of_two_kinds(figures: Figures, cells: Mapping[Cell, int]) -> Iterator[tuple[Sum, int]]:
    """Where rows do not add up, all but one row's are a number too: notifications without any domestic abuse."""
    for measure in (one for one in figures.measures if not one.adds_up):
        for row in measure.rows:
            of_it = _cell(measure, row, "count", total=False)
            whole = _cell(measure, replace(row, values=()), "count", total=True)
            others = Cell(measure.id, row.period, (*row.values, "others"), "count", whole=False)
            yield Sum(whole, (of_it, others)), cells[whole] - cells[of_it]


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
    """Every sum of what is shown."""
    for measure in figures.measures:
        share = measure.unit is Unit.SHARE
        by_month: dict[date, list[Row]] = defaultdict(list)
        for row in measure.rows:
            by_month[row.period.replace(day=1)].append(row)
        for total in measure.totals:
            if measure.dimensions or measure.grain is Grain.DAY:
                for part in ("numerator", "rest", "denominator") if share else ("count",):
                    cells = (_cell(measure, row, part, total=False) for row in by_month[total.period])
                    yield Sum(_cell(measure, total, part, total=True), tuple(cells), measure.adds_up)
        if share:
            for row, whole in _rows(measure):
                numerator, rest = (_cell(measure, row, part, total=whole) for part in ("numerator", "rest"))
                yield Sum(_cell(measure, row, "denominator", total=whole), (numerator, rest))
    yield from _of_requests(figures)


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


def _hidden(cells: Mapping[Cell, int], sums: Sequence[Sum], days: set[Cell]) -> set[Cell]:
    hidden = {cell for cell, number in cells.items() if 0 < number < THRESHOLD or (cell in days and not number)}
    before = -1
    while len(hidden) != before:
        before = len(hidden)
        hidden |= {cell for one in sums if (cell := _to_hide(one, cells, hidden)) is not None}
        if len(hidden) == before:
            hidden |= _few_joined(cells, hidden) or _beside_what_follows(cells, sums, hidden)
    return hidden


def _few_joined(cells: Mapping[Cell, int], hidden: set[Cell]) -> set[Cell]:
    """Notifications and contacts that began no enquiry are all of them less the enquiries."""
    found = set()
    for began in (one for one in cells if (one.measure, one.part, one.whole) == ("re_referrals", "denominator", True)):
        came = [
            Cell(name, began.period, (), "count", whole=True) for name in ("notifications_by_day", "contacts_by_day")
        ]
        shown = all(one in cells and one not in hidden for one in (*came, began))
        if shown and 0 < sum(cells[one] for one in came) - cells[began] < THRESHOLD:
            found.add(began)
    return found


def _beside_what_follows(cells: Mapping[Cell, int], sums: Sequence[Sum], hidden: set[Cell]) -> set[Cell]:
    """Of each small cell that follows from several sums together, the smallest shown one that stands in a sum with it.

    Where none does, one that stands beside what is hidden with it, and so on.
    """
    near: dict[Cell, set[Cell]] = defaultdict(set)
    equations = []
    for one in (one for one in sums if one.exact and one.whole in cells):
        parts = [part for part in dict.fromkeys(one.parts) if part in cells]
        equations.append({cell: -1 if cell == one.whole else 1 for cell in (one.whole, *parts) if cell in hidden})
        for cell in equations[-1]:
            near[cell].update(parts, [one.whole])
    found = set()
    for cell in determined(equations):
        around, seen = near[cell], {cell}
        while 0 < cells[cell] < THRESHOLD and not around <= seen:
            shown = [one for one in around if one not in hidden and cells[one]]
            if shown:
                found.add(min(shown, key=cells.__getitem__))
                break
            seen = around
            around = around.union(*(near[one] for one in around))
    return found


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


def _covered(measure: Measure, cells: Mapping[Cell, int], hidden: set[Cell]) -> Measure:
    of_months = not measure.dimensions and measure.grain is Grain.MONTH
    return replace(
        measure,
        rows=tuple(_row(measure, row, cells, hidden, total=of_months) for row in measure.rows),
        totals=tuple(_row(measure, row, cells, hidden, total=True) for row in measure.totals),
    )


def _row(measure: Measure, row: Row, cells: Mapping[Cell, int], hidden: set[Cell], *, total: bool) -> Row:
    """A row with its hidden numbers covered. How long a few took would point to them, so it goes with their number."""
    covered = {part for part, _ in _parts(row) if _cell(measure, row, part, total=total) in hidden}
    if covered & {"numerator", "rest"}:  # each follows from the other
        row = replace(row, numerator=SUPPRESSED)
    if "denominator" in covered:
        row = replace(row, denominator=SUPPRESSED)
    if "count" not in covered:
        return row
    if row.median is None or (total and _are_many(measure, row, cells)):
        return replace(row, count=SUPPRESSED)
    return replace(row, count=SUPPRESSED, median=SUPPRESSED, p90=SUPPRESSED)


def _are_many(measure: Measure, row: Row, cells: Mapping[Cell, int]) -> bool:
    """Whether a number is hidden only for the few that are left out, so that how long the others took may be told.

    Not of fewer than twice the threshold: of 6, that those told of are 5 or more would say that 1 is left out.
    """
    of = next((_cell_of_total(other, row.period, part) for name, other, part in SOME_OF if name == measure.id), None)
    return (
        isinstance(row.count, int) and row.count >= THRESHOLD and of is not None and cells.get(of, 0) >= 2 * THRESHOLD
    )


def _cell_of_total(measure: str, month: date, part: str) -> Cell:
    return Cell(measure, month, (), part, whole=True)
