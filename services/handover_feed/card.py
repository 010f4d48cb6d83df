"""A matter → what its card says: the body of MatterChanged, small enough for an event whatever came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from services.bus.directory import Directory
from services.bus.disclosing import conflict
from services.bus.events import (
    CardFact,
    ChildIdentity,
    ChildRecorded,
    FactKind,
    OpenCandidate,
    OpenQuestion,
    OrganisationRecorded,
    RecordStatus,
    Role,
    Told,
    YesNoUnknown,
)
from services.handover_feed.alarms import MOST
from services.handover_feed.facts import Fact
from services.handover_feed.risk import reasons
from services.handover_feed.sentences import escalation, joined, said_by, who, word, words
from services.handover_feed.state import State, due_by, state_of

if TYPE_CHECKING:
    from services.handover_feed.view import Matter

ROOM = 600_000
"""Bytes of what people wrote on one card: an event has 1,000,000."""
CUT = " … (cut: there is more than one card holds)"
ENDED = "This is the last of {} pages: paging has ended, and nobody has taken this. Telephone."
DOORS = (Role.MASH, Role.OUT_OF_HOURS)
"""Whose workers read the board."""


class Nobody:
    """A directory that knows nobody."""

    def organisation(self, organisation_id: str) -> OrganisationRecorded | None:
        return None

    def child(self, child_id: str) -> ChildRecorded | None:
        return None

    def children_with(self, scheme: str, value: str) -> list[ChildRecorded]:
        return []

    def organisations_in(self, role: Role, authority: str | None = None) -> list[OrganisationRecorded]:
        return []


NOBODY = Nobody()


def content(matter: Matter) -> Mapping[str, Any] | None:
    """What the card says, without what only the directory knows; None while there is nothing to show.

    Whether the card has changed is asked of this: the directory changes no card but by a cue that its record did.
    """
    begins = any(fact.kind is not FactKind.MATCHED and not fact.quiet for fact in matter.facts.values())
    return card(matter, NOBODY) | {"recorded": matter.recorded} if begins else None


def card(matter: Matter, directory: Directory) -> dict[str, Any]:
    """The fields of MatterChanged that say what is known; whoever emits it adds which change it is.

    Who a child is, the directory knows best; of a record that was closed it says nothing, since another may stand for
    the same child, and nothing may join the two (H1).
    """
    state, known = state_of(matter), matter.known
    found = directory.child(matter.child_id) if matter.child_id else None
    record = found if found and found.status is RecordStatus.OPEN else None
    confidential = known.location_confidential or bool(record and record.location_confidential)
    return {
        "matter_id": matter.matter_id,
        "child_id": matter.child_id,
        "state": state.state,
        "team": state.team,
        "handed_on_at": state.handed_on_at,
        "taken_by": state.holder,
        "taken_at": matter.standing.taken_at if state.holder else None,
        "waiting_since": state.waiting_since,
        "about": _about(matter, record),
        "stated_age": record.stated_age if record else known.about.stated_age if known.about else None,
        "location_confidential": confidential,
        "declare_no_conflict": _must_declare(matter, directory),
        "circumstances": sorted({*known.circumstances, *(record.circumstances if record else ())}),
        "protection_plan": _plan(matter, record),
        "police_protection": known.protection.protection if known.protection else None,
        "hazards": [item.text for item in known.hazards],
        "protective_instructions": list(known.instructions),
        "adults_of_concern": list(known.adults),
        "escalated_at": matter.paged.paged_at,
        "escalation": _escalation(matter, state),
        "interrupts": bool(state.danger),
        "risk": reasons(matter, state, record),
        "facts": _within_room([*_facts(matter, state, directory, confidential=confidential)]),
        "told": _told(matter, directory, confidential=confidential),
        "acts": matter.standing.history,
        "question": _question(matter, directory),
    }


def _question(matter: Matter, directory: Directory) -> OpenQuestion | None:
    """Who an unmatched child may be, as the directory has them now: no closed record is offered (H1, H12)."""
    asked = matter.question
    if asked is None or matter.matter_id.removeprefix("unmatched:") in matter.ended:
        return None
    likely = ((one, directory.child(one.child_id)) for one in asked.candidates)
    return OpenQuestion(
        incident_id=asked.incident_id,
        child_reference=asked.child_reference,
        candidates=[
            OpenCandidate(
                child_id=one.child_id,
                about=record.identity,
                matched_on=one.matched_on,
                differs_on=one.differs_on,
            )
            for one, record in likely
            if record and record.status is RecordStatus.OPEN
        ],
    )


def _about(matter: Matter, record: ChildRecorded | None) -> ChildIdentity | None:
    if record:
        return record.identity
    return matter.known.about.identity if matter.known.about else None


def _plan(matter: Matter, record: ChildRecorded | None) -> YesNoUnknown:
    """A worker's note that there is a plan stands; else the directory; else the worst that an incident told of."""
    if matter.known.plan_noted:
        return YesNoUnknown.YES
    if record and record.protection_plan is not YesNoUnknown.UNKNOWN:
        return record.protection_plan
    return matter.known.plan or YesNoUnknown.UNKNOWN


