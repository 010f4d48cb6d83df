"""The figures as CSV: what RFC 4180 wants, what spreadsheets must not run, and what a reader has to know."""

from __future__ import annotations

import csv
from dataclasses import replace
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.performance_data.measures import Grain, Measure, Row, Unit
from services.performance_data.pages import export, words
from tests.performance_data.pages import made_up

MONTH = made_up.YEAR[-2]


def lines(text: str) -> list[dict[str, str]]:
    assert text.startswith(export.BOM)
    return list(csv.DictReader(StringIO(text.removeprefix(export.BOM), newline="")))


def named(name: str) -> Measure:
    rows = (Row(MONTH, (name,), count=7),)
    return Measure(
        "m", "Group", name, Unit.COUNT, Grain.MONTH, ("agency",), "Meaning.", "N3", rows, (Row(MONTH, count=7),)
    )


def test_one_header_line_and_lines_of_one_length() -> None:
    """Ended by CR LF; the bytes are UTF-8."""
    text = export.text(made_up.figures())
    assert text.encode("utf-8").decode("utf-8-sig").splitlines()[0] == ",".join(export.HEADER)
    parsed = list(csv.reader(StringIO(text.removeprefix(export.BOM), newline=""), strict=True))
    assert {len(line) for line in parsed} == {len(export.HEADER)}
    assert text.count("\r\n") == text.count("\n") == len(parsed)


def test_every_cell_of_every_table_is_there_once() -> None:
    """Totals and rows; of a measure without a dimension these are the same."""
    made = made_up.figures()
    found = [(line["measure"], line["period"], line["value"]) for line in lines(export.text(made))]
    assert len(set(found)) == len(found)
    for measure in made.measures:
        parted = len(measure.rows) if measure.dimensions or measure.grain is Grain.DAY else 0
        assert sum(name == measure.id for name, *_ in found) == len(measure.totals) + parted
        assert lines(export.text(made, measure.id)) == [
            one for one in lines(export.text(made)) if one["measure"] == measure.id
        ]


def test_each_line_says_when_it_was_computed_and_what_is_suppressed() -> None:
    """So that a line copied elsewhere still says it; numbers are numbers."""
    by_period = {
        line["period"]: line
        for line in lines(export.text(made_up.figures(), "alerts_in_time_by_role"))
        if not line["value"]
    }
    march, august, october = by_period["2026-03"], by_period["2026-08"], by_period["2026-10"]
    assert {line["computed_at"] for line in by_period.values()} == {"2026-11-23T08:45:00+00:00"}
    assert all(words.SUPPRESSED in line["note"] for line in by_period.values())
    assert (march["suppressed"], march["numerator"], march["share"]) == ("yes", *[words.SUPPRESSED] * 2)
    assert (august["numerator"], august["denominator"], august["share"]) == ("0", "0", "")
    assert (october["numerator"], october["denominator"], october["share"]) == ("152", "172", "0.8837")
    assert [period for period, line in by_period.items() if line["provisional"] == "yes"] == ["2026-11"]


@pytest.mark.parametrize("begins", [*export.FORMULA, "=HYPERLINK(", "@SUM(1)*cmd|' /C calc'!A0"])
def test_no_spreadsheet_runs_what_somebody_named(begins: str) -> None:
    """A name that begins as a formula does is text."""
    hostile = f"{begins}1+1"
    total, row = lines(export.text(replace(made_up.figures((MONTH,)), measures=(named(hostile),))))
    assert row["value"] == row["title"] == total["title"] == f"'{hostile}"


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_whatever_a_name_holds_it_is_one_cell(name: str) -> None:
    """Commas, quotes and line breaks among them."""
    (_, row) = lines(export.text(replace(made_up.figures((MONTH,)), measures=(named(name),))))
    assert row["value"].removeprefix("'") == name.removeprefix("'")
    assert not row["value"].startswith(export.FORMULA)
    assert row["count"] == "7"
