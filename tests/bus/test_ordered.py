"""What a recovery reads comes in the broker's order, and never against a partition's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.bus.memory import MemoryRecord
from services.bus.ordered import in_order

clocks = st.lists(st.lists(st.integers(0, 20), max_size=8), max_size=4)


def partition(number: int, clock: list[int]) -> list[MemoryRecord]:
    return [MemoryRecord("t", number, offset, b"k", b"", [], time) for offset, time in enumerate(clock)]


@given(clocks)
def test_a_partition_keeps_its_own_order_though_the_brokers_clock_was_set_back(times: list[list[int]]) -> None:
    """A child's events would be remembered in another order than the one in which they were decided (rule 6)."""
    found = in_order([partition(number, clock) for number, clock in enumerate(times)])
    for number, clock in enumerate(times):
        assert [record.offset for record in found if record.partition == number] == list(range(len(clock)))


@given(clocks)
def test_across_partitions_the_brokers_clock_decides(times: list[list[int]]) -> None:
    """As long as it goes forward, as it does but for an accident."""
    found = in_order([partition(number, sorted(clock)) for number, clock in enumerate(times)])
    assert [record.timestamp for record in found] == sorted(time for clock in times for time in clock)
