"""A decision at night → DecisionMade for each enquiry that it answers, then the act that carries it, in that order.

It is recorded and shared like any other (DOMAIN.md N9): mash-outcomes hears it. What that room would refuse is refused
here, before anything is said, in a sentence (N2). Every id follows from the form's own: who is told that nothing is
certain sends the same form again, and what is missing of it is added.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from services.bus.events import (
    CardFact,
    DecisionMade,
    FamilyTold,
    HandoverAct,
    HandoverActed,
    MatterChanged,
    Outcome,
    RecipientClass,
    ShareableReason,
    Team,
    Threshold,
)
from services.handover_feed.acting import acts
from services.handover_feed.acting.ids import decision_id, event_id
from services.handover_feed.acting.who import Staff
from services.handover_feed.board import reading
from services.handover_feed.board.reading import ActResult
from services.handover_feed.enquiries import STRATEGY

if TYPE_CHECKING:
    from services.handover_feed.door.context import Board

MUST_READ = (
    RecipientClass.EDUCATION,
    RecipientClass.HEALTH,
    RecipientClass.SOCIAL_CARE,
    RecipientClass.REFERRER_PROFESSIONAL,
)
"""A closure needs a reason for each: between them they cover every professional who must know (mash_outcomes)."""

READERS = {
    RecipientClass.EDUCATION: "schools and nurseries",
    RecipientClass.HEALTH: "health",
    RecipientClass.SOCIAL_CARE: "social care",
    RecipientClass.REFERRER_PROFESSIONAL: "a professional who raised the concern",
    RecipientClass.REFERRER_NOT_PROFESSIONAL: "a member of the public or the family who raised the concern",
    RecipientClass.POLICE: "the police",
    RecipientClass.OTHER: "others",
}

THEN = {HandoverAct.CLOSED: None, HandoverAct.HANDED_TO_DAY: Team.DAY, HandoverAct.HANDED_TO_NIGHT: Team.NIGHT}
"""What may follow from a decision, and to which side it then goes."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a worker decided, as the form says it."""

    outcome: Outcome
    threshold: Threshold
    family_told: FamilyTold
    what_happens_next: str
    rationale: str = ""
    """Internal: it never leaves (H5)."""
    reasons: Mapping[RecipientClass, str] = field(default_factory=dict)
    """As each class of recipient may read it (H5)."""
    closes: bool = False
    """It ends the enquiry."""
    approved_by: str = ""
    """The post that approved the reason for a referrer who is not a professional, who receives nothing without (H5)."""


async def decide(
    board: Board,
    staff: Staff,
    matter_id: str,
    decided: Decided,
    *,
    act_id: str,
    addresses: Sequence[str],
    then: HandoverAct = HandoverAct.CLOSED,
) -> ActResult:
    """Record the decision, then close the matter with it, or hand it on; what became of that act.

    Args:
        act_id: the form's own id.
        addresses: ids of the facts that the worker had seen: the decision answers their enquiries.
    """
    done = await board.access.read(lambda connection: reading.act(connection, act_id))
    if done is not None:
        return done
    card = await board.access.read(lambda connection: reading.card(connection, matter_id))
    refused = acts.NO_SUCH_MATTER if card is None else not_theirs(card, staff, then) or lacking(card, decided, then)
    if refused or card is None or card.child_id is None:
        return ActResult(act_id, matter_id, refused)
    answered = await _answered(board, card, addresses, act_id)
    made = [_made(board, staff, card, decided, act_id, enquiry_id) for enquiry_id in answered]
    own = [_event_id(act_id, enquiry_id) for enquiry_id in answered]
    act = acts.acted(
        board,
        staff,
        card,
        then,
        act_id,
        [*addresses, *own, *map(calls, own)],  # what comes of the decision itself is no news to who has decided
        reason=decided.rationale.strip() or decided.what_happens_next.strip(),
        decision_id=made[-1].decision_id,
    )
    events = [*((one, _event_id(act_id, one.enquiry_id)) for one in made), (act, event_id(HandoverActed, act_id))]
    return await acts.said(board, act_id, matter_id, *events)


