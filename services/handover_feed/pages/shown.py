"""A matter as one worker's page shows it: what the card says, in words, at this moment."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from urllib.parse import quote

from pydantic_core import to_json

from services.bus.calendar import LONDON
from services.bus.events import (
    CardAct,
    CardFact,
    FactKind,
    HandoverAct,
    MatterChanged,
    MatterState,
    RiskCriterion,
    RiskReason,
    YesNoUnknown,
)
from services.handover_feed.pages import words

ASKS = {
    FactKind.ASKED,
    FactKind.INFORMATION_REQUESTED,
    FactKind.STRATEGY_DISCUSSION,
    FactKind.ALERT_UNREAD,
    FactKind.UNMATCHED,
    FactKind.HELD,
    FactKind.DEADLINE_COMING,
    FactKind.DEADLINE_MISSED,
}
"""What asks for something to be done; so does whatever has a time by which it is due."""

TELLS = {FactKind.INCIDENT, FactKind.CONTACT, FactKind.UNMATCHED, FactKind.HELD}

WITHHELD = "A child: one question is asked before this opens"
"""What stands in place of a title where the reader must declare first that there is no conflict (H3)."""
BARRED = "A child: this is not open to you"
"""And where the reader has said that there is, or may be."""


def mark(own_id: str) -> str:
    """A few characters that tell one fact or act of a matter from another."""
    return sha256(own_id.encode()).hexdigest()[:6]


@dataclass(frozen=True)
class Shown:
    """One matter to one worker."""

    card: MatterChanged
    now: datetime
    morning: datetime
    """When the day team begins next."""
    person_id: str
    withheld: bool = False
    """Whether this worker has to declare first that there is no conflict (H3): then nothing says whom it is about."""
    barred: bool = False
    """Whether this worker has said that there is, or may be, a conflict (H3): then it never opens."""
    seen: Set[str] | None = None
    """The marks of the facts and acts that the worker has seen; None if that is not asked."""

    @property
    def id(self) -> str:
        return self.card.matter_id

    @property
    def href(self) -> str:
        return f"/board/matters/{quote(self.id, safe=':')}"

    @property
    def title(self) -> str:
        if self.withheld:
            return BARRED if self.barred else WITHHELD
        about = self.card.about
        name = f"{about.forenames} {about.family_name}".strip() if about else ""
        if name:
            return name if self.card.child_id else f"Child not identified: {name}?"
        return "Name not known" if self.card.child_id else self._nameless

    @property
    def _nameless(self) -> str:
        """A note or a dead letter is about no one child; whatever else has no child waits to be matched."""
        kinds = {fact.kind for fact in self.card.facts}
        by_itself = {FactKind.NOTE, FactKind.ASKED, FactKind.HAZARD}
        return "Note about no one child" if kinds and kinds <= by_itself else "Child not identified"

    @property
    def age(self) -> str | None:
        """None where the matter is about no child."""
        if self.withheld or (self._nameless != "Child not identified" and self.card.about is None):
            return None
        return words.about_age(self.card, self.now.astimezone(LONDON).date())

    @property
    def open(self) -> bool:
        return self.card.state != MatterState.CLOSED

    @property
    def taken(self) -> bool:
        return self.card.state == MatterState.TAKEN

    @property
    def mine(self) -> bool:
        return self.taken and self.card.taken_by is not None and self.card.taken_by.person_id == self.person_id

    @property
    def danger(self) -> bool:
        """Immediate danger that no person has lowered and that nobody has taken (H7)."""
        return self.card.interrupts

    @property
    def danger_by(self) -> list[str]:
        """Tells one danger of a child from the next: the marks of what is open and says what happened."""
        return [mark(one.fact_id) for one in self.unaddressed if one.kind in TELLS]

    @cached_property
    def in_danger(self) -> bool:
        return self.open and any(one.criterion is RiskCriterion.IMMEDIATE_DANGER for one in self.reasons)

    @property
    def tags(self) -> list[tuple[str, str]]:
        """What must be seen at a glance: a colour, and the words that say the same."""
        card, taken_by = self.card, self.card.taken_by
        whoever = [
            (self.danger, "red", "Immediate danger"),
            (self.in_danger and not self.danger, "red", "Immediate danger, taken"),
            (self.mine, "blue", "Yours"),
            (self.taken and not self.mine, "grey", f"Taken by {taken_by.name}" if taken_by else "Taken"),
            (not self.open, "grey", "Closed"),
        ]
        child = [
            (card.location_confidential, "orange", "Address is secret"),
            (self.under_protection, "orange", "Police protection"),
            (bool(card.protective_instructions), "orange", "Limits on who may collect"),
            (bool(card.hazards), "orange", "Hazard of a visit"),
            (card.protection_plan is YesNoUnknown.YES, "blue", "Child protection plan"),
            (self.looked_after, "blue", "Looked after"),
        ]
        return [(colour, text) for holds, colour, text in (whoever if self.withheld else whoever + child) if holds]

    @cached_property
    def reasons(self) -> list[RiskReason]:
        """Why it stands where it does: the criteria that hold."""
        return [one for one in self.card.risk if one.rank > 0]

    @property
    def because(self) -> str:
        """The reasons in one line."""
        return " ".join(one.words.rstrip(".") + "." for one in self.reasons)

    @cached_property
    def lowered(self) -> list[RiskReason]:
        """What no longer holds, as a person judged."""
        return [one for one in self.card.risk if one.lowered and not one.rank]

    @cached_property
    def facts(self) -> list[CardFact]:
        """The latest first."""
        return self.card.facts[::-1]

    @cached_property
    def unaddressed(self) -> list[CardFact]:
        """What nobody has acted on, and what has not ended by itself."""
        return [one for one in self.facts if not one.addressed and not one.settled]

    @cached_property
    def going_on(self) -> list[CardFact]:
        """What is still to be seen to: what nobody has acted on, and while somebody has taken it, what was taken."""
        closed = [one.acted_at for one in self.card.acts if one.act is HandoverAct.CLOSED and not one.refused]
        since = max(closed, default=None)
        taken = [one for one in self.facts if not one.settled and not (since and one.heard_at <= since)]
        return taken if self.taken else self.unaddressed

    @cached_property
    def asked(self) -> list[CardFact]:
        """What is asked of the team, what is due first above, what has no time last."""
        asks = [one for one in self.going_on if one.kind in ASKS or one.due_by]
        return sorted(asks, key=lambda one: (one.due_by is None, one.due_by or one.happened_at))

    @cached_property
    def due(self) -> CardFact | None:
        return next((one for one in self.asked if one.due_by), None)

    @cached_property
    def latest(self) -> CardFact | None:
        """What a list says of it: of what is still to be seen to, what happened rather than what is asked."""
        told = [one for one in self.going_on if one.kind in TELLS]
        return next(iter([*told, *self.going_on, *self.facts]), None)

    @cached_property
    def incident(self) -> str | None:
        """The police incident that is to be seen to, the latest if there are several; None of what must not be shown,
        since whom it stands with would say whom it is about (H3)."""
        told = (one for one in self.going_on if one.kind in (FactKind.INCIDENT, FactKind.UNMATCHED))
        return None if self.withheld else next((one.enquiry_id for one in told), None)

    @cached_property
    def voices(self) -> list[CardFact]:
        return [one for one in self.facts if one.voice]

    @cached_property
    def acts(self) -> list[CardAct]:
        """The latest first."""
        return self.card.acts[::-1]

    @property
    def addresses(self) -> str:
        """The facts that this page shows, as its forms carry them: an act is about no other (a list in JSON)."""
        return to_json([one.fact_id for one in self.card.facts]).decode()

    def is_new(self, fact_or_act_id: str) -> bool:
        """Whether it came after the worker opened the page."""
        return self.seen is not None and mark(fact_or_act_id) not in self.seen

    @property
    def news(self) -> bool:
        return any(self.is_new(one) for one in self._ids)

    @property
    def seen_now(self) -> str:
        """What this page shows, for its address when it is shown again."""
        return "-".join(mark(one) for one in self._ids)

    @property
    def _ids(self) -> list[str]:
        return [*(one.fact_id for one in self.card.facts), *(one.act_id for one in self.card.acts)]

    @property
    def waits(self) -> str | None:
        since = self.card.waiting_since
        return words.span(self.now - since) if since else None

    @property
    def by_morning(self) -> str:
        """As in `by 08:30`."""
        return words.near(self.morning, self.now)

    @property
    def waits_by_morning(self) -> str | None:
        """How long it will have waited when the day team begins."""
        since = self.card.waiting_since
        return words.span(self.morning - since) if since and since < self.morning else None

    @property
    def looked_after(self) -> bool:
        return "LOOKED_AFTER" in self.card.circumstances

    @property
    def protection_plan(self) -> str:
        plan = self.card.protection_plan
        return "Not known: ask as if there were one" if plan is YesNoUnknown.UNKNOWN else words.word(plan)

    @property
    def under_protection(self) -> bool:
        """Whether police protection holds at this moment."""
        protection = self.card.police_protection
        return protection is not None and protection.ends_at > self.now

    @property
    def last_act(self) -> CardAct | None:
        return next((one for one in self.acts if not one.refused), None)

    def overdue(self, fact: CardFact) -> bool:
        return fact.due_by is not None and fact.due_by < self.now

    def near(self, at: datetime) -> str:
        return words.near(at, self.now)

    def left(self, until: datetime) -> str:
        """How long it is until then."""
        return words.span(until - self.now)
