"""One thing about a matter, as much as its card says of it, and what ends it by itself.

What is known is kept as codes and ids: names are put in when a card is written (sentences.py), so that a place that is
confidential, or became so later, stands nowhere (H2).
"""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime

from services.bus.envelope import Event, Model
from services.bus.events import FactKind, Grading, Role, Team, YesNoUnknown

LONGEST = 4_000
"""Characters of what somebody wrote that a card holds."""

NEVER_OPEN = (FactKind.DECISION, FactKind.MATCHED)
"""They tell what was done: nobody needs to act on them."""

ARRIVES = (FactKind.INCIDENT, FactKind.UNMATCHED, FactKind.CONTACT, FactKind.HELD)
"""What is new of itself: it brings a matter to the side that is on duty, whoever had it before."""

BRINGS = (*ARRIVES, FactKind.STRATEGY_DISCUSSION, FactKind.ASKED)
"""And what somebody wants done brings a matter to a side unless a worker sees to it."""


FOLLOW = (FactKind.NOTE, FactKind.ASKED, FactKind.HAZARD)
"""What workers wrote: it follows an unmatched child to its own matter."""


class Fact(Model):
    """A fact without a word about what people did with it (acts.py) or what has become of it since (view.py)."""

    fact_id: str
    kind: FactKind
    happened_at: AwareDatetime
    heard_at: AwareDatetime
    text: str = ""
    voice: str | None = None
    said_by: str = ""
    """An organisation's id, or what a worker is called."""
    role: Role = Role.UNKNOWN
    """Of whoever said it."""
    owed_by: str = ""
    owed_role: Role = Role.UNKNOWN
    """Of whom something is expected: an organisation's id, and its role."""
    enquiry_id: str | None = None
    due_by: AwareDatetime | None = None
    ends: tuple[str, ...] = ()
    """Ids of deadlines and disclosures: once one of them is met or read, the fact has ended by itself."""
    deadlines: tuple[str, ...] = ()
    """Ids of deadlines that say until when something must be done about it."""
    danger: YesNoUnknown | None = None
    grading: Grading | None = None
    missing: YesNoUnknown | None = None
    """What it says of immediate danger, urgency, and a missing child; None where it is no statement about that."""
    request_id: str | None = None
    rule: str | None = None
    """The rule that holds it for a person."""
    to: Team = Team.UNKNOWN
    """For which side a note is meant."""
    for_information: bool = False
    """A note to one's own side: nobody needs to act on it."""

    meeting_id: str | None = None
    """The strategy discussion that is arranged."""

    quiet: bool = False
    """It waits for what it belongs to, and by itself begins no card."""

    @property
    def asks(self) -> bool:
        """Whether it keeps a matter open until somebody has acted on it or it has ended by itself."""
        return self.kind not in NEVER_OPEN and not self.for_information

    @property
    def plausible_danger(self) -> bool:
        """Whether it interrupts: a child is in immediate danger, or that is not known and nothing speaks against it.

        What is not known ranks as the worst plausible (H7), and first in the order (risk.py). But an alarm for every
        incident whose sender left that field out would deafen those who must hear the true one: where the same sender
        has looked and graded it amber or green, immediate danger is not plausible, and nobody is interrupted.
        """
        if self.danger is YesNoUnknown.UNKNOWN:
            return self.grading not in (Grading.AMBER, Grading.GREEN)
        return self.danger is YesNoUnknown.YES


def fact(event: Event, kind: FactKind, *, suffix: str = "", **known: Any) -> Fact:
    """A fact that `event` tells of; `text` and `voice` are cut to what a card holds."""
    for name in ("text", "voice"):
        if known.get(name):
            known[name] = cut(known[name], event)
    known.setdefault("happened_at", event.at)
    return Fact(fact_id=f"{event.envelope.id}{suffix}", kind=kind, heard_at=event.at, **known)


def cut(text: str, event: Event) -> str:
    """As much of it as a card holds; if that is not all, it says where the rest is."""
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST].rstrip()} … (cut: the full text is in {event.topic}, event {event.envelope.id})"
