"""The figures as CSV (RFC 4180), for a spreadsheet and for programs: one line a cell of the tables, one header line.

UTF-8 with a byte order mark, without which Excel reads it as another encoding; pandas, R and `utf-8-sig` know it. Every
line says whether it is suppressed, when the figures were computed, and for whom they are, so that a line that is copied
elsewhere still says it. No text begins as a spreadsheet's formula does.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO

from services.performance_data.measures import Figures, Grain, Measure, Row, Suppressed
from services.performance_data.pages import words

BOM = "\ufeff"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""

HEADER = (
    "measure", "title", "unit", "period", "grain", "provisional", "dimension", "value", "count", "numerator",
    "denominator", "share", "median_seconds", "p90_seconds", "suppressed", "computed_at", "note",
)  # fmt: skip
"""`value` is empty in a period's total. `share` is from 0 to 1. An empty number means that its unit has none, or that
there were no cases."""

OUTSIDE = f"“{words.SUPPRESSED}” stands for a number under 5, or one by which such a number could be worked out"
INSIDE = "small numbers are not suppressed: for inside the partnership only"


def text(figures: Figures, measure: str | None = None) -> str:
    """All measures, or one.

    Raises:
        KeyError: there is no measure of that id.
    """
    written = StringIO()
    out = csv.writer(written)
    out.writerow(HEADER)
    for one in figures.measures if measure is None else (figures[measure],):
        out.writerows([_safe(cell) for cell in line] for line in _lines(one, figures))
    return BOM + written.getvalue()


def _lines(measure: Measure, figures: Figures) -> Iterator[list[str]]:
    """The totals, then the rows; where there is no dimension and a row a month, rows and totals are the same."""
    for row in measure.totals:
        yield _line(row, measure, figures, Grain.MONTH)
    if measure.dimensions or measure.grain is Grain.DAY:
        for row in measure.rows:
            yield _line(row, measure, figures, measure.grain)


def _line(row: Row, measure: Measure, figures: Figures, grain: Grain) -> list[str]:
    numbers = (row.count, row.numerator, row.denominator, row.share, row.median, row.p90)
    return [
        measure.id,
        measure.title,
        measure.unit.value,
        f"{row.period:%Y-%m-%d}" if grain is Grain.DAY else f"{row.period:%Y-%m}",
        grain.value,
        _yes(words.unfinished(row.period, figures.made_at)),
        *(measure.dimensions[:1] if row.values else ("",)),
        *(row.values or ("",)),
        *(_number(number) for number in numbers),
        _yes(row.is_suppressed),
        figures.made_at.isoformat(timespec="seconds"),
        OUTSIDE if figures.outside else INSIDE,
    ]


def _number(number: float | Suppressed | None) -> str:
    if isinstance(number, Suppressed):
        return words.SUPPRESSED
    return (
        "" if number is None else f"{number:.4f}".rstrip("0").rstrip(".") if isinstance(number, float) else f"{number}"
    )


def _yes(said: bool) -> str:
    return "yes" if said else "no"


def _safe(cell: str) -> str:
    """As OWASP advises: a leading apostrophe, which spreadsheets show as text."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
