"""How a group is judged, by plain calls."""

from __future__ import annotations

import math
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.lag_monitor.judge import About, Pace, Sighting, judge
from services.lag_monitor.lag import Verdict
from tests.lag_monitor.seen import AT, DAY, Part, judged, sighting


def steps(seconds: int, every: int = 2) -> range:
    return range(0, seconds + 1, every)


def test_a_group_that_read_everything_is_ok_however_idle() -> None:
    """A topic with one event a day alarms nobody: not while nothing comes, not when the one event comes."""
    idle = [sighting(t, [Part(7, 7)]) for t in steps(58)]
    assert judged(*idle).verdict is Verdict.ok
    came = judged(*idle, sighting(60, [Part(7, 8, waits=0.4)]))
    assert (came.verdict, came.passed_by_at) == (Verdict.ok, None)
    assert judged(*idle[1:], sighting(60, [Part(7, 8, 0.4)]), sighting(62, [Part(8, 8)])).why == "everything is read"


def test_without_members_a_service_has_stopped_whether_there_is_work_or_not() -> None:
    """Two sightings in a row: one may fall between a worker that leaves and the next that comes."""
    there, gone = sighting(0, [Part(7, 7)]), sighting(2, [Part(7, 7)], members=0, state="empty")
    assert judged(there, gone).verdict is Verdict.ok
    assert judged(there, gone, sighting(4, [Part(7, 7)], members=0)).verdict is Verdict.stopped
    assert judged(gone).verdict is Verdict.stopped, "whoever is seen first without members was not just there"
    assert judged(gone, sighting(4, [Part(7, 7)])).verdict is Verdict.ok, "it came back"


def test_somebody_elses_group_has_stopped_only_with_work() -> None:
    """A reader that comes once an hour is nobody's trouble while nothing waits for it."""
    assert judged(sighting(0, [Part(7, 7)], members=0), expected=False).verdict is Verdict.ok
    assert judged(sighting(0, [Part(7, 8, 60)], members=0), expected=False).verdict is Verdict.stopped


def test_who_has_work_and_commits_nothing_is_stalled() -> None:
    """After twenty seconds, longer than it takes to share partitions out anew; and says for how long."""
    stuck = [sighting(t, [Part(7, 9, waits=t), Part(3, 3, number=1)]) for t in steps(40)]
    assert judged(*stuck[:9]).verdict is Verdict.ok
    found = judged(*stuck)
    assert found.verdict is Verdict.stalled
    assert "committed nothing for 40 s" in found.why
    assert found.passed_by_at == AT + timedelta(days=365), "the broker keeps it from when it came"


def test_a_gap_in_what_was_seen_proves_no_stall() -> None:
    """Behind at both ends of a pause of the monitor, but by another event: it read meanwhile."""
    assert judged(sighting(0, [Part(7, 8, 0.1)]), sighting(50, [Part(8, 9, 0.1)])).verdict is Verdict.ok


def test_one_partition_that_never_has_its_turn_is_a_stall() -> None:
    """Others move, so the group is not at a standstill, but it does not get on with this one."""
    seen = [sighting(t, [Part(7, 9, waits=t), Part(t, t + 1, 0.2, number=1)]) for t in steps(62)]
    assert judged(*seen[:20]).verdict is Verdict.slow
    assert judged(*seen).verdict is Verdict.stalled
    assert "a.b.v1[0]" in judged(*seen).why


def test_who_reads_but_does_not_keep_up_is_slow() -> None:
    """What waits grows over the window, and grows older."""
    grows = [sighting(t, [Part(10 * t, 1000 + 20 * t, waits=20 + t / 2)]) for t in steps(40)]
    found = judged(*grows)
    assert found.verdict is Verdict.slow
    assert "10.0 more a second" in found.why


def test_a_backlog_that_shrinks_is_well() -> None:
    """However large and old it is, and though it came within the window; it says how much time is left."""
    drains = [sighting(t, [Part(100 * t, 20_000, waits=5000)]) for t in steps(40)]
    assert judged(*drains).verdict is Verdict.ok
    assert judged(*drains).why == "catching up, 2 min left"
    quiet = [sighting(t, [Part(0, 0)]) for t in steps(20)]
    burst = [sighting(22 + t, [Part(10 * t, 5000, waits=t)]) for t in steps(20)]
    assert judged(*quiet, *burst).verdict is Verdict.ok


def test_a_backlog_that_would_take_hours_is_slow() -> None:
    """It shrinks, but nobody would wait for that."""
    found = judged(*(sighting(t, [Part(t, 20_000, waits=5000)]) for t in steps(40)))
    assert found.verdict is Verdict.slow
    assert "5 h" in found.why


