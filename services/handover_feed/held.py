"""What reached nobody, because a person must decide or because it could not be read → a fact, by ids alone.

Of a dead letter only the fields that hold no personal data are used: never its body, its headers or its key.
"""

from __future__ import annotations

from collections.abc import Iterator

from services.bus.events import (
    ChildMatched,
    ChildUnmatched,
    ContactReceived,
    DeadLetter,
    FactKind,
    Grading,
    IncidentReported,
    OperatorAct,
    OperatorActed,
    PoliceNotified,
    YesNoUnknown,
)
from services.handover_feed.facts import Fact, fact

OURSELVES = "handover-feed"
HELD = "held"
HELD_APART = "held:"
"""Begins the id of the matter of a dead letter that has no other."""
ABOUT_CHILDREN = ("police-notifications", "encompass-alerts")
"""Services whose holds name a child, or an unmatched one, as their subject."""
SENDERS = (IncidentReported.topic, ContactReceived.topic, ChildMatched.topic)
"""What senders outside say first here: if it could not be read, nobody knows of it but the sender."""
NOT_OURS_TO_SHOW = ("dead-letters.", "handover.")
"""Topics whose dead letters would follow from showing them: no letter about a letter."""
SEEN_BY_OTHERS = (ContactReceived.topic,)
"""Another service hears them too, and says so if they cannot be read."""
OUR_FAULT = ("decision_failed", "output_too_large", "same_id_twice")
TRIED = ("done", "repeated")
"""What a retry became that was decided. What died again has a dead letter of its own."""
LONGEST_ID = 200

WHY = {
    "H1": "the child's record was closed",
    "H3": "an adult of concern is connected with whoever would be told; a lead at the local authority releases it",
    "H7": "nobody could be found who takes it",
    "H8": "protective instructions are released by a named officer",
    "H9": "no school or team could be found to alert",
    "H12": "it is not certain who the child is",
    "H13": "the child's circumstances are special",
}
"""By rule of DOMAIN.md §4."""


def matter_of(letter: DeadLetter) -> str | None:
    """To which matter a dead letter belongs; None if it is not for the board.

    What is held because of a conflict is a matter of its own without a child: who works here may be the one (H3).
    """
    if not _concerns(letter):
        return None
    subject = letter.subject or ""
    names_child = letter.reason_code == HELD and letter.rule not in ("H3", "H8")
    return subject if names_child and 0 < len(subject) <= LONGEST_ID else f"{HELD_APART}{letter.dead_letter_id}"


def matter_of_act(acted: OperatorActed) -> str | None:
    """The matter of the dead letter that an operator has dealt with; None if it is about no such letter.

    One that names a child is on the child's own card, and ends there by what is told in its place, or by a worker.
    """
    kind, _, own_id = acted.about.partition(":")
    dealt_with = acted.act is OperatorAct.DISCARDED or (acted.act is OperatorAct.RETRIED and acted.became in TRIED)
    return f"{HELD_APART}{own_id}" if kind == "dead-letter" and own_id and dealt_with else None


def end_of(letter_id: object) -> str:
    """By what the fact of a dead letter ends."""
    return f"letter {letter_id}"


def of_dead_letter(letter: DeadLetter) -> Iterator[Fact]:
    """The fact of one: what is not known of it ranks as the worst plausible where it may be an incident (H7)."""
    if not _concerns(letter):
        return
    first_of_all = letter.origin_topic in (IncidentReported.topic, PoliceNotified.topic, ChildUnmatched.topic)
    incident = first_of_all and letter.rule != "H8"
    unread_contact = letter.origin_topic == ContactReceived.topic
    yield fact(
        letter,
        FactKind.HELD,
        happened_at=letter.origin_time or letter.happened_at,
        rule=letter.rule,
        ends=(end_of(letter.dead_letter_id),),
        text=_held(letter) if letter.reason_code == HELD else _unread(letter),
        said_by="the bus",
        danger=YesNoUnknown.UNKNOWN if incident and letter.service != ABOUT_CHILDREN[1] else None,
        grading=Grading.UNKNOWN if (incident and letter.service != ABOUT_CHILDREN[1]) or unread_contact else None,
        missing=YesNoUnknown.UNKNOWN if incident and letter.service != ABOUT_CHILDREN[1] else None,
    )


def _concerns(letter: DeadLetter) -> bool:
    if letter.service == OURSELVES:
        if letter.origin_topic.startswith(NOT_OURS_TO_SHOW) or letter.reason_code == "too_old":
            return False
        return letter.origin_topic not in SEEN_BY_OTHERS or letter.reason_code in OUR_FAULT
    if letter.reason_code == HELD:
        return letter.service in ABOUT_CHILDREN
    return letter.origin_topic in SENDERS and letter.reason_code != "too_old"


def _held(letter: DeadLetter) -> str:
    why = WHY.get(letter.rule or "", "a rule asks for a person")
    alert = letter.service == ABOUT_CHILDREN[1]
    what = "A domestic abuse alert" if alert else "Something from an incident"
    return f"{what} is held for a person and was told to nobody: {why} ({letter.rule}). {_where(letter)}"


def _unread(letter: DeadLetter) -> str:
    if letter.service == OURSELVES:
        return f"The board could not show something from {letter.origin_topic}: ask the MASH for it. {_where(letter)}"
    what = f"Something from {letter.origin_topic} could not be read or used ({letter.reason_code[:LONGEST_ID]})"
    return f"{what}, and nobody has been told: telephone the sender. {_where(letter)}"


def _where(letter: DeadLetter) -> str:
    event = f", event {letter.event_id[:LONGEST_ID]}" if letter.event_id else ""
    return f"(Dead letter {letter.dead_letter_id}{event}.)"
