"""Who is told of what, and how often, by plain calls."""

from __future__ import annotations

from datetime import timedelta

from services.lag_monitor.lag import GroupLag, Snapshot, Verdict
from services.lag_monitor.troubles import BROKER, Change, State, Troubles
from tests.lag_monitor.seen import AT


def group(verdict: Verdict, since: float, *, members: int = 1, behind: int = 0) -> GroupLag:
    at = AT + timedelta(seconds=since)
    return GroupLag("teller", "stable", members, (), behind, 1.5 * behind, verdict, "as it is", at, None)


def snapshot(second: float, *groups: GroupLag, fault: str | None = None) -> Snapshot:
    return Snapshot(AT + timedelta(seconds=second), groups, (), fault)


def told(troubles: Troubles, *snapshots: Snapshot) -> list[Change]:
    """What is told as these go by, each kept at once."""
    found = []
    for one in snapshots:
        for change in troubles.changes(one):
            troubles.told(change)
            found.append(change)
    return found


def well(second: float, since: float = 0) -> Snapshot:
    return snapshot(second, group(Verdict.ok, since))


def bad(second: float, since: float, verdict: Verdict = Verdict.stopped) -> Snapshot:
    return snapshot(second, group(verdict, since, members=0, behind=2))


def test_a_trouble_is_told_once_and_its_end_once() -> None:
    """However many looks see it; with since when, and what waits."""
    troubles = Troubles(5)
    seen = [well(0), *(bad(t, since=2) for t in range(2, 60, 2)), *(well(t, since=60) for t in range(60, 140, 2))]
    began, ended = told(troubles, *seen)
    assert (began.state, began.subject, began.verdict, began.began) == (
        State.began, "teller", "stopped", AT + timedelta(seconds=2),
    )  # fmt: skip
    assert began.text.endswith("as it is; 2 events wait, the first for 3 s. `safebus lag` shows more.")
    assert (ended.state, ended.began) == (State.ended, began.began)
    assert ended.headline == "safebus: teller is well again"
    assert not troubles.open


def test_what_is_over_at_once_is_told_to_nobody() -> None:
    """A service that is started again in good order leaves its group for a moment."""
    assert told(Troubles(5), well(0), bad(2, 2), bad(4, 2), well(6, 6), well(100, 6)) == []


def test_a_service_that_keeps_ending_is_one_trouble() -> None:
    """Between two ends it is not well for long enough."""
    troubles = Troubles(5)
    seen = [well(0)]
    for start in range(2, 200, 40):
        seen += [bad(start, start), bad(start + 8, start), well(start + 12, start + 12), well(start + 38, start + 12)]
    assert [change.state for change in told(troubles, *seen)] == [State.began]


def test_another_verdict_of_the_same_trouble_is_told() -> None:
    """Stopped is one thing, at risk of loss another."""
    troubles = Troubles(5)
    changes = told(troubles, well(0), bad(2, 2), bad(10, 2), bad(12, 12, Verdict.at_risk), bad(20, 12, Verdict.at_risk))
    assert [(change.state, change.verdict) for change in changes] == [
        (State.began, "stopped"),
        (State.changed, "at_risk"),
    ]
    assert changes[0].id != changes[1].id
    assert changes[0].began == changes[1].began


def test_what_was_told_before_a_restart_is_not_told_again() -> None:
    """The next monitor knows what is open, and tells its end."""
    first = Troubles(5)
    assert len(told(first, well(0), bad(2, 2), bad(10, 2))) == 1
    second = Troubles(5)
    second.open = dict(first.open)
    assert told(second, *(bad(t, 2) for t in range(20, 200, 2))) == []
    assert [change.state for change in told(second, well(200, 200), well(250, 200))] == [State.ended]


def test_what_was_not_kept_comes_again_under_the_same_id() -> None:
    """The database was away when it was to be written down."""
    troubles = Troubles(5)
    told(troubles, well(0), bad(2, 2))
    first, again = troubles.changes(bad(10, 2)), troubles.changes(bad(12, 2))
    assert [change.id for change in first] == [change.id for change in again]


def test_who_was_never_seen_at_work_has_a_minute_to_come_up() -> None:
    """`safebus up` starts the monitor and the services at once."""
    assert told(Troubles(5), *(bad(t, 0) for t in range(0, 50, 2))) == []
    assert len(told(Troubles(5), *(bad(t, 0) for t in range(0, 90, 2)))) == 1


def test_without_the_broker_that_is_the_one_trouble() -> None:
    """Nothing is told of groups that nobody can see, neither a trouble nor an end; afterwards they may come up."""
    troubles = Troubles(5)
    away = [snapshot(t, fault="the broker is away (X)") for t in range(20, 60, 2)]
    changes = told(troubles, well(0), bad(2, 2), bad(10, 2), *away, *(bad(t, 62) for t in range(62, 110, 2)))
    assert [(change.subject, change.state) for change in changes] == [
        ("teller", State.began),
        (BROKER, State.began),
        (BROKER, State.ended),
    ]


def test_a_trouble_of_a_group_that_is_no_more_ends() -> None:
    """Its offsets were deleted, or the broker forgot them. If it comes again it is seen anew."""
    troubles = Troubles(5)
    changes = told(troubles, well(0), bad(2, 2), bad(10, 2), *(snapshot(t) for t in range(12, 80, 2)))
    assert [change.state for change in changes] == [State.began, State.ended]
    assert changes[1].headline == "safebus: teller is no more"
    assert not troubles.open
    assert [change.state for change in told(troubles, bad(80, 80), bad(150, 80))] == [State.began]
