"""What one page, and one report, shows of some months' figures: the same on screen, on paper and in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from services.performance_data.measures import Figures, Measure
from services.performance_data.pages import cells, words
from services.performance_data.pages.cells import Table
from services.performance_data.pages.drawn import Drawn, drawn
from services.performance_data.suppression import SAME_TOTAL

OUTSIDE = (
    "Numbers under 5 are not shown, and neither is any by which one could be worked out: "
    f"both read “{words.SUPPRESSED}”."
)
RUNNING = "Pass on figures of whole months only: two copies of one that is not over tell what came between them."
INSIDE = (
    "Small numbers are not suppressed here: they can point to a child. This is for inside the partnership only, and "
    "may not be published or passed on."
)


@dataclass(frozen=True, slots=True)
class Block:
    """One measure."""

    id: str
    title: str
    meaning: str
    computed: str
    """How, if that is not plain."""
    answers: list[str]
    """The findings of inspections and the rules that it answers to."""
    month: str
    """The latest whole month, or the only one, and"""
    total: str
    """its number in short."""
    drawn: list[Drawn]
    note: str


@dataclass(frozen=True, slots=True)
class Group:
    """The measures under one heading, with an id for the address."""

    id: str
    heading: str
    blocks: list[Block]
    glance: Table
    """Each measure's total of the latest whole month and of the one before it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """All of it."""

    title: str
    period: str
    made: str
    outside: bool
    cautions: list[str]
    """What a reader has to know before they rely on it."""
    groups: list[Group]


def shown(figures: Figures) -> Shown:
    """Everything that a page and a report say of the figures."""
    latest = latest_month(figures)
    before = [month for month in figures.months if month < latest][-1:]
    by_heading: dict[str, list[Measure]] = {}
    for measure in figures.measures:
        by_heading.setdefault(measure.group, []).append(measure)
    groups = [
        Group(
            id=f"group-{place}",
            heading=heading,
            blocks=list(_blocks(measures, figures, latest)),
            glance=_glance(heading, measures, figures, [latest, *before]),
        )
        for place, (heading, measures) in enumerate(by_heading.items(), 1)
    ]
    return Shown(
        title="Performance of the safeguarding partnership",
        period=words.months(figures.months),
        made=words.made(figures.made_at),
        outside=figures.outside,
        cautions=[OUTSIDE if figures.outside else INSIDE, *_cautions(figures)],
        groups=groups,
    )


def latest_month(figures: Figures) -> date:
    """The last month that is over; the first of all if none is."""
    over = [month for month in figures.months if not words.unfinished(month, figures.made_at)]
    return over[-1] if over else figures.months[0]


def _cautions(figures: Figures) -> list[str]:
    said = [
        f"{words.month(month)} is not over: its figures are provisional."
        for month in figures.months
        if words.unfinished(month, figures.made_at)
    ]
    if figures.outside and said:
        said.append(RUNNING)
    if figures.began and figures.months[0] <= figures.began.replace(year=figures.began.year + 1):
        said.append(
            f"No incident before {words.month(figures.began)} is known here: until 12 months after it, re-referrals "
            "and repeat incidents may be more than these figures say."
        )
    if figures.behind:
        said.append(f"The figures are incomplete: {_events(figures.behind)} not been read yet.")
    said += [
        f"Of {topic}, {_events(number)} not been counted, being unreadable: some figure is incomplete."
        for topic, number in figures.not_counted
    ]
    return said


def _events(number: int) -> str:
    return "1 event has" if number == 1 else f"{words.number(number)} events have"


def _blocks(measures: Sequence[Measure], figures: Figures, latest: date) -> Iterator[Block]:
    """One for each; months that are another's as well, by what both count, are drawn there alone."""
    by_id = {measure.id: measure for measure in measures}
    for measure in measures:
        other = by_id.get(SAME_TOTAL.get(measure.id, ""))
        same = other is not None and (other.unit, other.totals) == (measure.unit, measure.totals)
        yield _block(measure, figures, latest, other.title if other and same else None)


def _block(measure: Measure, figures: Figures, latest: date, above: str | None) -> Block:
    several = len(figures.months) > 1
    return Block(
        id=measure.id,
        title=measure.title,
        meaning=measure.meaning,
        computed=cells.COMPUTED.get(measure.unit, ""),
        answers=words.answers(measure.source),
        month=_month(latest, figures),
        total=cells.in_short(measure.total(latest), measure.unit),
        drawn=drawn(measure, figures, latest, months=above is None),
        note=f"Each month’s total is as under “{above}”." if above and several else "",
    )


def _month(first: date, figures: Figures) -> str:
    return words.month(first) + (" (so far)" if words.unfinished(first, figures.made_at) else "")


def _glance(heading: str, measures: Sequence[Measure], figures: Figures, months: Sequence[date]) -> Table:
    heads = tuple(_month(month, figures) for month in months)
    rows = tuple(
        (measure.title, *(cells.in_short(measure.total(month), measure.unit) for month in months))
        for measure in measures
    )
    return Table(heading, ("Measure", *heads), 1, rows)
