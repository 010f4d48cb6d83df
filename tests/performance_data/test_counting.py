"""The figures are those of a plain count over the whole log, in whatever order it was heard and however often."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import pytest

from services.bus.kafka import hashed
from services.performance_data.counting import count
from services.performance_data.facts import Kept, Unreadable, micros, pack, unpack
from services.performance_data.hearing import identify
from services.performance_data.keeping import fact_of
from services.performance_data.measures import Figures
from tests.performance_data.slow import Line, Slow, slowly, unreadable
from tests.performance_data.year import NAME, NHS_NUMBER, Said, year

MONTHS = [date(2025 + month // 12, month % 12 + 1, 1) for month in range(7, 21)]
NOW = datetime(2026, 9, 14, 22, 30, tzinfo=UTC)


def in_a_log(said: Iterable[Said]) -> list[Line]:
    """The lines of a log of six partitions a topic, by murmur2 of the key."""
    ends: dict[tuple[str, int], int] = defaultdict(int)
    lines = []
    for one in said:
        place = (one.event.topic, hashed(one.key.encode()) % 6)
        lines.append(Line(*place, ends[place], one.told, None if one.spoilt else one.event))
        ends[place] += 1
    return lines


def heard(lines: Iterable[Line]) -> dict[str, Kept]:
    """The table after these lines: the first of each event, and what could not be read."""
    table: dict[tuple[int, str], Kept] = {}
    for line in lines:
        at = line.topic, line.partition, line.offset
        if line.event is None:
            table[line.partition, str(at)] = Kept(Unreadable(line.topic), *at)
            continue
        said = line.event.envelope
        fact = fact_of(line.event, micros(line.told), identify)
        if fact is not None:
            table.setdefault((line.partition, identify(said.source, said.id)), Kept(fact, *at))
    return {key: unpack(pack(kept)) for (_, key), kept in table.items()}


def as_numbers(figures: Figures) -> Slow:
    """As the slow way has them."""
    found: dict[Any, Any] = {}
    for measure in figures.measures:
        for which, rows in (("row", measure.rows), ("total", measure.totals)):
            for row in rows:
                numbers = (row.count, row.numerator, row.denominator, row.median, row.p90)
                assert (measure.id, which, row.period, row.values) not in found
                found[measure.id, which, row.period, row.values] = numbers
    return found


def assert_same(figures: Figures, slow: Slow) -> None:
    """Each figure of the one is in the other, and the same."""
    fast = as_numbers(figures)
    assert fast.keys() == slow.keys()
    differ = {name: (fast[name], slow[name]) for name in slow if fast[name] != pytest.approx(slow[name], nan_ok=False)}
    assert not differ, differ


@pytest.mark.parametrize("seed", range(4))
def test_the_figures_are_those_of_a_plain_count(seed: int) -> None:
    """Over a made-up year with repeats, late and out-of-order events and bytes that are none: every figure is equal."""
    lines = in_a_log(year(seed, children=25 if seed % 2 else 60, incidents=45))
    figures = count(heard(lines).items(), MONTHS, NOW)
    assert_same(figures, slowly(lines, MONTHS, NOW))
    assert dict(figures.not_counted) == unreadable(lines)


def test_the_order_in_which_partitions_are_heard_changes_nothing() -> None:
    """Faust hears partitions as they come; and an event that is heard again leaves the first one standing."""
    lines = in_a_log(year(7, incidents=60))
    shuffled = list(lines)
    Random(7).shuffle(shuffled)
    shuffled.sort(key=lambda line: line.offset // 5)  # about in order, and none before another of its partition
    shuffled.sort(key=lambda line: (line.topic, line.partition, line.offset) if line.partition % 2 else ("", 0, 0))
    again = [*shuffled[: len(shuffled) // 2], *shuffled]
    once, twice = count(heard(lines).items(), MONTHS, NOW), count(heard(again).items(), MONTHS, NOW)
    assert once == twice


def test_no_name_and_no_nhs_number_is_kept() -> None:
    """What a fact holds are ids, codes and times; of an organisation, which is no person, also what it is called."""
    table = b"".join(pack(kept) for kept in heard(in_a_log(year(1, incidents=40))).values()).decode()
    assert "child-" in table
    for personal in (NAME, *NAME.split(), NHS_NUMBER):
        assert personal not in table


def test_no_child_is_in_the_figures() -> None:
    """A child's id joins its facts, and never leaves; nor does an incident's, a meeting's or a matter's."""
    shown = str(count(heard(in_a_log(year(2, incidents=40))).items(), MONTHS, NOW))
    for opaque in ("child-", "incident-", "enquiry-", "matter-", NAME):
        assert opaque not in shown
