"""Charts are honest: bars from zero, gaps where there is nothing, the month that is not over told apart."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import chain, pairwise
from xml.etree import ElementTree

import pytest

from services.performance_data.measures import Figures, Row
from services.performance_data.pages import charts
from services.performance_data.pages.charts import Point, Said, Scale
from services.performance_data.pages.drawn import COUNT_STEPS, TIME_STEPS, Drawn, drawn
from services.performance_data.pages.shown import latest_month
from tests.performance_data.pages import made_up

SVG = "{http://www.w3.org/2000/svg}"
SCALE = Scale(10, [(0, "0"), (5, "5"), (10, "10")])
SAID = Said("a-chart", "A chart", "Of some points.")


def parsed(svg: str | None) -> ElementTree.Element:
    assert svg
    return ElementTree.fromstring(str(svg).replace("<svg ", f'<svg xmlns="{SVG[1:-1]}" ', 1))


def of(svg: ElementTree.Element, kind: str, tag: str) -> list[ElementTree.Element]:
    """What is drawn, of that class; a stripe's pattern is not."""
    return [one for one in svg.findall(f"{SVG}{tag}") if f"chart__{kind}" in one.get("class", "").split()]


def a_year() -> tuple[Figures, dict[str, list[Drawn]]]:
    made = made_up.figures()
    return made, {one.id: drawn(one, made, latest_month(made)) for one in made.measures}


def test_columns_and_bars_stand_on_zero() -> None:
    """Twice the value is twice the length, from where the scale says 0."""
    svg = parsed(charts.columns([Point("a", 4, "4"), Point("b", 8, "8")], SCALE, SAID))
    low, high = of(svg, "bar", "rect")
    assert float(high.get("height", "")) == pytest.approx(2 * float(low.get("height", "")), abs=0.2)
    assert {float(one.get("y", "")) + float(one.get("height", "")) for one in (low, high)} == {charts.TOP + charts.PLOT}
    low, high = of(parsed(charts.bars([Point("a", 4, "4"), Point("b", 8, "8")], SCALE, SAID)), "bar", "rect")
    assert {one.get("x") for one in (low, high)} == {"0.00%"}
    assert high.get("width") == "59.20%"
    assert low.get("width") == "29.60%"


def test_a_gap_stays_a_gap() -> None:
    """Where nothing may or can be shown there is no mark and no line, but a sign that says which."""
    points = [Point(name, value, mark) for name, value, mark in
              (("Jan", 3, "3"), ("Feb", None, "–"), ("Mar", 5, "5"), ("Apr", 6, "6"))]  # fmt: skip
    svg = parsed(charts.line(points, SCALE, SAID))
    assert len(of(svg, "dot", "circle")) == 3
    assert len(of(svg, "line", "line")) == 1
    assert [one.text for one in svg.iter(f"{SVG}text") if one.get("class") == "chart__mark"] == ["3", "–", "5", "6"]
    assert len(of(parsed(charts.columns(points, SCALE, SAID)), "bar", "rect")) == 3


def test_a_zero_is_drawn_as_zero() -> None:
    """It was counted, and there was none: that is not a gap."""
    svg = parsed(charts.columns([Point("Jan", 0, "0")], SCALE, SAID))
    assert [one.get("height") for one in of(svg, "bar", "rect")] == ["0.0"]


def test_a_month_that_is_not_over_is_told_apart_without_colour() -> None:
    """By stripes or a hollow dot, by words below it, in the key, and in the table."""
    _, shown = a_year()
    (months,), (shares, _) = shown["notifications_by_day"], shown["alerts_in_time_by_role"]
    for one, told in ((months, "Striped"), (shares, "Hollow")):
        assert "so far</text>" in (one.svg or "")
        assert any(said.startswith(told) for said in one.key)
        assert [row[0] for row in one.table.rows if "so far" in row[0]] == ["November 2026 (so far)"]
    assert len(re.findall(r'class="chart__so-far" fill="url\(#[a-z_-]+-hatch\)"', months.svg or "")) == 1
    assert len(of(parsed(shares.svg), "dot--so-far", "circle")) == 1


