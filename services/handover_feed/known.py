"""What is known of the child of a matter, whichever event said it, in whatever order they came.

Each part is the latest that was said, the union, or the worst: so the same events give the same, however the topics
were read among each other (DESIGN.md §1.6).
"""

from __future__ import annotations

from typing import Any, Self
from uuid import UUID

from pydantic import AwareDatetime

from services.bus.envelope import Event, Model
from services.bus.events import (
    AdultLink,
    AdultOfConcern,
    ChildIdentity,
    ChildUnmatched,
    Circumstance,
    ContactReceived,
    DeadlineMissed,
    DecisionMade,
    Disclosure,
    HandoverNoted,
    HealthUpdated,
    MatterCued,
    NoteKind,
    PoliceNotified,
    PoliceProtection,
    ProtectiveInstruction,
    Role,
    YesNoUnknown,
)
from services.handover_feed.facts import cut

MOST = 20
"""Of each list."""
MOST_TOLD = 100
MOST_ADULTS = 100
MOST_INCIDENTS = 50
LONGEST_NAME = 200
LONGEST_ITEM = 1_000
WORST_LAST = (YesNoUnknown.NO, YesNoUnknown.UNKNOWN, YesNoUnknown.YES)


class Said(Model):
    """When something was said, and by which event: what is said later stands."""

    at: AwareDatetime
    event_id: str

    def before(self, other: Said) -> bool:
        return (self.at, self.event_id) < (other.at, other.event_id)


class Identity(Said):
    rank: int
    """Who had to recognise the child itself says more than what one recipient needed to know."""
    identity: ChildIdentity
    stated_age: int | None = None


class Protection(Said):
    protection: PoliceProtection


class Item(Said):
    """One of several."""

    text: str


class Informed(Model):
    """One who was told."""

    disclosure_id: UUID
    event_id: str
    type: str
    role: Role
    organisation: str
    """Empty where it would tell where the child is (H2)."""
    told_at: AwareDatetime
    due_by: AwareDatetime | None = None