async def _answered(board: Board, card: MatterChanged, addresses: Collection[str], act_id: str) -> list[str]:
    """The enquiries that the decision answers: those of which something is open, or else the latest; the latest last.

    Whoever repeats the form answers the same ones, whatever the decision itself has settled meanwhile.
    """
    facts = sorted((fact for fact in card.facts if fact.fact_id in addresses), key=lambda fact: fact.happened_at)
    every = _enquiries(facts) or [decision_id(act_id, "enquiry")]
    said = await board.letters.known([_event_id(act_id, one) for one in every])
    before = [one for one in every if _event_id(act_id, one) in said]
    still_open = _enquiries([fact for fact in facts if not (fact.addressed or fact.settled)])
    return before or still_open or every[-1:]


def _enquiries(facts: Iterable[CardFact]) -> list[str]:
    return list(dict.fromkeys(fact.enquiry_id for fact in facts if fact.enquiry_id))


def calls(event_id: str) -> str:
    """The fact of the strategy discussion that the decision with this event id calls for, if it does (hearing.py)."""
    return f"{event_id}:strategy"


def _event_id(act_id: str, enquiry_id: str) -> str:
    return event_id(DecisionMade, decision_id(act_id, enquiry_id))


def not_theirs(card: MatterChanged, staff: Staff, then: HandoverAct) -> str | None:
    """Why this worker may not decide here, as far as the board shows; None if they may.

    It is asked before anything is said: a decision is shared, whatever becomes of the act after it.
    """
    if card.taken_by is not None and card.taken_by.person_id != staff.person_id:
        return f"{card.taken_by.name}, {card.taken_by.post}, has this: nothing was decided or shared."
    if then not in THEN or THEN[then] is staff.team:
        return "Choose whether the decision closes the matter or hands it to the other side."
    return None


def lacking(card: MatterChanged, decided: Decided, then: HandoverAct = HandoverAct.CLOSED) -> str | None:
    """What such a decision lacks, in a sentence; None if nothing. What mash-outcomes refuses is among it (N2)."""
    if card.child_id is None:
        return "Nobody knows yet for certain who this child is: say who it is first, then decide."
    for asked, value in (
        ("what was decided", decided.outcome is not Outcome.UNKNOWN),
        ("the level of need", decided.threshold is not Threshold.UNKNOWN),
        ("whether the family was told", decided.family_told is not FamilyTold.UNKNOWN),
        ("what happens next", decided.what_happens_next.strip()),
    ):
        if not value:
            return f"Say {asked}."
    if then is HandoverAct.CLOSED and decided.outcome in STRATEGY and not decided.closes:
        return "A strategy discussion is still to be held: hand the matter to the other side instead of closing it."
    if decided.closes and not decided.rationale.strip():
        return "A decision that closes the enquiry needs a rationale."
    missing = [READERS[each] for each in MUST_READ if decided.closes and not decided.reasons.get(each, "").strip()]
    if missing:
        return f"A decision that closes the enquiry needs a reason that may be read by {', and one by '.join(missing)}."
    lay = decided.reasons.get(RecipientClass.REFERRER_NOT_PROFESSIONAL, "").strip()
    if lay and not decided.approved_by.strip():
        return "Say which post approved the reason for a referrer who is not a professional."
    return None


def _made(
    board: Board, staff: Staff, card: MatterChanged, decided: Decided, act_id: str, enquiry_id: str
) -> DecisionMade:
    assert card.child_id is not None, "such a card is refused"
    return DecisionMade(
        decision_id=decision_id(act_id, enquiry_id),
        enquiry_id=enquiry_id,
        child_id=card.child_id,
        decided_at=datetime.fromtimestamp(board.now_us / 1_000_000, UTC),
        decided_by=staff.post,
        triage=False,
        outcome=decided.outcome,
        closes=decided.closes,
        rationale=decided.rationale.strip() or None,
        shareable_reasons=[
            _reason(each, reason, decided) for each, reason in decided.reasons.items() if reason.strip()
        ],
        what_happens_next=decided.what_happens_next.strip(),
        threshold=decided.threshold,
        family_told=decided.family_told,
        location_confidential=card.location_confidential,
        adults_of_concern=card.adults_of_concern,
    )


def _reason(to: RecipientClass, reason: str, decided: Decided) -> ShareableReason:
    lay = to is RecipientClass.REFERRER_NOT_PROFESSIONAL
    return ShareableReason(
        recipient_class=to, reason=reason.strip(), approved_by=decided.approved_by.strip() if lay else None
    )
