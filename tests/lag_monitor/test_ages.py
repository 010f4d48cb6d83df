"""How the time of the first unread record is found, on made-up logs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from services.bus.broker import Partition
from services.lag_monitor.ages import Age, Ages, Wanted
from services.lag_monitor.asking import Found

HERE: Partition = ("a.b.v1", 0)
Records = list[tuple[int, int]]


class Log:
    """Records as (offset, time), and how often it was asked."""

    def __init__(self, records: Records) -> None:
        self.records, self.asked = records, 0

    async def first_since(self, asked: Mapping[Partition, int]) -> Mapping[Partition, Found | None]:
        self.asked += 1
        return {place: next((Found(*one) for one in self.records if one[1] >= ms), None) for place, ms in asked.items()}


def ages(log: Log, *offsets: int, now: int, compacted: bool = False) -> dict[int, Age | None]:
    wanted = {Wanted(HERE, "id", offset, compacted) for offset in offsets}
    found = asyncio.run(Ages().of(wanted, log.first_since, now))
    return {one.offset: age for one, age in found.items()}


steps = st.lists(st.sampled_from([0, 0, 1, 7, 1_000, 10**6, 10**9]), min_size=1, max_size=30)


def logs(gaps: list[int]) -> Records:
    time, records = 1_700_000_000_000, []
    for offset, gap in enumerate(gaps):
        time += gap
        records.append((offset, time))
    return records


@given(steps, st.data())
def test_of_a_log_without_gaps_every_records_own_time_is_found(gaps: list[int], data: st.DataObject) -> None:
    """For several groups at once, wherever they stand, also where many records have one time, as of one batch."""
    records = logs(gaps)
    now = records[-1][1] + data.draw(st.sampled_from([0, 5, 10**6]))
    offsets = data.draw(st.sets(st.integers(0, len(records) - 1), min_size=1, max_size=4))
    log = Log(records)
    assert ages(log, *offsets, now=now) == {offset: Age(records[offset][1], "record") for offset in offsets}
    assert log.asked < 200


@given(steps, st.data())
def test_of_a_compacted_log_it_is_never_older_than_it_says(gaps: list[int], data: st.DataObject) -> None:
    """The first record that is left may stand after a gap. What is said to be its own time is, and an estimate is no
    more than what certainly waits: a year-old record before the gap is not mistaken for it."""
    records = data.draw(st.lists(st.sampled_from(logs(gaps)), min_size=1, unique=True).map(sorted))
    offset = data.draw(st.integers(0, records[-1][0]))
    first = next(time for at, time in records if at >= offset)
    found = ages(Log(records), offset, now=records[-1][1] + 3, compacted=True)[offset]
    assert found is not None
    assert found.time_ms == first if found.how == "record" else found.time_ms >= first


def test_a_broker_whose_clock_is_ahead_is_no_trouble() -> None:
    """Its records are from the future; the one that waits is found all the same."""
    assert ages(Log([(0, 1_000), (1, 9_000)]), 1, now=5_000)[1] == Age(9_000, "record")


def test_what_was_found_is_asked_once() -> None:
    """A record's time does not change, as long as the topic is the same."""

    async def twice() -> None:
        known, log = Ages(), Log([(0, 1_000), (1, 9_000)])
        one = Wanted(HERE, "id", 1, compacted=False)
        await known.of({one}, log.first_since, 10_000)
        asked = log.asked
        await known.of({one}, log.first_since, 20_000)
        assert log.asked == asked
        await known.of({one._replace(topic_id="another")}, log.first_since, 20_000)
        assert log.asked > asked

    asyncio.run(twice())


def test_a_log_without_a_record_has_nobody_waiting() -> None:
    """Such as one that holds ends of transactions alone."""
    assert ages(Log([]), 3, now=5_000) == {3: None}
