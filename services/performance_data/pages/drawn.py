"""A measure's charts, each with its table: its months side by side, and one month's parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from math import ceil

from markupsafe import Markup

from services.performance_data.measures import Figures, Grain, Measure, Row, Suppressed, Unit
from services.performance_data.pages import cells, charts, words
from services.performance_data.pages.cells import Table
from services.performance_data.pages.charts import Point, Said, Scale

MOST_BARS = 12
LONG = 14
ID = re.compile(r" \([a-z]+:[^)]+\)$")
"""An organisation's, after its name."""
LABELS = 13
"""With more periods than this only every seventh has a label, and values stand in the table alone."""
COUNT_STEPS = [size * 10**power for power in range(9) for size in (1, 2, 5)]
TIME_STEPS = [
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200),
    *(days * 86_400 for days in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)),
]
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One chart and its table. `svg` is None where nothing may or can be drawn; `instead` says why."""

    svg: Markup | None
    instead: str
    caption: str
    key: tuple[str, ...]
    """What the signs in it mean, as far as it has them."""
    table: Table
    """What the chart shows."""
    more: Table | None = None
    """The same of every month that was asked for, where the chart shows one of them."""

    @property
    def is_long(self) -> bool:
        """Whether the table is folded away at first."""
        return len(self.table.rows) > LONG


def drawn(measure: Measure, figures: Figures, latest: date, *, months: bool = True) -> list[Drawn]:
    """The charts of a measure.

    Args:
        latest: the month whose parts are shown.
        months: whether its months are drawn side by side; not where another measure's chart shows the same.
    """
    found = []
    if len(figures.months) > 1 and months:
        found.append(_periods(measure, figures, measure.totals, by_day=False))
    if len(figures.months) == 1 and measure.grain is Grain.DAY and not measure.dimensions:
        found.append(_periods(measure, figures, measure.rows, by_day=True))
    if measure.dimensions:
        found.append(_parts(measure, figures, latest))
    return found


def _periods(measure: Measure, figures: Figures, rows: Sequence[Row], *, by_day: bool) -> Drawn:
    unit = measure.unit
    points = [_point_of(row, measure, figures, place, len(rows), by_day=by_day) for place, row in enumerate(rows)]
    name = "day" if by_day else "month"
    caption = f"{measure.title}: each {name}"
    texts = [words.period(row.period, by_day=by_day) for row in rows]
    said = Said(f"{measure.id}-by-{name}", caption, _summary(unit, list(zip(texts, rows, strict=True))))
    rows_of_table = tuple(
        (_period(row, figures, by_day=by_day), *cells.cells(row, unit)) for row in (rows if by_day else reversed(rows))
    )
    svg = None
    if _visible(points, unit):
        draw = charts.line if unit is Unit.SHARE else charts.columns
        svg = draw(points, _scale(points, unit), said)
    table = Table(caption, (name.capitalize(), *cells.HEADS[unit]), 1, rows_of_table)
    return Drawn(svg, "" if svg else _nothing(rows, unit), caption, _key(points, unit) if svg else (), table)


def _parts(measure: Measure, figures: Figures, latest: date) -> Drawn:
    unit, name = measure.unit, words.sentence(measure.dimensions[0])
    rows = sorted(measure.of(latest), key=lambda row: _order(row, unit)) if measure.grain is Grain.MONTH else []
    so_far = words.unfinished(latest, figures.made_at)
    points = [
        Point(label, _value(row, unit), _at_the_end(row, unit), _under(row, unit), cells.tail(row, unit), so_far)
        for label, row in zip(_labels(rows[:MOST_BARS]), rows, strict=False)
    ]  # fmt: skip
    caption = f"{measure.title}: {words.month(latest)}{' (so far)' if so_far else ''}"
    said_rows = [(point.label, row) for point, row in zip(points, rows, strict=False)]
    said = Said(f"{measure.id}-by-part", caption, _summary(unit, said_rows))
    svg = charts.bars(points, _scale(points, unit), said) if _visible(points, unit) else None
    key = _key(points, unit) if svg else ()
    if svg and len(rows) > MOST_BARS:
        key += (f"The {MOST_BARS} largest of {len(rows)}; the table has all.",)
    by_month = Table(caption, (name, *cells.HEADS[unit]), 1, tuple(_line(row, unit) for row in rows))
    more = None
    if len(figures.months) > 1 or measure.grain is Grain.DAY:
        by_day = measure.grain is Grain.DAY
        ordered = sorted(measure.rows, key=lambda row: (-row.period.toordinal(), _order(row, unit)))
        lines = tuple((_period(row, figures, by_day=by_day), *_line(row, unit)) for row in ordered)
        title = f"{measure.title}: each {measure.grain.value}"
        more = Table(title, (measure.grain.value.capitalize(), name, *cells.HEADS[unit]), 2, lines)
    instead = "" if svg or measure.grain is Grain.DAY else _nothing(rows, unit)
    return Drawn(svg, instead, caption, key, by_month, more)


def _labels(rows: Sequence[Row]) -> list[str]:
    """Names, without the ids that follow them as long as they differ without; the table has them whole."""
    whole = [cells.of_value(row.values[0]) for row in rows]
    short = [ID.sub("", label) for label in whole]
    return [one if short.count(one) == 1 else all_of_it for one, all_of_it in zip(short, whole, strict=True)]


def _line(row: Row, unit: Unit) -> tuple[str, ...]:
    return (cells.of_value(row.values[0]), *cells.cells(row, unit))


def _point_of(row: Row, measure: Measure, figures: Figures, place: int, of: int, *, by_day: bool) -> Point:
    many, unit = of > LABELS, measure.unit
    labelled = not many or (place % 7 == 0 if by_day else (of - 1 - place) % 3 == 0)
    january = row.period.month == 1 or (place == 0 and row.period.month < 11)
    label = f"{row.period.day} {row.period:%b}" if by_day else f"{row.period:%b}"
    under = "" if by_day or not (january or many) else f"{row.period:%Y}"
    mark = cells.mark(row, unit)
    crowded = many or unit is Unit.SECONDS  # above the thin line a median would read as the line's
    return Point(
        label=label if labelled else "",
        value=_value(row, unit),
        mark=mark if not crowded or mark in words.KEY else "",
        under=under if labelled else "",
        tail=cells.tail(row, unit),
        provisional=_so_far(row, figures, by_day=by_day),
    )


def _period(row: Row, figures: Figures, *, by_day: bool) -> str:
    return words.period(row.period, by_day=by_day) + (" (so far)" if _so_far(row, figures, by_day=by_day) else "")


def _so_far(row: Row, figures: Figures, *, by_day: bool) -> bool:
    unfinished = words.going_on if by_day else words.unfinished
    return unfinished(row.period, figures.made_at)


def _value(row: Row, unit: Unit) -> float | None:
    value = cells.main(row, unit)
    return None if isinstance(value, Suppressed) else value


def _under(row: Row, unit: Unit) -> str:
    of = cells.size(row, unit)
    if unit is Unit.COUNT or isinstance(of, Suppressed):
        return ""
    median = _value(row, unit) if unit is Unit.SECONDS else None
    return f"of {words.number(of)}" + (f": median {words.span(median)}" if median is not None else "")


def _at_the_end(row: Row, unit: Unit) -> str:
    """What stands at a bar's end: where the thin line ends, if there is one."""
    tail = cells.tail(row, unit)
    return cells.mark(row, unit) if tail is None else words.short_span(tail)


