"""Cards as the board's own topic has them, for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from services.bus.events import (
    CardAct,
    CardFact,
    ChildIdentity,
    FactKind,
    HandoverAct,
    MatterChanged,
    MatterState,
    RiskCriterion,
    RiskReason,
    Team,
    Worker,
    YesNoUnknown,
)

EVENING = datetime(2026, 11, 20, 19, 40, tzinfo=UTC)

NIGHT_WORKER = Worker(person_id="person-night", name="Nia Night", post="out-of-hours social worker", team=Team.NIGHT)


def card(matter_id: str = "child-1", version: int = 1, **fields: Any) -> MatterChanged:
    """An open matter of the night's; `fields` are what differs."""
    said = {
        "matter_id": matter_id,
        "child_id": matter_id,
        "version": version,
        "changed_at": EVENING + timedelta(seconds=version),
        "caused_by": f"incident {matter_id}",
        "state": MatterState.OPEN,
        "team": Team.NIGHT,
        "waiting_since": EVENING,
        "about": ChildIdentity(forenames="Ada", family_name="Example"),
        "location_confidential": False,
        "declare_no_conflict": False,
        "circumstances": [],
        "protection_plan": YesNoUnknown.UNKNOWN,
        "hazards": [],
        "protective_instructions": [],
        "adults_of_concern": [],
        "risk": [risk(criterion) for criterion in RiskCriterion if criterion is not RiskCriterion.UNKNOWN],
        "facts": [fact(f"incident {matter_id}")],
        "told": [],
        "acts": [],
    }
    return MatterChanged(**said | fields)


def risk(criterion: RiskCriterion, rank: int = 0, words: str = "It does not.", lowered: bool = False) -> RiskReason:
    """One reason why a matter stands where it does."""
    return RiskReason(criterion=criterion, rank=rank, words=words, lowered=lowered)


def risks(**ranks: int) -> list[RiskReason]:
    """Every criterion, with these ranks by name in lower case, else 0."""
    return [risk(c, ranks.get(c.value.lower(), 0)) for c in RiskCriterion if c is not RiskCriterion.UNKNOWN]


def fact(fact_id: str, **fields: Any) -> CardFact:
    """One thing that happened."""
    said = {
        "fact_id": fact_id,
        "kind": FactKind.INCIDENT,
        "happened_at": EVENING,
        "heard_at": EVENING,
        "said_by": "Thames Valley Police",
        "words": "Domestic abuse, the child was there.",
        "addressed": False,
        "settled": False,
    }
    return CardFact(**said | fields)


def act(act_id: str, does: HandoverAct = HandoverAct.TAKEN, **fields: Any) -> CardAct:
    """Something that a worker did."""
    return CardAct(**{"act_id": act_id, "act": does, "by": NIGHT_WORKER, "acted_at": EVENING} | fields)
