"""What leaves the partnership holds no number under 5, and none can be worked out from what it does hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from services.performance_data.counting import count
from services.performance_data.counting.tables import Span, Thing, table
from services.performance_data.facts import micros
from services.performance_data.measures import SUPPRESSED, Figures, Grain, Measure, Suppressed, Unit
from services.performance_data.solving import determined
from services.performance_data.suppression import for_outside
from tests.performance_data.test_counting import MONTHS, NOW, heard, in_a_log
from tests.performance_data.year import year

MONTH = date(2026, 6, 1)
IN_IT = micros(datetime(2026, 6, 10, 12, tzinfo=UTC))
MANY = 10**6
FEW = MONTHS[3:6]
LEFT_OUT = (
    ("notification_to_outcome", "notifications_by_day"),
    ("notification_to_gp", "notifications_by_day"),
    ("notification_to_gp", "notification_to_outcome"),
    ("night_waited", "night_taken"),
)
SHARES = ("on_time", "late", "incomplete", "not_returned")


def figures(*measures: Measure) -> Figures:
    return Figures((MONTH,), NOW, outside=False, measures=measures, behind=0, not_counted=())


def counted(name: str, numbers: dict[str, int]) -> Measure:
    things = [Thing(IN_IT, values=(value,)) for value, number in numbers.items() for _ in range(number)]
    return table(name, group="g", title="t", unit=Unit.COUNT, meaning="m", source="s", things=things,
                 span=Span((MONTH,), NOW), by="kind")  # fmt: skip


def shared(name: str, numbers: dict[str, tuple[int, int]]) -> Measure:
    """Each value with how many are counted in it, and how many are not."""
    things = [
        Thing(IN_IT, sample, (value,))
        for value, (of_it, rest) in numbers.items()
        for sample in [1] * of_it + [0] * rest
    ]
    return table(name, group="g", title="t", unit=Unit.SHARE, meaning="m", source="s", things=things,
                 span=Span((MONTH,), NOW), by="agency")  # fmt: skip


class Attacker:
    """Knows every sum, that what is hidden is no zero but for single days, and nothing else; narrows every number."""

    def __init__(self, true: Figures, told: Figures) -> None:
        self.low: dict[object, int] = {}
        self.high: dict[object, int] = {}
        self.true: dict[object, int] = {}
        self.same: dict[object, object] = {}
        sums = list(self._sums(true, told))
        changed = True
        while changed:
            changed = sum(self._narrowed(whole, parts) for whole, parts in sums) > 0
        unknown = {cell for cell in self.true if self.low[cell] != self.high[cell]}
        self.solved = determined(
            {cell: -1 if cell == whole else 1 for cell in (whole, *parts) if cell in unknown} for whole, parts in sums
        )

    def _see(self, cell: object, true: int | Suppressed | None, told: object, least: int) -> object:
        assert isinstance(true, int)
        self.true[cell] = true
        bounds = (least, MANY) if isinstance(told, Suppressed) else (true, true)
        self.low[cell] = max(bounds[0], self.low.get(cell, 0))
        self.high[cell] = min(bounds[1], self.high.get(cell, MANY))
        return cell

    def _sums(self, true: Figures, told: Figures) -> Iterator[tuple[object, list[object]]]:
        """By what the reader is told that the tables are: the totals' parts, and shares' two sides."""
        for one, other in zip(true.measures, told.measures, strict=True):
            day = one.id.endswith("_by_day")
            parts: dict[tuple[date, str], list[object]] = defaultdict(list)
            for which, rows, seen in (("row", one.rows, other.rows), ("total", one.totals, other.totals)):
                for row, shown in zip(rows, seen, strict=True):
                    place = (one.id, which, row.period, row.values)
                    least = 0 if day and which == "row" else 1
                    if one.unit is Unit.SHARE:
                        of_it = self._see((*place, "of it"), row.numerator, shown.numerator, 0)
                        whole = self._see((*place, "whole"), row.denominator, shown.denominator, 1)
                        assert isinstance(row.denominator, int)
                        assert isinstance(row.numerator, int)
                        both_shown = not shown.is_suppressed
                        rest = self._see(
                            (*place, "rest"), row.denominator - row.numerator, 0 if both_shown else SUPPRESSED, 0
                        )
                        yield whole, [of_it, rest]
                        cells = {"of it": of_it, "whole": whole, "rest": rest}
                    else:
                        cells = {"count": self._see((*place, "count"), row.count, shown.count, least)}
                    for part, cell in cells.items():
                        if which == "row":
                            parts[row.period.replace(day=1), part].append(cell)
                        elif one.adds_up and (day or one.dimensions):
                            yield cell, parts[row.period, part]
        yield from self._linked(true)

    def _linked(self, true: Figures) -> Iterator[tuple[object, list[object]]]:
        ids = {measure.id for measure in true.measures}
        names = [f"information_{name}_by_agency" for name in SHARES]
        if ids >= set(names):
            for measure in true.measures:
                if measure.id == names[0]:
                    for which, rows in (("row", measure.rows), ("total", measure.totals)):
                        for row in rows:
                            at = (which, row.period, row.values)
                            yield (names[0], *at, "whole"), [(name, *at, "of it") for name in names]
        totals = ["notifications_by_day", "notifications_by_source", "notifications_by_area", "strategy_asked"]
        for month in true.months:
            for name in totals[1:]:
                if {totals[0], name} <= ids:
                    first, other = ((one, "total", month, (), "count") for one in (totals[0], name))
                    yield first, [other]
                    yield other, [first]

        for part, base in LEFT_OUT:
            for month in true.months if {part, base} <= ids else ():
                every, some_of_it = true[base].total(month).count, true[part].total(month).count
                assert isinstance(every, int)
                assert isinstance(some_of_it, int)
                if every >= some_of_it:
                    rest = self._see((part, base, "left out", month), every - some_of_it, SUPPRESSED, 0)
                    yield (base, "total", month, (), "count"), [(part, "total", month, (), "count"), rest]
        for measure in (one for one in true.measures if not one.adds_up):
            for row in measure.rows:
                whole = measure.total(row.period).count
                assert isinstance(whole, int)
                assert isinstance(row.count, int)
                others = self._see((measure.id, "others", row.period, row.values), whole - row.count, SUPPRESSED, 0)
                of_it = (measure.id, "row", row.period, row.values, "count")
                yield (measure.id, "total", row.period, (), "count"), [of_it, others]
        if {"information_requests", "information_time_by_agency"} <= ids:
            yield from self._of_requests(true)

    def _of_requests(self, true: Figures) -> Iterator[tuple[object, list[object]]]:
        """Those answered in full, by agency and of all, are those on time and late; and all of one state are a row."""
        timed = true["information_time_by_agency"]
        for which, rows in (("row", timed.rows), ("total", timed.totals)):
            for row in rows:
                parts = [(f"information_{name}_by_agency", which, row.period, row.values, "of it") for name in SHARES]
                if parts[0] in self.true:
                    yield (timed.id, which, row.period, row.values, "count"), list(parts[:2])
        for row in true["information_requests"].rows:
            same = (f"information_{row.values[0].replace(' ', '_')}_by_agency", "total", row.period, (), "of it")
            if same in self.true:
                yield same, [("information_requests", "row", row.period, row.values, "count")]
                yield ("information_requests", "row", row.period, row.values, "count"), [same]

    def _narrowed(self, whole: object, parts: list[object]) -> bool:
        before = [(self.low[cell], self.high[cell]) for cell in (whole, *parts)]
        self.low[whole] = max(self.low[whole], sum(self.low[part] for part in parts))
        self.high[whole] = min(self.high[whole], sum(self.high[part] for part in parts))
        for part in parts:
            others = [other for other in parts if other != part]
            self.high[part] = min(self.high[part], self.high[whole] - sum(self.low[other] for other in others))
            self.low[part] = max(self.low[part], self.low[whole] - sum(self.high[other] for other in others))
        return before != [(self.low[cell], self.high[cell]) for cell in (whole, *parts)]

    @property
    def found_out(self) -> dict[object, int]:
        """Small numbers that can only be one."""
        one_value = {cell for cell in self.true if self.low[cell] == self.high[cell]} | self.solved
        return {cell: self.true[cell] for cell in one_value if 0 < self.true[cell] < 5}


def small_ones(told: Figures) -> list[tuple[str, object]]:
    """Every number of 1 to 4 that stands in them."""
    found: list[tuple[str, object]] = []
    for measure in told.measures:
        for row in (*measure.rows, *measure.totals):
            rest = None if row.is_suppressed or row.denominator is None else row.denominator - row.numerator  # type: ignore[operator]
            found += [
                (measure.id, number)
                for number in (row.count, row.numerator, row.denominator, rest)
                if isinstance(number, int) and 0 < number < 5
            ]
            if isinstance(row.count, Suppressed) and measure.id not in {part for part, _ in LEFT_OUT} | {
                "notification_to_alert"
            }:
                assert not isinstance(row.median, int | float)
    return found


numbers = some.dictionaries(some.sampled_from("abcdefg"), some.integers(0, 12), max_size=7)


@settings(max_examples=40)
@given(numbers)
def test_no_small_count_stands_or_follows(told: dict[str, int]) -> None:
    """Whatever a table holds: no 1 to 4, and none that its sum gives back."""
    true = figures(counted("contacts_by_grading", told))
    shown = for_outside(true)
    assert not small_ones(shown)
    assert not Attacker(true, shown).found_out


@settings(max_examples=40)
@given(some.dictionaries(some.sampled_from("abcde"), some.tuples(some.integers(0, 9), some.integers(0, 9))))
def test_no_small_share_stands_or_follows(told: dict[str, tuple[int, int]]) -> None:
    """Neither those counted, nor those that are not, nor by the other rows."""
    true = figures(shared("closures_with_rationale", told))
    shown = for_outside(true)
    assert not small_ones(shown)
    assert not Attacker(true, shown).found_out


@settings(max_examples=40)
@given(
    some.dictionaries(
        some.sampled_from("abcd"), some.tuples(*[some.integers(0, 8)] * 4).filter(any), min_size=1, max_size=4
    )
)
def test_four_shares_of_the_same_requests_give_nothing_away_together(told: dict[str, tuple[int, ...]]) -> None:
    """On time, late, incomplete and not returned add up to an agency's requests: three of them are the fourth."""
    true = figures(
        *(
            shared(
                f"information_{name}_by_agency",
                {agency: (states[place], sum(states) - states[place]) for agency, states in told.items()},
            )
            for place, name in enumerate(SHARES)
        )
    )
    shown = for_outside(true)
    assert not small_ones(shown)
    assert not Attacker(true, shown).found_out