def _order(row: Row, unit: Unit) -> tuple[bool, int, str]:
    """The largest first; those that may not be shown last, by name, so that their place tells nothing."""
    of = cells.size(row, unit)
    if isinstance(of, Suppressed) or row.is_suppressed:
        return True, 0, row.values[0]
    return False, -of, row.values[0]


def _visible(points: Sequence[Point], unit: Unit) -> bool:
    """Whether there is anything to draw. A share of 0 is; columns that are all 0 are none."""
    return any(point.value is not None and (point.value or unit is not Unit.COUNT) for point in points)


def _nothing(rows: Sequence[Row], unit: Unit) -> str:
    if any(row.is_suppressed for row in rows):
        return "There is no chart: all that it would show is fewer than 5, or withheld."
    return "There is no chart: no cases were recorded."


def _key(points: Sequence[Point], unit: Unit) -> tuple[str, ...]:
    marks = {point.mark for point in points}
    said = [f"{sign} {meaning}" for sign, meaning in words.KEY.items() if sign in marks]
    if any(point.tail is not None for point in points):
        said.insert(0, "Bar: the median. Thin line: up to where nine in ten were done.")
    if any(point.provisional for point in points):
        said.append(f"{'Hollow' if unit is Unit.SHARE else 'Striped'}, so far: it was not over.")
    return tuple(said)


def _summary(unit: Unit, rows: Sequence[tuple[str, Row]]) -> str:
    """What a chart shows, in sentences; its table says the rest."""
    shown = [(value, text, row) for text, row in rows if (value := _value(row, unit)) is not None]
    said = []
    if shown:
        lowest, highest = (pick(shown, key=lambda one: one[0]) for pick in (min, max))
        said.append(f"The scale begins at 0. Highest: {highest[1]}, {cells.in_short(highest[2], unit)}.")
        said.append(f"Lowest: {lowest[1]}, {cells.in_short(lowest[2], unit)}.")
        if shown[-1] not in (lowest, highest):
            said.append(f"Last: {shown[-1][1]}, {cells.in_short(shown[-1][2], unit)}.")
    hidden = sum(row.is_suppressed for _, row in rows)
    said += [f"{hidden} may not be shown: {words.KEY[words.STAR]}."] if hidden else []
    return " ".join([*said, "The table below has every number."])


def _scale(points: Sequence[Point], unit: Unit) -> Scale:
    if unit is Unit.SHARE:
        return Scale(1.0, [(share / 4, f"{25 * share}%") for share in range(5)])
    most = max(chain.from_iterable((point.value or 0, point.tail or 0) for point in points))
    steps, said = (COUNT_STEPS, words.number) if unit is Unit.COUNT else (TIME_STEPS, words.short_span)
    step = next((step for step in steps if most <= 4 * step), steps[-1])
    lines = max(1, ceil(most / step))
    return Scale(step * lines, [(step * place, said(step * place) if place else "0") for place in range(lines + 1)])
