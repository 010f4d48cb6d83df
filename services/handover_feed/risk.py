"""Why a matter stands where it does: one reason for each criterion, with the words for it on the card (N7, H7).

- Criteria are compared one after the other, in the order that the installation has set; within one, the higher rank is
  worse. By default: immediate danger, grading, under 5 or unborn, missing, repeat within 12 months, nearest deadline.
- Only what is open counts. What is not known ranks as the worst plausible, and its words say that it is not known.
- Only a person lowers a risk, with a reason, and only for the facts that the person had seen: a later fact that says
  the same again raises it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from services.bus.calendar import local_day
from services.bus.events import (
    ChildIdentity,
    ChildRecorded,
    Circumstance,
    FactKind,
    Grading,
    MatterChanged,
    RiskCriterion,
    RiskReason,
    YesNoUnknown,
)
from services.handover_feed.facts import Fact
from services.handover_feed.sentences import moment, word
from services.handover_feed.state import State, due_by

if TYPE_CHECKING:
    from services.handover_feed.view import Matter

ORDER = (
    RiskCriterion.IMMEDIATE_DANGER,
    RiskCriterion.GRADING,
    RiskCriterion.YOUNG,
    RiskCriterion.MISSING,
    RiskCriterion.REPEAT,
    RiskCriterion.DEADLINE,
)
"""The default order, and the order of a card's reasons."""

YOUNG = 5
"""A child under this many years cannot tell, or leave."""
REPEAT = timedelta(days=365)

GRADES = {Grading.UNKNOWN: 3, Grading.RED: 3, Grading.AMBER: 2, Grading.GREEN: 1}
LATEST_MOMENT = 2**62
"""A deadline ranks by how far its moment, in microseconds since 1970, lies before this: the nearer, the higher."""


class Ranked(NamedTuple):
    """How bad by one criterion, and why. Of two as bad, what is known is said before what is not."""

    rank: int
    known: bool = True
    words: str = ""


NONE = Ranked(0)
HOLDS_NOT = {
    RiskCriterion.IMMEDIATE_DANGER: "Nothing open says that there is immediate danger",
    RiskCriterion.GRADING: "Nothing open is graded",
    RiskCriterion.YOUNG: "Nothing is open about a child under 5",
    RiskCriterion.MISSING: "Nothing open says that a child is missing",
    RiskCriterion.REPEAT: "No other incident in the 12 months before",
    RiskCriterion.DEADLINE: "Nothing open has a deadline",
}


def order_key(card: MatterChanged, order: Sequence[RiskCriterion] = ORDER) -> tuple[object, ...]:
    """Sorts cards worst first; of two alike, the one that has waited longer, then by their ids."""
    ranks = {reason.criterion: reason.rank for reason in card.risk}
    waits = card.waiting_since.timestamp() if card.waiting_since else float("inf")
    return (*(-ranks.get(criterion, 0) for criterion in order), waits, card.matter_id)


def is_danger(card: MatterChanged) -> bool:
    """Whether it interrupts whoever is at the board: immediate danger, known or plausible, that nobody sees to (H7).

    So it is once a child is said to be in immediate danger, or the sender of an incident has not said whether, and has
    not graded it amber or green either (facts.plausible_danger); until a worker takes the matter having seen that fact,
    or lowers the risk with a reason. Something new of that kind interrupts again, also when the matter is taken.
    """
    return card.interrupts


def reasons(matter: Matter, state: State, record: ChildRecorded | None) -> list[RiskReason]:
    """One for each criterion, in the default order. `record` is the child's in the directory, if it is known."""
    age = _young(matter, record)
    repeat = _repeat(matter)
    judge: dict[RiskCriterion, Callable[[Fact], Ranked]] = {
        RiskCriterion.IMMEDIATE_DANGER: _danger,
        RiskCriterion.GRADING: _graded,
        RiskCriterion.YOUNG: lambda fact: age if _about_a_child(fact, matter) else NONE,
        RiskCriterion.MISSING: _missing,
        RiskCriterion.REPEAT: lambda fact: repeat if _about_a_child(fact, matter) else NONE,
        RiskCriterion.DEADLINE: lambda fact: _deadline(due_by(fact, matter)),
    }
    return [_reason(criterion, judge[criterion], matter, state.waiting) for criterion in ORDER]