@pytest.mark.parametrize("seed", range(2))
def test_a_whole_year_gives_nothing_away(seed: int) -> None:
    """Of all measures together, over a made-up year, small and less small: whatever is under 5 stays unknown."""
    true = count(heard(in_a_log(year(seed, children=150, incidents=(40, 250)[seed]))).items(), FEW, NOW)
    shown = for_outside(true)
    assert not small_ones(shown)
    assert not Attacker(true, shown).found_out
    assert any(not row.is_suppressed and row.count for measure in shown.measures for row in measure.totals)


def test_single_days_with_one_child_each_cannot_be_counted_off() -> None:
    """Six notifications on six days: nobody can tell which days, though the month says six."""
    things = [Thing(micros(datetime(2026, 6, day, 12, tzinfo=UTC))) for day in (1, 4, 9, 16, 25, 30)]
    by_day = count([], [MONTH], NOW)["notifications_by_day"]
    days = table("notifications_by_day", group="g", title="t", unit=Unit.COUNT, meaning="m", source="s", things=things,
                 span=Span((MONTH,), NOW), grain=by_day.grain)  # fmt: skip
    [shown] = for_outside(figures(days)).measures
    assert all(row.count is SUPPRESSED for row in shown.rows)
    assert shown.total(MONTH).count == 6