def _escalation(matter: Matter, state: State) -> str | None:
    if matter.paged.last is None:
        return None
    ended = ENDED.format(MOST) if matter.paged.has_ended(state.danger_since) else ""
    return joined([escalation(matter.paged.last), ended])


def _must_declare(matter: Matter, directory: Directory) -> bool:
    """Whether a reader declares first that there is no conflict: nobody knows whether an adult of concern works here.

    The board is read by both sides, so both count: the front doors that were told, and their like in the same area. A
    hold because of a conflict names neither child nor adult, and still is opened by nobody without a word (H3).
    """
    known = matter.known
    if known.asked_to_declare or any(
        fact.kind is FactKind.HELD and fact.rule == "H3" for fact in matter.facts.values()
    ):
        return True
    doors = {one.organisation for one in known.told if one.role in DOORS and one.organisation}
    codes = {found.local_authority_code for one in doors if (found := directory.organisation(one))}
    like = (one for code in codes if code for role in DOORS for one in directory.organisations_in(role, code))
    doors |= {one.organisation_id for one in like if one.status is RecordStatus.OPEN}
    if not known.adults:
        return False
    return not doors or any(conflict(known.adults, door) is not YesNoUnknown.NO for door in doors)


def _facts(matter: Matter, state: State, directory: Directory, *, confidential: bool) -> Iterator[CardFact]:
    shown = state.shown
    if matter.left_out:
        yield CardFact(
            fact_id=f"{matter.matter_id}:more",
            kind=FactKind.NOTE,
            happened_at=shown[0].happened_at,
            heard_at=shown[0].heard_at,
            said_by="the board",
            words=f"{matter.left_out} more things wait that one card has no room for: ask the MASH for them.",
            addressed=False,
            settled=True,
        )
    for fact in shown:
        said = [words(fact, directory, confidential=confidential), _answered(fact, matter)]
        yield CardFact(
            fact_id=fact.fact_id,
            kind=fact.kind,
            enquiry_id=fact.enquiry_id,
            happened_at=fact.happened_at,
            heard_at=fact.heard_at,
            said_by=said_by(fact, directory, confidential=confidential),
            words=" ".join(filter(None, said)),
            voice=fact.voice,
            due_by=due_by(fact, matter),
            addressed=state.addressed(fact, matter),
            settled=fact.fact_id in state.settled,
        )


def _answered(fact: Fact, matter: Matter) -> str:
    """What came back so far of what was asked for (N4)."""
    answers = matter.answers.get(fact.request_id, {}) if fact.request_id else {}
    parts = [
        f"{word(category)}: {answer.information or answer.withheld_reason or word(answer.state)}"
        for category, answer in sorted(answers.items())
    ]
    return f"Answered: {'; '.join(parts)}." if parts else ""


def _told(matter: Matter, directory: Directory, *, confidential: bool) -> list[Told]:
    return [
        Told(
            disclosure_id=one.disclosure_id,
            type=one.type,
            role=one.role,
            organisation=None
            if confidential or not one.organisation
            else who(one.organisation, one.role, directory, confidential=False),
            told_at=one.told_at,
            due_by=one.due_by,
            read_at=matter.read_at(str(one.disclosure_id)),
        )
        for one in matter.known.told
    ]


def _within_room(facts: list[CardFact]) -> list[CardFact]:
    """Each fact with as much of its words as all of them have room for."""
    share = ROOM // max(1, len(facts))
    return [_shortened(fact, share) if len(fact.words) + len(fact.voice or "") > share // 4 else fact for fact in facts]


def _shortened(fact: CardFact, size: int) -> CardFact:
    voice = fact.voice and _cut(fact.voice, size // 2)
    return fact.model_copy(update={"words": _cut(fact.words, size), "voice": voice})


def _cut(text: str, size: int) -> str:
    """As many whole characters as fit into so many bytes of UTF-8."""
    encoded = text.encode()
    return text if len(encoded) <= size else encoded[: size - len(CUT.encode())].decode(errors="ignore") + CUT