def test_a_position_that_went_back_is_rewound_until_it_is_there_again() -> None:
    """What is read again is counted; a first sight of a group proves nothing."""
    marks = {("a.b.v1", 0): 50}
    found = judged(sighting(0, [Part(10, 60, 100)]), marks=marks)
    assert found.verdict is Verdict.rewound
    assert found.why == "a.b.v1[0] stands at 10, and had been read to 50; 40 events are read again"
    assert judged(sighting(0, [Part(50, 60, 1)]), marks=marks).verdict is Verdict.ok
    assert judged(sighting(0, [Part(10, 60, 1)])).verdict is Verdict.ok
    assert judged(sighting(0, [Part(None, 60, 1)]), marks=marks).verdict is Verdict.rewound, "its offsets are gone"


def test_a_position_beyond_the_log_is_rewound() -> None:
    """The log was cut off or made anew: nothing is unread, and all that comes until there would be skipped."""
    found = judged(sighting(0, [Part(20, 10)]))
    assert found.verdict is Verdict.rewound
    assert found.why == "a.b.v1[0] ends at 10, yet it has read to 20: the log was cut off"


def test_what_retention_removed_unread_is_said_to_be_lost() -> None:
    """The worst of all, whatever else is true."""
    found = judged(sighting(0, [Part(10, 60, 100, begin=15)], members=0))
    assert found.verdict is Verdict.at_risk
    assert found.why == "the broker removed 5 events of a.b.v1[0] before they were read: they are lost"


def test_what_retention_will_remove_soon_is_at_risk_with_the_moment() -> None:
    """Of a reader that stands still, three days before; a year ahead it is stopped, and says until when."""
    gone = [sighting(t, [Part(10, 60, 28 * DAY + t)], members=0) for t in steps(4)]
    found = judged(*gone, keeps=30 * DAY)
    assert found.verdict is Verdict.at_risk
    assert found.passed_by_at == AT + timedelta(days=2)
    later = judged(*gone, keeps=365 * DAY)
    assert (later.verdict, later.passed_by_at) == (Verdict.stopped, AT + timedelta(days=337))
    assert judged(*gone, keeps=None).passed_by_at is None, "compaction removes nothing by its age"


def test_who_falls_back_slowly_is_passed_by_later() -> None:
    """The first unread event grows older by half a second a second: twice as much time is left."""
    grows = [sighting(t, [Part(10 * t, 9000 + 20 * t, waits=1000 + t / 2)]) for t in steps(40)]
    found = judged(*grows, keeps=1 * DAY)
    assert found.verdict is Verdict.slow
    assert found.passed_by_at == AT + timedelta(seconds=40 + 2 * (DAY - 1020))


def test_what_could_not_be_measured_is_left_out() -> None:
    """A partition without a leader makes nobody slow, stalled or lost."""
    dark = Part(5, -1, begin=-1, fault="no broker leads this partition")
    assert judged(*(sighting(t, [dark, Part(7, 7, number=1)]) for t in steps(40))).verdict is Verdict.ok


parts = st.builds(
    Part,
    read_to=st.none() | st.integers(0, 50),
    end=st.integers(0, 60),
    waits=st.floats(0, 10**8),
    begin=st.just(0),
    number=st.integers(0, 2),
)
sightings = st.lists(
    st.tuples(st.lists(parts, max_size=3, unique_by=lambda part: part.number), st.integers(0, 2)),
    min_size=1,
    max_size=12,
).map(lambda seen: [sighting(2 * n, found, members) for n, (found, members) in enumerate(seen)])


@settings(max_examples=60)
@given(sightings, st.booleans(), st.none() | st.floats(60, 10**8))
def test_whatever_was_seen_is_judged(seen: list[Sighting], expected: bool, keeps: float | None) -> None:
    """One verdict, a reason in words, no number that is none, and no moment of a loss that is over."""
    found = judge(seen, About(expected, {"a.b.v1": keeps}), Pace())
    assert found.why
    assert "nan" not in found.why
    assert "inf" not in found.why
    if found.passed_by_at is not None:
        assert math.isfinite(found.passed_by_at.timestamp())
        assert found.passed_by_at >= seen[-1].at
        assert found.verdict is not Verdict.ok
    unread = seen[-1].behind
    if found.verdict in (Verdict.stalled, Verdict.slow):
        assert unread, "who has nothing to read is neither"
        assert seen[-1].members, "who is not there is stopped"
    if found.verdict is Verdict.stopped:
        assert not seen[-1].members


@given(st.integers(0, 10**6), st.integers(1, 5), st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_who_reads_all_that_comes_is_ok_whatever_comes(start: int, members: int, comes: list[int]) -> None:
    """Any traffic, as long as what is seen unread is seconds old and gone at the next look."""
    seen, end = [], start
    for n, many in enumerate(comes):
        read_to, end = end, end + many
        seen.append(sighting(2 * n, [Part(read_to, end, waits=1.9)], members))
    assert judge(seen, About(True, {"a.b.v1": 365 * DAY}), Pace()).verdict is Verdict.ok