class Known(Model):
    """Of the child, and of who was told about it."""

    about: Identity | None = None
    plan: YesNoUnknown | None = None
    """The worst that an incident was told with: one told without knowing takes back nothing."""
    plan_noted: bool = False
    """A worker has noted that there is a protection plan."""
    protection: Protection | None = None
    hazards: tuple[Item, ...] = ()
    instructions: tuple[ProtectiveInstruction, ...] = ()
    adults: tuple[AdultOfConcern, ...] = ()
    circumstances: tuple[Circumstance, ...] = ()
    location_confidential: bool = False
    asked_to_declare: bool = False
    """A disclosure to the front door says that its reader must declare first (H3)."""
    told: tuple[Informed, ...] = ()
    incidents: tuple[Item, ...] = ()
    """When the police became aware of each incident about this child; `text` is its id."""

    def heard(self, event: Event) -> Self:
        """What is known once this was said too."""
        now = self._told(event)
        match event:
            case PoliceNotified():
                return now._incident(event)
            case ChildUnmatched():
                said = Identity(
                    at=event.at, event_id=event.envelope.id, rank=2, identity=_short(event.identity),
                    stated_age=event.stated_age,
                )  # fmt: skip
                return now._with(about=_later(now.about, said))
            case ContactReceived() | DecisionMade():
                confidential = now.location_confidential or event.location_confidential
                return now._with(
                    adults=_merged(now.adults, event.adults_of_concern), location_confidential=confidential
                )
            case MatterCued() if event.meeting:
                confidential = now.location_confidential or event.meeting.location_confidential
                adults = _merged(now.adults, event.meeting.adults_of_concern)
                return now._with(adults=adults, location_confidential=confidential)
            case HandoverNoted(kind=NoteKind.HAZARD):
                return now._with(hazards=_with_items(now.hazards, event, [event.text]))
            case HandoverNoted(kind=NoteKind.PROTECTION_PLAN):
                return now._with(plan_noted=True)
        return now

    def _told(self, event: Event) -> Self:
        disclosure: Disclosure | None = getattr(event, "disclosure", None)
        if disclosure is None:
            return self
        informed = Informed(
            disclosure_id=disclosure.id,
            event_id=event.envelope.id,
            type=event.topic,
            role=disclosure.recipient_role,
            organisation="" if disclosure.location_confidential else disclosure.recipient[:LONGEST_NAME],
            told_at=event.at,
            due_by=disclosure.due_by,
        )
        told = {one.disclosure_id: one for one in (informed, *self.told)}
        latest = sorted(told.values(), key=lambda one: (one.told_at, str(one.disclosure_id)))[-MOST_TOLD:]
        # A deadline is kept as if the place were confidential while nobody can say yet whether it is.
        confidential = disclosure.location_confidential and not isinstance(event, DeadlineMissed)
        known = self._with(told=tuple(latest), location_confidential=self.location_confidential or confidential)
        identity: ChildIdentity | None = getattr(event, "about", None)
        if identity is None or isinstance(event, PoliceNotified):
            return known
        rank = 1 if isinstance(event, HealthUpdated) else 0
        said = Identity(at=event.at, event_id=event.envelope.id, rank=rank, identity=_short(identity))
        return known._with(about=_later(known.about, said))

    def _incident(self, told: PoliceNotified) -> Self:
        stamp: dict[str, Any] = {"at": told.at, "event_id": told.envelope.id}
        protection = None
        if told.police_protection:
            protection = Protection(**stamp, protection=told.police_protection)
        released = [one for one in told.protective_instructions if one.released_by]
        instructions = {one.model_dump_json(): one for one in (*self.instructions, *released)}
        aware = Item(at=told.aware_at, event_id=told.envelope.id, text=told.incident_id)
        incidents: dict[str, Item] = {}
        for item in sorted((*self.incidents, aware), key=lambda one: (one.at, one.event_id)):
            incidents.setdefault(item.text, item)
        return self._with(
            about=_later(self.about, Identity(**stamp, rank=2, identity=_short(told.about))),
            plan=max(self.plan or told.protection_plan, told.protection_plan, key=WORST_LAST.index),
            protection=protection
            if protection and (self.protection is None or self.protection.before(protection))
            else self.protection,
            hazards=_with_items(self.hazards, told, told.visit_hazards),
            instructions=tuple(instructions[key] for key in sorted(instructions))[:MOST],
            adults=_merged(self.adults, told.adults_of_concern),
            circumstances=tuple(sorted({*self.circumstances, *told.circumstances})),
            location_confidential=self.location_confidential or told.location_confidential,
            asked_to_declare=self.asked_to_declare or told.disclosure.declare_no_conflict,
            incidents=tuple(incidents.values())[-MOST_INCIDENTS:],
        )

    def _with(self, **changed: Any) -> Self:
        return self.model_copy(update=changed)


def _later(before: Identity | None, now: Identity) -> Identity:
    if before is None or (before.rank, before.at, before.event_id) < (now.rank, now.at, now.event_id):
        return now
    return before


def _short(identity: ChildIdentity) -> ChildIdentity:
    names = {name: getattr(identity, name)[:LONGEST_NAME] for name in ("forenames", "family_name")}
    return identity.model_copy(update=names)


def _with_items(before: tuple[Item, ...], event: Event, texts: list[str]) -> tuple[Item, ...]:
    """Each text once, as it was said first; the latest that there is room for."""
    new = [
        Item(at=event.at, event_id=event.envelope.id, text=cut(text, event)[:LONGEST_ITEM]) for text in texts if text
    ]
    items: dict[str, Item] = {}
    for item in sorted((*before, *new), key=lambda one: (one.at, one.event_id, one.text)):
        items.setdefault(item.text, item)
    return tuple(items.values())[-MOST:]


def _merged(before: tuple[AdultOfConcern, ...], said: list[AdultOfConcern]) -> tuple[AdultOfConcern, ...]:
    """Each adult once, with every link that anybody named: the worst of them counts (H3)."""
    links: dict[str, dict[str, AdultLink]] = {}
    for adult in (*before, *said):
        ours = links.setdefault(adult.reference, {})
        ours.update({link.model_dump_json(): link for link in adult.links})
    return tuple(
        AdultOfConcern(reference=reference, links=[links[reference][key] for key in sorted(links[reference])])
        for reference in sorted(links)
    )[:MOST_ADULTS]
