"""What stands in one cell of a table, by the measure's unit: numbers in words, and words where there is no number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.performance_data.measures import SUPPRESSED, Row, Suppressed, Unit
from services.performance_data.pages import words

HEADS = {
    Unit.COUNT: ("Number",),
    Unit.SHARE: ("Number", "Out of", "Share"),
    Unit.SECONDS: ("Number", "Median", "Nine in ten within"),
}
"""The columns of a row, by unit."""

COMPUTED = {
    Unit.SHARE: "The number divided by the number it is out of.",
    Unit.SECONDS: "Median: half of them took no longer. Nine in ten within: nine in ten took no longer than this "
    "(nearest rank).",
}


@dataclass(frozen=True, slots=True)
class Table:
    """What a screen reader, a terminal and paper get of a chart."""

    caption: str
    heads: tuple[str, ...]
    named: int
    """How many of the columns say what a row is about; the others are numbers."""
    rows: tuple[tuple[str, ...], ...]

    @property
    def tells(self) -> bool:
        """Whether there is anything in it but what is withheld."""
        return any(cell != words.SUPPRESSED for row in self.rows for cell in row[self.named :])


def cells(row: Row, unit: Unit) -> tuple[str, ...]:
    """One text for each of the unit's columns."""
    if unit is Unit.COUNT:
        return (_of(row.count, words.number, "0"),)
    if unit is Unit.SHARE:
        whole = (_of(row.numerator, words.number, "0"), _of(row.denominator, words.number, "0"))
        return (*whole, _of(row.share, words.percent, words.NO_CASES))
    return (
        _of(row.count, words.number, "0"),
        _of(row.median, words.span, words.NO_CASES),
        _of(row.p90, words.span, words.NO_CASES),
    )


def in_short(row: Row, unit: Unit) -> str:
    """The whole row in one cell: 52; 79% (41 of 52); median 3 h 10 min (of 41)."""
    texts = cells(row, unit)
    if unit is Unit.SECONDS and isinstance(row.count, Suppressed) and isinstance(row.median, int | float):
        return f"median {texts[1]}"
    if row.is_suppressed:
        return words.SUPPRESSED
    if unit is Unit.COUNT or words.NO_CASES in texts:
        return texts[-1]
    return f"{texts[2]} ({texts[0]} of {texts[1]})" if unit is Unit.SHARE else f"median {texts[1]} (of {texts[0]})"


def main(row: Row, unit: Unit) -> float | Suppressed | None:
    """The value that a chart shows; None when there is nothing to show."""
    return {Unit.COUNT: row.count, Unit.SHARE: row.share, Unit.SECONDS: row.median}[unit]


def tail(row: Row, unit: Unit) -> float | None:
    """Where nine in ten end, if that is known and may be shown."""
    if unit is not Unit.SECONDS or row.p90 is None or isinstance(row.p90, Suppressed):
        return None
    return row.p90


def size(row: Row, unit: Unit) -> int | Suppressed:
    """Of how many the row is."""
    of = row.denominator if unit is Unit.SHARE else row.count
    return of if of is not None else 0


def mark(row: Row, unit: Unit) -> str:
    """As short as it stands in a chart."""
    value = main(row, unit)
    if value is SUPPRESSED or isinstance(value, Suppressed):
        return words.STAR
    if value is None:
        return words.DASH
    return {Unit.COUNT: words.number, Unit.SHARE: words.percent, Unit.SECONDS: words.short_span}[unit](value)


def of_value(value: str) -> str:
    """A dimension's value as a label; an id is left as it is."""
    return value if ":" in value.partition(" ")[0] else words.sentence(value)


def _of(number: float | Suppressed | None, said: Callable[[float], str], nothing: str) -> str:
    if isinstance(number, Suppressed):
        return words.SUPPRESSED
    return nothing if number is None else said(number)
