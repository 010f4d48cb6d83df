"""How much of a matter is remembered: all that is open, within reason, and the latest of what is not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from services.handover_feed.state import state_of

if TYPE_CHECKING:
    from services.handover_feed.view import Matter

V = TypeVar("V")

MOST_OPEN = 200
"""Facts that wait for somebody. Of more, the most urgent and the newest are kept, and the card says that there were."""
MOST_ENDED = 20
MOST_ENDS = 300
"""Ends, answers and receipts that may have come before what they belong to."""


def within_room(matter: Matter) -> Matter:
    """The same with no more than there is room for. What a fact that is kept has ended with is kept with it."""
    changed: dict[str, Any] = {}
    if len(matter.facts) > MOST_ENDED:
        waiting = {fact.fact_id for fact in state_of(matter).waiting}
        ordered = sorted(matter.facts.values(), key=lambda fact: (fact.heard_at, fact.fact_id))
        urgent = sorted(
            (fact for fact in ordered if fact.fact_id in waiting),
            key=lambda fact: (fact.plausible_danger, fact.heard_at, fact.fact_id),
        )
        others = [fact for fact in ordered if fact.fact_id not in waiting]
        kept = [*urgent[-MOST_OPEN:], *others[-MOST_ENDED:]]
        changed["facts"] = {fact.fact_id: fact for fact in kept}
        changed["left_out"] = matter.left_out + max(0, len(urgent) - MOST_OPEN)
    ids = ("ended", "dues", "receipts", "answers", "decided")
    if any(len(getattr(matter, name)) > MOST_ENDS for name in ids):
        facts = changed.get("facts", matter.facts).values()
        needed = {part for fact in facts for part in (*fact.ends, *fact.deadlines, fact.request_id, fact.enquiry_id)}
        needed |= {end.removeprefix("read ") for fact in facts for end in fact.ends}
        changed |= {name: _latest(getattr(matter, name), needed) for name in ids}
    return matter.model_copy(update=changed) if changed else matter


def _latest(before: Mapping[str, V], needed: Collection[str | None]) -> dict[str, V]:
    """What is needed, and of the rest what was heard last."""
    others = [key for key in before if key not in needed]
    gone = {*others[:-MOST_ENDS]}
    return {key: value for key, value in before.items() if key not in gone}