def _reason(
    criterion: RiskCriterion, judge: Callable[[Fact], Ranked], matter: Matter, facts: Sequence[Fact]
) -> RiskReason:
    """The worst that holds for any fact for which nobody has lowered it."""
    standing = matter.standing
    without = max(map(judge, facts), default=NONE)
    if without.rank and standing.lowered:
        facts = [fact for fact in facts if not standing.is_lowered(criterion, fact.fact_id)]
        stands = max(map(judge, facts), default=NONE)
    else:
        stands = without
    rank, words = stands.rank, stands.words if stands.rank else HOLDS_NOT[criterion]
    if without.rank <= rank:
        return RiskReason(criterion=criterion, rank=rank, words=f"{words}.", lowered=False)
    by = [one for one in standing.lowered if one.criterion is criterion][-1]
    judged = f"{without.words}; {by.by} judged that this no longer holds: {by.reason}."
    return RiskReason(criterion=criterion, rank=rank, words=f"{words}. {judged}" if rank else judged, lowered=True)


def _danger(fact: Fact) -> Ranked:
    match fact.danger:
        case YesNoUnknown.YES:
            return Ranked(1, words="A child is in immediate danger")
        case YesNoUnknown.UNKNOWN:
            return Ranked(1, False, "Whether a child is in immediate danger is not known, so it counts as if one were")
    return NONE


def _graded(fact: Fact) -> Ranked:
    if fact.grading is None:
        return NONE
    if fact.grading is Grading.UNKNOWN:
        return Ranked(GRADES[fact.grading], False, "Nobody has graded it, so it counts as red")
    return Ranked(GRADES[fact.grading], words=f"Graded {word(fact.grading)}")


def _missing(fact: Fact) -> Ranked:
    match fact.missing:
        case YesNoUnknown.YES:
            return Ranked(1, words="A child is missing")
        case YesNoUnknown.UNKNOWN:
            return Ranked(1, False, "Whether a child is missing is not known, so it counts as if one were")
    return NONE


def _deadline(due: datetime | None) -> Ranked:
    if due is None:
        return NONE
    return Ranked(LATEST_MOMENT - int(due.timestamp() * 1_000_000), words=_nearest(due))


@lru_cache(maxsize=1024)
def _nearest(due: datetime) -> str:
    return f"The nearest deadline is {moment(due)}"


def _about_a_child(fact: Fact, matter: Matter) -> bool:
    """Whether there is a child to be young: a note about nobody has none, but what could not be read may have."""
    return matter.child_id is not None or fact.kind in (FactKind.UNMATCHED, FactKind.HELD)


def _young(matter: Matter, record: ChildRecorded | None) -> Ranked:
    circumstances = {*matter.known.circumstances, *(record.circumstances if record else ())}
    if Circumstance.UNBORN in circumstances:
        return Ranked(1, words="The child is not born yet")
    on = local_day(max(fact.heard_at for fact in matter.facts.values()))
    ages = [*_ages(matter, record, on)]
    if not ages:
        return Ranked(1, False, "The child's age is not known, so it counts as under 5")
    return Ranked(1, words=f"The child is under {YOUNG}") if min(ages) < YOUNG else NONE


def _ages(matter: Matter, record: ChildRecorded | None, on: date) -> Iterator[int]:
    """What anybody says; if they differ, the youngest counts."""
    about = matter.known.about
    identities: list[tuple[ChildIdentity, int | None]] = []
    if record:
        identities.append((record.identity, record.stated_age))
    if about:
        identities.append((about.identity, about.stated_age))
    for identity, stated in identities:
        born = identity.date_of_birth
        if born:
            yield on.year - born.year - ((on.month, on.day) < (born.month, born.day))
        elif stated is not None:
            yield stated


def _repeat(matter: Matter) -> Ranked:
    """How many other incidents about the child there were in the 12 months up to the latest."""
    times = sorted(item.at for item in matter.known.incidents)
    if matter.child_id is None:
        return Ranked(1, False, "Whether there was an incident before is not known, so it counts as if there was one")
    if not times:
        return NONE
    before = sum(1 for at in times[:-1] if at > times[-1] - REPEAT)
    return Ranked(before, words=f"{before} other incident{'s' if before > 1 else ''} in the 12 months before")
