"""Since when the first unread record waits, found without reading it: which record, asks it, is the first since then?

Brokers stamp records themselves (LogAppendTime, DESIGN.md §1.5), so within a partition times never go back, and the
moment at which an offset was taken can be searched for. Records of one millisecond, such as one batch, look alike.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from services.bus.broker import Partition
from services.lag_monitor.asking import Found

FirstSince = Callable[[Mapping[Partition, int]], Awaitable[Mapping[Partition, Found | None]]]

MOST_QUESTIONS = 400
"""A search over a year takes some 40, and several groups may have stopped at several places of one partition."""

KEPT = 5_000
"""Answers that are remembered; they never change while the topic is the same."""


class Age(NamedTuple):
    """When the broker took the first unread record in, ms since 1970."""

    time_ms: int
    how: Literal["record", "interpolated"]


class Wanted(NamedTuple):
    """One place in one log. `compacted`: some offsets may have no record any more."""

    partition: Partition
    topic_id: str
    offset: int
    compacted: bool


@dataclass(slots=True)
class Search:
    """For the time of the first record at or after `offset`: ask `question`, tell what was `answered`, until `age`."""

    offset: int
    compacted: bool
    now_ms: int
    age: Age | None = None
    empty: bool = False
    """There is no such record."""
    _low: int | None = None
    """A record before `offset` has this time."""
    _high: int = 0
    """Every record before or at `offset` is older than this."""
    _after: Found | None = None
    """The first record that is at least as new as `_high`."""
    _back_ms: int = 1_000

    def __post_init__(self) -> None:
        self._high = self.now_ms + 1

    @property
    def over(self) -> bool:
        return self.age is not None or self.empty

    @property
    def question(self) -> int:
        """A moment: which record is the first since then?"""
        if self._low is None:
            return max(0, self.now_ms - self._back_ms)
        return (self._low + 1 + self._high) // 2

    def answered(self, question: int, found: Found | None) -> None:
        """The broker's answer to `question`, whoever asked it."""
        if self.over:
            return
        if found is not None and found.offset == self.offset:
            self.age = Age(found.time_ms, "record")
            return
        if found is not None and found.offset < self.offset:
            self._low = max(found.time_ms, self._low or 0)
        elif question <= self._high:
            self._high, self._after = question, found
        if self._low is None and question <= self.now_ms - self._back_ms:
            self._back_ms *= 4
        self._conclude(question)

    def _conclude(self, question: int) -> None:
        if self._low is None and question == 0:
            if self._after is None:
                self.empty = True  # nothing with a time is there
            else:
                self.age = Age(self._after.time_ms, "record")  # the first record of all is the first unread
        elif self._low is not None and self._high <= self._low + 1:
            self.age = self._of_one_moment(self._low)

    def _of_one_moment(self, low: int) -> Age:
        """Records before `offset` and perhaps after it are of the moment `low`; what comes later is `_after`.

        Where offsets have no gaps, the one asked for is among them. On a compacted topic it may be gone, and the first
        unread be `_after`: certain is only that this one is unread, so its time is given, as an estimate.
        """
        if self.compacted and self._after is not None:
            return Age(self._after.time_ms, "interpolated")
        return Age(low, "record")


class Ages:
    """Remembers what was found."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], Age | None] = {}

    async def of(self, wanted: set[Wanted], ask: FirstSince, now_ms: int) -> dict[Wanted, Age | None]:
        """The age of each place; None if no record is there. All are searched for together, a round a question."""
        found = {one: self._known[_key(one)] for one in wanted if _key(one) in self._known}
        open_ = {one: Search(one.offset, one.compacted, now_ms) for one in wanted if one not in found}
        for _ in range(MOST_QUESTIONS):
            running = {one: search for one, search in open_.items() if not search.over}
            if not running:
                break
            # One question a partition and round; its answer helps every group that waits in that partition.
            questions = {one.partition: search.question for one, search in running.items()}
            answers = await ask(questions)
            for one, search in running.items():
                search.answered(questions[one.partition], answers[one.partition])
        for one, search in open_.items():
            if search.over:
                found[one] = search.age
                self._remember(one, search)
        return found

    def _remember(self, one: Wanted, search: Search) -> None:
        # What is estimated, or not there, may be known better later.
        if search.age is not None and search.age.how == "record":
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[_key(one)] = search.age


def _key(one: Wanted) -> tuple[str, int, int]:
    return one.topic_id, one.partition[1], one.offset