def test_what_is_large_enough_is_told() -> None:
    """Nothing is hidden that need not be, and a zero is told."""
    true = figures(counted("contacts_by_grading", {"red": 7, "amber": 20}), shared("night", {"a": (6, 0), "b": (9, 9)}))
    shown = for_outside(true)
    assert shown.measures == true.measures
    assert shown.outside


def test_how_many_are_left_out_cannot_be_worked_out() -> None:
    """Of 20 notifications 18 have an outcome: 2 have none, so the 18 are not told; how long they took is."""
    days = [Thing(IN_IT) for _ in range(20)]
    all_of_them = table("notifications_by_day", group="g", title="t", unit=Unit.COUNT, meaning="m", source="s",
                        things=days, span=Span((MONTH,), NOW), grain=Grain.DAY)  # fmt: skip

    def took(seconds: float, number: int) -> Measure:
        return table("notification_to_outcome", group="g", title="t", unit=Unit.SECONDS, meaning="m", source="s",
                     things=[Thing(IN_IT, seconds)] * number, span=Span((MONTH,), NOW))  # fmt: skip

    [_, shown] = for_outside(figures(all_of_them, took(60, 18))).measures
    assert (shown.total(MONTH).count, shown.total(MONTH).median) == (SUPPRESSED, 60)
    [_, shown] = for_outside(figures(all_of_them, took(60, 12))).measures
    assert shown.total(MONTH).count == 12
    [_, shown] = for_outside(figures(all_of_them, took(60, 3))).measures
    assert shown.total(MONTH).median is SUPPRESSED


