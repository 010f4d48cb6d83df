"""A strategy discussion that is arranged is on the card of each child from the day before, until it has been held."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from services.bus.events import (
    AdultOfConcern,
    CardFact,
    FactKind,
    MatterChanged,
    MatterCued,
    MatterState,
    MeetingRecorded,
    Team,
)
from services.handover_feed.state import state_of
from services.handover_feed.view import Matter
from tests.handover_feed.samples import (
    CHILD,
    MINUTE,
    SERVICE,
    card,
    danger,
    hear,
    ring,
    tell,
)
from tests.rooms import FRIDAY_EVENING as AT
from tests.rooms import decide, of

TONIGHT = AT + timedelta(hours=2)


def meeting(held_at: datetime = TONIGHT, version: int = 1, *children: str, **changed: Any) -> MeetingRecorded:
    body: dict[str, Any] = {
        "meeting_id": "meeting-1", "version": version, "enquiry_id": "enquiry-1",
        "child_ids": list(children or (CHILD, "child-tom")), "held_at": held_at, "chair": "duty team manager",
        "location_confidential": False, "invitees": [], "adults_of_concern": [], "lado": False,
    }  # fmt: skip
    return hear(MeetingRecorded(**body | changed), f"meeting {version}", AT)  # type: ignore[no-any-return]


def cues(*meetings: MeetingRecorded, at: datetime = AT) -> list[MatterCued]:
    """What the children's matters are told."""
    found: list[MatterCued] = []
    known = Matter()
    for one in meetings:
        parts, after = decide(SERVICE, one, None, known)
        assert isinstance(after, Matter)
        known = after
        found += [hear(cue, f"cue {one.version} {cue.child_id}", at) for cue in of(MatterCued, parts)]
    return found


def to(child_id: str, found: list[MatterCued]) -> list[MatterCued]:
    return [one for one in found if one.child_id == child_id]


def arranged(shown: MatterChanged) -> list[CardFact]:
    return [fact for fact in shown.facts if fact.kind is FactKind.STRATEGY_DISCUSSION]


def test_each_child_has_it_on_its_card_with_its_hour() -> None:
    """Tonight's is the night's, and it is due when it begins."""
    found = cues(meeting())
    assert {one.child_id for one in found} == {CHILD, "child-tom"}
    shown = card(*to(CHILD, found))
    [fact] = arranged(shown)
    assert "Arranged for 21:40 on 20 November 2026, chaired by duty team manager." in fact.words
    assert (fact.due_by, fact.settled) == (TONIGHT, False)
    assert (shown.state, shown.team) == (MatterState.OPEN, Team.NIGHT)


def test_one_that_is_held_by_day_waits_for_the_day_and_takes_nothing_along() -> None:
    """By itself it is the day's; what else is open at night stays the night's."""
    monday = cues(meeting(AT + timedelta(days=2, hours=14)), at=AT + timedelta(days=2))
    assert card(*to(CHILD, monday)).team is Team.DAY
    assert card(danger(at=AT + timedelta(days=2)), *to(CHILD, monday)).team is Team.NIGHT


def test_one_that_is_far_away_comes_by_itself_the_day_before() -> None:
    """Nobody is called to what is next week, and nobody has to remember it."""
    held_at = AT + timedelta(days=5)
    far = tell(*to(CHILD, cues(meeting(held_at))))
    assert not far.facts
    near_at = far.alarm
    assert near_at
    assert timedelta(hours=24) < held_at - near_at < timedelta(hours=48)
    near, pages, [shown] = ring(far, near_at)
    assert pages == []
    assert not arranged(shown)[0].settled
    over, _, [after] = ring(near, near.alarm or AT)
    assert arranged(after)[0].settled
    assert after.state is MatterState.CLOSED
    assert over.alarm is None


def test_danger_rings_at_its_own_time_beside_a_meeting() -> None:
    """Neither alarm takes the other's place, and a meeting pages nobody (H7)."""
    both = tell(danger(), *to(CHILD, cues(meeting(AT + timedelta(minutes=5)))))
    assert both.alarm == AT + 10 * MINUTE
    rung, pages, _ = ring(both, both.alarm)
    assert len(pages) == 1
    assert rung.alarm == AT + 20 * MINUTE


def test_another_hour_is_news_and_the_same_hour_is_not() -> None:
    """Who came, or a new chair, changes nothing that a worker has closed; an earlier record never stands."""
    first, same, later = meeting(), meeting(version=2), meeting(TONIGHT + timedelta(hours=1), 3)
    one, two, three = (to(CHILD, cues(*upto))[-1] for upto in ((first,), (first, same), (first, same, later)))
    known = tell(one)
    assert set(tell(two, before=known).facts) == set(known.facts)
    moved = tell(three, before=known)
    [open_now] = state_of(moved).waiting
    assert open_now.due_by == TONIGHT + timedelta(hours=1)
    assert set(known.facts) == set(moved.facts) - {open_now.fact_id}
    assert tell(one, before=moved).facts == moved.facts
    assert cues(later, first) == cues(later)


def test_a_child_whom_it_is_no_longer_about_has_it_no_longer() -> None:
    """Nor has anybody one about a professional, which is kept apart (H4)."""
    assert cues(meeting(lado=True)) == []
    for gone in (meeting(TONIGHT, 2, "child-tom"), meeting(version=2, lado=True)):
        shown = card(*to(CHILD, cues(meeting(), gone)))
        assert shown.state is MatterState.CLOSED
        assert "21:40" not in str(arranged(shown))


def test_who_is_conflicted_and_what_is_secret_is_known_from_it() -> None:
    """An adult of concern whom only the meeting names asks for a declaration (H3), and a place is kept (H2)."""
    adult = AdultOfConcern(reference="adult-1", links=[])
    shown = card(*to(CHILD, cues(meeting(adults_of_concern=[adult], location_confidential=True))))
    assert shown.declare_no_conflict
    assert shown.location_confidential


def test_h4_what_is_kept_apart_by_now_tells_the_children_nothing() -> None:
    """A meeting that becomes one about a professional, or leaves a child out, names neither adult nor place there."""
    adult = AdultOfConcern(reference="professional", links=[])
    apart = meeting(TONIGHT, 2, lado=True, adults_of_concern=[adult], location_confidential=True, chair="LADO")
    [_, withdrawn] = to(CHILD, cues(meeting(), apart))
    assert withdrawn.meeting
    assert withdrawn.meeting.held_at is None
    assert "professional" not in withdrawn.model_dump_json()
    assert "LADO" not in withdrawn.model_dump_json()
    shown = card(*to(CHILD, cues(meeting(), apart)))
    assert (shown.adults_of_concern, shown.location_confidential) == ([], False)
