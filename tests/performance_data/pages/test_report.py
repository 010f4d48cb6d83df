"""The monthly report: in a terminal of any width, and as one file that is printed."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from services.performance_data.counting import count
from services.performance_data.pages import report, words
from services.performance_data.pages.shown import shown
from services.performance_data.suppression import for_outside
from tests.performance_data.pages import made_up

OCTOBER = made_up.figures(made_up.months(made_up.YEAR[-2], 1))


@pytest.mark.parametrize("width", [60, 80, 100])
def test_it_fits_the_terminal(width: int) -> None:
    """No line is longer, none ends in blanks, and nothing of it is a control sequence unless colour is asked for."""
    text = report.render(OCTOBER, width=width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert not re.search(r" $|\x1b", text, re.MULTILINE)
    assert "\x1b[" in report.render(OCTOBER, width=width, colour=True)


def test_it_says_everything_that_the_page_does() -> None:
    """Period, when it was computed, what is suppressed, each measure's meaning, source and numbers."""
    text = " ".join(report.render(OCTOBER, width=160).split())
    assert text.startswith("Performance of the safeguarding partnership, October 2026 Computed on Monday 23 November")
    for measure in OCTOBER.measures:
        assert all(said in text for said in (measure.group, measure.title, measure.meaning))
    assert "School 110 118 93%" in text
    assert "Education 34 3 h 11 h 7 min" in text
    assert f"Housing {words.SUPPRESSED} {words.SUPPRESSED} {words.SUPPRESSED}" in text
    assert "October 2026: no cases" in text
    assert "Answers to: N14, JTAI 2024: School nurses rarely raise concerns." in text


def test_what_is_missing_is_said_first() -> None:
    """Events that were not read yet, and those that could not be."""
    made = made_up.figures(behind=1, not_counted=(("receipts.v1", 12),))
    head = " ".join(report.render(made, width=200).split("Notifications and contacts")[0].split())
    assert "The figures are incomplete: 1 event has not been read yet." in head
    assert "Of receipts.v1, 12 events have not been counted, being unreadable" in head


def test_the_file_needs_nothing_beside_it() -> None:
    """It is sent on, printed, and read where nothing else can be fetched: no script, no address but its own places."""
    page = report.html(OCTOBER)
    assert "<script" not in page
    places = re.findall(r'\b(?:href|src)="([^"]*)"', page)
    assert [place for place in places if not place.startswith(("#", "data:,"))] == []
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(set(ids)) == len(ids)
    assert {place[1:] for place in places if place.startswith("#")} <= set(ids)
    assert "@import" not in page
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_what_people_named_is_text() -> None:
    """In HTML, and in the terminal, where square brackets are not markup."""
    hostile = "<script>[red]x[/red]</script>"
    measure = OCTOBER["responses_by_agency"]
    first, *others = measure.rows
    measure = replace(measure, title=hostile, rows=(replace(first, values=(hostile,)), *others))
    made = replace(OCTOBER, measures=(measure,))
    assert "<script>" not in report.html(made)
    assert hostile in report.render(made, width=100)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("N14", ["N14, JTAI 2024: School nurses rarely raise concerns"]),
        ("N9, H2", ["N9, Ofsted 2017 to 2020: No record was kept of the decisions of daily triage",
                    "H2, rule of safebus: Where a child’s place is confidential, so is who was told"]),
        ("N14; Domestic Abuse Act 2021 s.49A",
         ["N14, JTAI 2024: School nurses rarely raise concerns", "Domestic Abuse Act 2021 s.49A"]),
        ("Working Together: within 1 working day", ["Working Together: within 1 working day"]),
        ("N99", ["N99"]),
    ],
)  # fmt: skip
def test_what_a_measure_answers_to_in_words(source: str, said: list[str]) -> None:
    """Nobody has to know a code; what has no words here is still named."""
    assert words.answers(source) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "under 1 second"), (1.2, "1 second"), (90, "90 seconds"), (119.6, "2 min"), (3599, "1 h"), (3600, "1 h"),
     (9000, "2 h 30 min"), (86_399, "1 day"), (93_600, "1 day 2 h"), (604_700, "7 days"), (1e7, "116 days")],
)  # fmt: skip
def test_a_length_of_time_in_words(seconds: float, said: str) -> None:
    """Two units at most, and never 60 minutes or 24 hours."""
    assert words.span(seconds) == said


@pytest.mark.parametrize(
    ("share", "said"), [(0, "0%"), (0.001, "under 1%"), (0.5, "50%"), (0.9952, "over 99%"), (1, "100%"), (0.994, "99%")]
)
def test_only_all_is_called_all(share: float, said: str) -> None:
    """One alert of a thousand that came too late is not rounded away."""
    assert words.percent(share) == said


def test_months_that_are_another_measures_as_well_are_drawn_once() -> None:
    """By what both count, and never because their numbers happen to be alike."""
    made = made_up.figures()
    days, contacts = made["notifications_by_day"], made["contacts_by_source"]
    alike = replace(contacts, totals=days.totals)
    same = replace(alike, id="notifications_by_kind")
    kind, source = shown(replace(made, measures=(days, same, alike))).groups[0].blocks[1:]
    assert len(kind.drawn) == 1
    assert "total is as under “Police notifications”" in kind.note
    assert len(source.drawn) == 2
    assert not source.note


def test_before_anything_happened_there_are_words_instead_of_charts() -> None:
    """The real measures, of nothing at all."""
    made = for_outside(count([], made_up.YEAR, made_up.MADE_AT))
    assert "<svg" not in report.html(made)
    assert "There is no chart" in report.html(made)
    assert "No cases." in report.render(made)