def test_what_no_single_line_gives_away_the_lines_together_do_not() -> None:
    """Of these agencies' requests each line hides two numbers or more, and one followed from several lines together."""
    told = {"a": (1, 0, 5, 5), "b": (0, 0, 9, 2), "c": (2, 5, 9, 9)}
    true = figures(
        *(
            shared(f"information_{name}_by_agency", {one: (of[at], sum(of) - of[at]) for one, of in told.items()})
            for at, name in enumerate(SHARES)
        )
    )
    shown = for_outside(true)
    assert not Attacker(true, shown).found_out


@settings(max_examples=60)
@given(some.lists(some.lists(some.integers(-1, 1), min_size=4, max_size=4), max_size=4))
def test_what_follows_from_equations_is_what_every_solution_has(lines: list[list[int]]) -> None:
    """An unknown follows unless some way of changing the unknowns, which no equation notices, changes it."""
    follows = determined([dict(enumerate(line)) for line in lines])
    free = [
        change
        for change in product(range(-4, 5), repeat=4)
        if not any(sum(a * b for a, b in zip(line, change, strict=True)) for line in lines)
    ]
    assert follows == {place for place in range(4) if not any(change[place] for change in free)}


def test_those_of_every_other_kind_cannot_be_worked_out() -> None:
    """Of 20 notifications 18 are of domestic abuse, and 9 of neglect: that 2 are of no domestic abuse is not told."""
    kinds = [("domestic abuse",)] * 11 + [("domestic abuse", "neglect")] * 7 + [("neglect",)] * 2
    things = [Thing(IN_IT, values=of) for of in kinds]
    by_kind = table("notifications_by_kind", group="g", title="t", unit=Unit.COUNT, meaning="m", source="s", by="kind",
                    things=things, span=Span((MONTH,), NOW), adds_up=False)  # fmt: skip
    [shown] = for_outside(figures(by_kind)).measures
    assert shown.total(MONTH).count == 20
    assert shown.rows[0].values == ("domestic abuse",)
    assert shown.rows[0].count is SUPPRESSED


def test_a_few_that_joined_an_enquiry_cannot_be_worked_out() -> None:
    """12 notifications and 10 contacts that began 19 enquiries: 3 joined one. Of 16 it is told."""

    def of(name: str, number: int, unit: Unit = Unit.COUNT) -> Measure:
        samples = [1] * 6 + [0] * (number - 6)
        return table(name, group="g", title="t", unit=unit, meaning="m", source="s", span=Span((MONTH,), NOW),
                     things=[Thing(IN_IT, one) for one in samples],
                     grain=Grain.DAY if unit is Unit.COUNT else Grain.MONTH)  # fmt: skip

    for enquiries, told in ((19, SUPPRESSED), (16, 16)):
        true = figures(
            of("notifications_by_day", 12), of("contacts_by_day", 10), of("re_referrals", enquiries, Unit.SHARE)
        )
        assert for_outside(true)["re_referrals"].total(MONTH).denominator == told


def test_that_times_are_told_does_not_give_those_left_out_away() -> None:
    """Of 6 notifications 5 have an outcome. Were their median told, they would be 5 or more, and so 1 be left out."""
    every = table("notifications_by_day", group="g", title="t", unit=Unit.COUNT, meaning="m", source="s",
                  things=[Thing(IN_IT)] * 6, span=Span((MONTH,), NOW), grain=Grain.DAY)  # fmt: skip
    took = table("notification_to_outcome", group="g", title="t", unit=Unit.SECONDS, meaning="m", source="s",
                 things=[Thing(IN_IT, 60)] * 5, span=Span((MONTH,), NOW))  # fmt: skip
    [_, shown] = for_outside(figures(every, took)).measures
    assert shown.total(MONTH).median is SUPPRESSED


def test_another_months_report_takes_nothing_away() -> None:
    """A month's numbers are hidden or told whichever other months were asked for: reports cannot be subtracted."""
    kept = heard(in_a_log(year(3, incidents=100)))
    alone = for_outside(count(kept.items(), [MONTHS[4]], NOW))
    among = for_outside(count(kept.items(), FEW, NOW))
    for measure in alone.measures:
        other = among[measure.id]
        assert measure.of(MONTHS[4]) == other.of(MONTHS[4])
        assert measure.total(MONTHS[4]) == other.total(MONTHS[4])
