"""How a matter stands: what is open in it, who has it, and what danger nobody has taken.

Put together from what was heard and from what workers did, each time anew: whichever came first, it is the same.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from services.bus.events import FactKind, HandoverAct, MatterState, RiskCriterion, Team, Worker
from services.handover_feed.acts import TO
from services.handover_feed.facts import ARRIVES, BRINGS, FOLLOW, Fact
from services.handover_feed.shifts import Duty, team_on_duty

if TYPE_CHECKING:
    from services.handover_feed.view import Matter


@dataclass(frozen=True, slots=True)
class State:
    """One matter's, at the last thing that was heard of it."""

    state: MatterState
    team: Team
    holder: Worker | None
    handed_on_at: datetime | None
    shown: Sequence[Fact]
    """What it holds, oldest first, without deadlines that another fact names."""
    settled: Set[str]
    """Ids of the facts that have ended by themselves."""
    waiting: Sequence[Fact]
    """What keeps it open, oldest first."""
    danger: Sequence[Fact]
    """Of that, immediate danger, known or plausible, that nobody sees to and nobody has lowered (H7)."""
    danger_since: datetime | None
    """Since when the danger has waited for somebody to take it."""
    waiting_since: datetime | None

    def addressed(self, fact: Fact, matter: Matter) -> bool:
        """Whether somebody has acted on it: closed it, or sees to it now and has seen it."""
        standing = matter.standing
        return fact.fact_id in standing.closed or (self.holder is not None and fact.fact_id in standing.seen)


def state_of(matter: Matter) -> State:
    """How it stands."""
    standing = matter.standing
    shown, looked_at = _shown(matter), _looked_at(matter)
    settled = {fact.fact_id for fact in shown if _settled(fact, matter, looked_at)}
    ended = settled.union(standing.closed)
    waiting = [fact for fact in shown if fact.fact_id not in ended]
    back = _brought_back(matter, waiting)
    holder = None if back or matter.matched_to else standing.holder  # who had an unmatched child has the child's own
    team = holder.team if holder else _side(matter, waiting, back)
    unseen = [fact for fact in waiting if holder is None or fact.fact_id not in standing.seen]
    danger = [
        fact
        for fact in unseen
        if fact.plausible_danger and not standing.is_lowered(RiskCriterion.IMMEDIATE_DANGER, fact.fact_id)
    ]
    handed = standing.moved_at if standing.last in TO and team is standing.side else None
    return State(
        state=MatterState.TAKEN if holder else MatterState.OPEN if waiting else MatterState.CLOSED,
        team=team,
        holder=holder,
        handed_on_at=handed if waiting else None,
        shown=shown,
        settled=settled,
        waiting=waiting,
        danger=danger,
        danger_since=min((_untaken_since(fact, matter, back) for fact in danger), default=None),
        waiting_since=min((fact.heard_at for fact in unseen), default=None),
    )


def _shown(matter: Matter) -> list[Fact]:
    named = {
        one for fact in matter.facts.values() if fact.kind is not FactKind.DEADLINE_COMING for one in fact.deadlines
    }
    shown = (
        fact
        for fact in matter.facts.values()
        if fact.kind is not FactKind.DEADLINE_COMING or not named.intersection(fact.deadlines)
    )
    return sorted(shown, key=lambda fact: (fact.heard_at, fact.fact_id))


def _settled(fact: Fact, matter: Matter, looked_at: Set[str]) -> bool:
    """Whether it was read, answered, met, held, matched or decided again; an unmatched child's note has followed it."""
    if matter.matched_to and fact.kind in FOLLOW:
        return True
    if not fact.asks or any(end in matter.ended for end in fact.ends):
        return True
    if any(matter.read_at(end.removeprefix("read ")) for end in fact.ends if end.startswith("read ")):
        return True
    if fact.kind is FactKind.DEADLINE_MISSED and not looked_at.isdisjoint(fact.ends):
        return True
    called = fact.kind is FactKind.STRATEGY_DISCUSSION and not fact.ends
    decided = matter.decided.get(fact.enquiry_id or "") if called else None
    return decided is not None and decided > fact.happened_at


def due_by(fact: Fact, matter: Matter) -> datetime | None:
    """Until when something must be done about it: the nearest that has not been met."""
    owed = [one for one in fact.deadlines if one not in matter.ended]
    if _seen(fact, matter):
        owed = [one for one in owed if one not in _to_be_read(fact)]
    dues = [matter.dues[one] for one in owed if one in matter.dues]
    return min([*dues, *([fact.due_by] if fact.due_by else [])], default=None)


def _looked_at(matter: Matter) -> Set[str]:
    """Ids of the deadlines by which somebody must have looked at what a worker has seen here: that has been read,
    whether or not the front door's own inbox was opened besides."""
    return {one for fact in matter.facts.values() if _seen(fact, matter) for one in _to_be_read(fact)}


def _to_be_read(fact: Fact) -> Sequence[str]:
    """Ids of the deadlines by which somebody must have looked at it; they do not end it."""
    return [one for one in fact.deadlines if one not in fact.ends]


def _seen(fact: Fact, matter: Matter) -> bool:
    """Whether a worker has acted here having seen it."""
    standing = matter.standing
    return any(fact.fact_id in ids for ids in (standing.seen, standing.released, standing.closed))


def _brought_back(matter: Matter, waiting: Sequence[Fact]) -> Fact | None:
    """The latest thing that came for the other side while a worker of this one had the matter.

    Who took it in the afternoon and went home does not see to what happens at night.
    """
    standing = matter.standing
    if standing.holder is None:
        return None
    arrived = [fact for fact in waiting if fact.kind in ARRIVES and fact.fact_id not in standing.seen]
    foreign = [fact for fact in arrived if _for(fact, matter.duty) is not standing.holder.team]
    return foreign[-1] if foreign else None


def _side(matter: Matter, waiting: Sequence[Fact], back: Fact | None) -> Team:
    """Which side has what nobody has taken: who had it last, unless something came since that is another's."""
    standing = matter.standing
    had = {*standing.seen, *(standing.unopened if standing.last in TO else ())}
    news = [fact for fact in waiting if fact.fact_id not in had]
    brings = [fact for fact in news if fact.kind in BRINGS and fact.meeting_id is None]
    brings = brings or [fact for fact in news if fact.meeting_id]  # a meeting takes along nothing that was there before
    if not brings and standing.last in (HandoverAct.UNKNOWN, HandoverAct.CLOSED):
        brings = news
    latest = back or (brings[-1] if brings else None)
    if latest is None and standing.last is HandoverAct.UNKNOWN:
        latest = max(matter.facts.values(), key=lambda fact: (fact.heard_at, fact.fact_id), default=None)
    side = _for(latest, matter.duty) if latest else standing.side
    since = latest.heard_at if latest else standing.moved_at
    rung_at = matter.paged.rung_at
    if rung_at and since and rung_at > since and rung_at > (standing.moved_at or since):
        return team_on_duty(rung_at, matter.duty)  # danger that was left from the last shift
    return side


def _for(fact: Fact, duty: Duty) -> Team:
    """For which side something is: a note says so, anything else is for who was on duty."""
    return fact.to if fact.to is not Team.UNKNOWN else team_on_duty(fact.heard_at, duty)


def _untaken_since(fact: Fact, matter: Matter, back: Fact | None) -> datetime:
    standing, since = matter.standing, fact.heard_at
    if standing.released_at and fact.fact_id in standing.released:
        since = max(since, standing.released_at)
    if back and fact.fact_id in standing.seen:
        since = max(since, back.heard_at)
    return since
