"""What was sent, and what everybody must have learnt by the end because of it: worked out without the services."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from services.bus.events import (
    ChildRecorded,
    HealthUpdated,
    MinutesDistributed,
    OutcomeShared,
    PoliceNotified,
    Role,
    SchoolAlerted,
)
from tests.soak.county import DUTY, FORCE, MASH, place

FRONT_DOOR = "the front door"
"""By the hour it is one or the other of these."""
_DOORS = {MASH: FRONT_DOOR, DUTY: FRONT_DOOR}


class Owed(NamedTuple):
    """One thing that one organisation must be told once."""

    topic: str
    recipient: str
    about: str
    """The child, or the meeting."""
    root: str
    """The incident, the decision or the minutes that it follows from."""

    @classmethod
    def of(cls, topic: str, recipient: str, about: str, root: str) -> Owed:
        return cls(topic, _DOORS.get(recipient, recipient), about, root)


@dataclass
class Ledger:
    """Filled while the county runs."""

    sent: Counter[str] = field(default_factory=Counter)
    """Events acknowledged, by topic."""
    tries: int = 0
    """How often they were sent, so how many of them perhaps several times."""
    by_door: Counter[str] = field(default_factory=Counter)
    """Events acknowledged, by the way that they came."""
    owed: set[Owed] = field(default_factory=set)
    malformed: set[str] = field(default_factory=set)
    """Ids of records that no schema explains."""
    decisions: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """By child, in the order in which they were acknowledged."""
    receipts: set[str] = field(default_factory=set)
    """Disclosures whose reading was acknowledged."""
    latencies: list[float] = field(default_factory=list)
    """Seconds from an incident's acknowledgement to its notification's arrival in an inbox."""

    def incident(self, incident: str, children: Sequence[ChildRecorded]) -> None:
        for child in children:
            self.owed.add(Owed(PoliceNotified.topic, FRONT_DOOR, child.child_id, incident))
            listens = place(child, Role.SCHOOL) or place(child, Role.HEALTH_VISITING)
            assert listens
            self.owed.add(Owed(SchoolAlerted.topic, listens, child.child_id, incident))

    def decision(self, decision: str, child: ChildRecorded, referrer: str | None) -> None:
        """`referrer`: who raised the concern, unless it hears as a health role."""
        practice, team = place(child, Role.GP_PRACTICE), place(child, Role.SCHOOL_NURSING, Role.HEALTH_VISITING)
        assert practice
        assert team
        for recipient in {place(child, Role.SCHOOL), referrer} - {None}:
            self.owed.add(Owed(OutcomeShared.topic, str(recipient), child.child_id, decision))
        for recipient in (practice, team):
            self.owed.add(Owed(HealthUpdated.topic, recipient, child.child_id, decision))

    def minutes(self, minutes: str, meeting: str, invited: Sequence[str]) -> None:
        self.owed |= {Owed(MinutesDistributed.topic, one, meeting, minutes) for one in invited}


def invited(child: ChildRecorded) -> list[str]:
    """Who is asked to a strategy discussion."""
    return [FORCE, *filter(None, (place(child, Role.SCHOOL), place(child, Role.GP_PRACTICE)))]