def test_a_chart_has_a_name_a_description_and_its_table() -> None:
    """And what it shows is what the table says."""
    _, shown = a_year()
    names = []
    for one in chain.from_iterable(shown.values()):
        assert one.table.rows or not one.svg
        if not one.svg:
            assert one.instead
            continue
        svg = parsed(one.svg)
        title, about = svg.find(f"{SVG}title"), svg.find(f"{SVG}desc")
        assert title is not None
        assert about is not None
        assert (title.get("id"), about.get("id")) == (svg.get("aria-labelledby"), svg.get("aria-describedby"))
        assert title.text == one.caption
        assert about.text
        names.append(title.get("id"))
    assert len(set(names)) == len(names)


def test_nothing_in_a_chart_is_refused_by_the_pages_security_policy() -> None:
    """No style, no script, nothing fetched; and what people named is text."""
    hostile = '"><script>alert(1)</script>'
    svg = charts.bars([Point(hostile, 3, hostile, under=hostile)], SCALE, Said("x", hostile, hostile))
    assert "<script" not in svg
    assert "style" not in svg
    assert {name for one in parsed(svg).iter() for name in one.attrib} & {"href", "onload", "src"} == set()


@pytest.mark.parametrize("steps", [COUNT_STEPS, TIME_STEPS])
def test_a_scale_has_steps_that_one_can_count_in(steps: list[int]) -> None:
    """In order, and each at most two and a half times the one before, so that four of them are never mostly empty."""
    assert steps == sorted(set(steps))
    assert all(after <= 2.5 * before for before, after in pairwise(steps))


def test_many_days_are_labelled_by_the_week() -> None:
    """Thirty-one labels could not be read."""
    made = made_up.figures(made_up.months(made_up.YEAR[-2], 1))
    (days,) = drawn(made["notifications_by_day"], made, made.months[0])
    labels = [
        one.text for one in parsed(days.svg).iter(f"{SVG}text") if one.get("class", "").startswith("chart__label")
    ]
    assert labels == ["1 Oct", "8 Oct", "15 Oct", "22 Oct", "29 Oct"]
    assert len(days.table.rows) == 31


def test_today_is_not_over_either() -> None:
    """Of the days of the month that goes on, the last one is told apart."""
    made = made_up.figures(made_up.months(made_up.YEAR[-1], 1))
    (days,) = drawn(made["notifications_by_day"], made, made.months[0])
    assert [row[0] for row in days.table.rows if "so far" in row[0]] == ["Monday 23 November 2026 (so far)"]


def test_a_bar_is_labelled_by_its_name_as_long_as_that_tells_it_apart() -> None:
    """Ids of organisations are long, and in the table."""
    made = made_up.figures(made_up.months(made_up.YEAR[-2], 1))
    names = ("Oak School (school:1)", "Oak School (school:2)", "Thames Valley Police (police:thames-valley)")
    rows = tuple(Row(made.months[0], (name,), count=9 - place) for place, name in enumerate(names))
    (parts,) = drawn(replace(made["contacts_by_source"], rows=rows), made, made.months[0])
    labels = [one.text for one in parsed(parts.svg).iter(f"{SVG}text") if one.get("class") == "chart__name"]
    assert labels == [*names[:2], "Thames Valley Police"]
    assert tuple(row[0] for row in parts.table.rows) == names


def test_each_number_stands_at_what_it_is_of() -> None:
    """At the end of the line that shows nine in ten stands that time; the median is told by name."""
    made = made_up.figures()
    months, parts = drawn(made["responses_by_agency"], made, latest_month(made))
    texts = ["".join(one.itertext()) for one in parsed(parts.svg).iter(f"{SVG}text")]
    assert texts[:2] == ["Buckinghamshire Healthcare NHS Trust, of 40: median 1 h 30 min", "6.7 h"]
    marks = [one.text for one in parsed(months.svg).iter(f"{SVG}text") if "chart__mark" in one.get("class", "")]
    assert marks == []
