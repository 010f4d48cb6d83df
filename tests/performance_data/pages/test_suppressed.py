"""A suppressed number appears nowhere: not as text, not as a length, not by its place, in no format."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from datetime import date
from io import StringIO
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.performance_data.measures import SUPPRESSED, Figures, Grain, Measure, Row, Unit
from services.performance_data.pages import export, report, words
from services.performance_data.pages.drawn import drawn
from tests.performance_data.pages import made_up

MONTHS = made_up.months(date(2026, 8, 1), 3)
NAMES = ("Agency A", "Agency B", "Agency C")
FIELDS = {
    Unit.COUNT: ("count",),
    Unit.SHARE: ("numerator", "denominator"),
    Unit.SECONDS: ("count", "median", "p90"),
}


@st.composite
def rows(draw: Any, unit: Unit, period: date, values: tuple[str, ...]) -> Row:
    """Some of its numbers may not be shown; if its number of cases may not, neither may what was computed of them."""
    size = draw(st.one_of(st.just(0), st.just(SUPPRESSED), st.integers(5, 9000)))
    if unit is Unit.COUNT:
        return Row(period, values, count=size)
    if size == SUPPRESSED:
        return Row(period, values, **dict.fromkeys(FIELDS[unit], SUPPRESSED))
    if unit is Unit.SHARE:
        part = draw(st.one_of(st.just(SUPPRESSED), st.integers(0, size)))
        return Row(period, values, numerator=part, denominator=size)
    if not size:
        return Row(period, values, count=0)
    median = draw(st.floats(0, 1e7))
    p90 = draw(st.one_of(st.just(SUPPRESSED), st.floats(median, 2e7)))
    return Row(period, values, count=size, median=median, p90=p90)


@st.composite
def figures(draw: Any) -> Figures:
    unit = draw(st.sampled_from(Unit))
    parts = tuple(draw(rows(unit, month, (name,))) for month in MONTHS for name in NAMES)
    totals = tuple(draw(rows(unit, month, ())) for month in MONTHS)
    measure = Measure("some", "Group", "Some", unit, Grain.MONTH, ("agency",), "Meaning.", "N3", parts, totals)
    return made_up.figures(MONTHS, measures=(measure,))


@settings(max_examples=40)
@given(figures())
def test_a_suppressed_number_is_in_no_format(made: Figures) -> None:
    """In its place stands that it is suppressed, in CSV, text and HTML; and no chart has a mark for it."""
    measure = made["some"]
    lines = list(csv.DictReader(StringIO(export.text(made).removeprefix(export.BOM))))
    by_cell = {(line["period"], line["value"]): line for line in lines}
    for row in (*measure.totals, *measure.rows):
        line = by_cell[f"{row.period:%Y-%m}", "".join(row.values)]
        names = {"median": "median_seconds", "p90": "p90_seconds"}
        for field in FIELDS[measure.unit]:
            hidden = getattr(row, field) == SUPPRESSED
            assert (line[names.get(field, field)] == words.SUPPRESSED) is hidden
        if measure.unit is Unit.SHARE:
            assert (line["share"] == words.SUPPRESSED) is row.is_suppressed
        assert line["suppressed"] == ("yes" if row.is_suppressed else "no")
    text, page = (" ".join(each.split()) for each in (report.render(made, width=200), report.html(made)))
    _hidden_in(text, page, measure, NAMES)
    for one in drawn(measure, made, MONTHS[-1]):
        shown = [row for row in (measure.of(MONTHS[-1]) if one.more else measure.totals) if _visible(row, measure.unit)]
        if measure.unit is Unit.COUNT and not any(row.count for row in shown):
            shown = []  # columns that are all 0 are no chart
        marks = re.findall(r'<rect class="chart__(?:bar|so-far)"[^>]* x=|<circle', one.svg or "")
        assert len(marks) == len(shown)


def _visible(row: Row, unit: Unit) -> bool:
    value = {Unit.COUNT: row.count, Unit.SHARE: row.share, Unit.SECONDS: row.median}[unit]
    return value is not None and value != SUPPRESSED


def _hidden_in(text: str, page: str, measure: Measure, names: tuple[str, ...]) -> None:
    """Of each part of the last month, as the terminal and the page have it."""
    told = text.partition("Month Agency")[2]  # nothing, if nothing may be: one sentence says so
    assert told or f"each number is {words.SUPPRESSED}" in text
    for row in measure.of(MONTHS[-1]):
        if not row.is_suppressed:
            continue
        cell = re.search(rf'{row.values[0]}</th>((?:<td class="number[^"]*">[^<]*</td>)+)', page)
        assert cell
        assert words.SUPPRESSED in cell[1]
        after = told.partition(row.values[0])[2]
        others = [after.index(name) for name in (*names, "September 2026") if name in after]
        assert not told or words.SUPPRESSED in after[: min(others, default=200)]


@settings(max_examples=40)
@given(figures(), st.permutations(NAMES))
def test_neither_is_it_told_by_its_place(made: Figures, order: list[str]) -> None:
    """Parts stand by their size, but those that are suppressed come last, by name, however they came to us."""
    measure = made["some"]
    shuffled = replace(measure, rows=tuple(sorted(measure.rows, key=lambda row: order.index(row.values[0]))))
    (_, parts), (_, again) = drawn(measure, made, MONTHS[-1]), drawn(shuffled, made, MONTHS[-1])
    assert parts.table == again.table
    listed = [row[0] for row in parts.table.rows if words.SUPPRESSED in row]
    assert listed == sorted(listed)
    assert not listed or [row[0] for row in parts.table.rows][-len(listed) :] == listed


def test_every_number_that_is_suppressed_gives_a_sentence_instead_of_an_empty_chart() -> None:
    """Not even that there is a chart tells anything; it says why there is none."""
    made = made_up.figures()
    for one in drawn(made["re_referrals"], made, MONTHS[-1]):
        assert one.svg is None
        assert "fewer than 5" in one.instead


def test_a_month_of_days_that_are_all_withheld_is_one_sentence() -> None:
    """Thirty-one lines that say the same are no table."""
    made = made_up.figures(made_up.months(made_up.YEAR[-2], 1))
    days = made["notifications_by_day"]
    days = replace(days, rows=tuple(replace(row, count=SUPPRESSED) for row in days.rows))
    made = replace(made, measures=(days,))
    assert report.html(made).count("<table") == 1  # at a glance
    assert "all that it would show is fewer than 5, or withheld" in report.html(made)
    assert f"By day: each number is {words.SUPPRESSED}." in report.render(made)
