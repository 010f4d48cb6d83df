"""What a dead letter's code or rule means to whoever runs the bus, what to do, and whether a retry can help."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from services.bus.deadletters import HELD
from services.bus.events import DeadLetter


class Retry(StrEnum):
    """Whether sending the very same bytes again can come to anything else."""

    HELPS = "helps"
    """What it lacked may be there by now."""
    AFTER = "after"
    """Once something of ours was mended: a schema, a setting, a version of the service."""
    NEVER = "never"


class Meaning(NamedTuple):
    """In plain words."""

    says: str
    do: str
    retry: Retry


HELPS, AFTER, NEVER = Retry.HELPS, Retry.AFTER, Retry.NEVER
ASK_THE_SENDER: Final = "Tell the sender, who puts it right and says it anew with a new id; then discard this one."

CODES: Final[Mapping[str, Meaning]] = {
    "undecodable": Meaning(
        "The body could not be read: it is damaged, or the sender does not write Avro as the contract has it.",
        f"Nobody knows what it says: telephone the sender now. {ASK_THE_SENDER} If our reader was at fault, retry "
        "it once that is mended.",
        AFTER,
    ),
    "unknown_schema": Meaning(
        "It was written with a schema that the registry did not know.",
        "Look whether the registry is the right one and has every schema: `safebus topics plan`, then `apply`. Then "
        "retry it.",
        HELPS,
    ),
    "wrong_type": Meaning(
        "It is no event of this topic, or its schema id leads to another schema than the one that wrote it.",
        "If the registry was made anew and renumbered, bring the old one back and retry it. Otherwise: "
        + ASK_THE_SENDER,
        AFTER,
    ),
    "invalid": Meaning(
        "It can be read, but a field is missing or wrong, so nobody may act on it.",
        ASK_THE_SENDER + " If the rule was wrong and is mended, retry it.",
        AFTER,
    ),
    "no_identity": Meaning(
        "It has no id or no source, so that a repeat of it could never be told from a new event.",
        "Nothing gives it an id afterwards. " + ASK_THE_SENDER,
        NEVER,
    ),
    "id_reused": Meaning(
        "Its id came before with other content. Which of the two is meant, only the sender knows.",
        "The first one stands and took effect. " + ASK_THE_SENDER,
        NEVER,
    ),
    "too_old": Meaning(
        "It was said longer ago than ids are kept, so a repeat of it could not have been recognised.",
        "Find out why it came so late, and whether it was acted on then. If it was not, retry it: a retry is taken at "
        "any age.",
        HELPS,
    ),
    "decision_failed": Meaning(
        "The service met a fault of its own when it decided this. The event itself is in order.",
        "Look into the service's log for `decision_failed` with this event's id, have the fault mended, then retry it.",
        AFTER,
    ),
    "output_too_large": Meaning(
        "What followed from it would be larger than an event may be.",
        "Let the sender make it smaller, or send large documents apart. If SAFEBUS_MAX_EVENT_BYTES was set too low, "
        "set it right on every service, then retry it.",
        AFTER,
    ),
    "same_id_twice": Meaning(
        "The decision said one thing twice under one id: a fault of the service.",
        "Have the fault mended, then retry it.",
        AFTER,
    ),
    "retry_overtaken": Meaning(
        "It was retried, but later events about the same had been decided meanwhile. To decide it now could undo them.",
        "A person has to look at both, and say what still holds as a new event. Then discard this one.",
        NEVER,
    ),
    "died_before": Meaning(
        "A recovery found that it had died before.",
        "Treat it as the dead letter that it was at first, which stands in this list too.",
        HELPS,
    ),
    "closure_without_rationale": Meaning(
        "A decision closes the enquiry and says not why, or not in words for everyone who must know (N2).",
        "Ask whoever decided for the missing reason; they record the decision again, with a new id. Then discard this.",
        NEVER,
    ),
    "request_without_ground": Meaning(
        "Others were asked for information below section 47, without the ground being recorded (H6).",
        "Ask whoever requested it for the ground; they make the request again, with a new id. Then discard this one.",
        NEVER,
    ),
    "disclosure_id_reused": Meaning(
        "Its disclosure's id stands for another disclosure already; it is in nobody's inbox.",
        "Whoever was to hear this has not. " + ASK_THE_SENDER,
        NEVER,
    ),
    "meeting_about_nobody": Meaning(
        "The strategy meeting names no child.",
        "Ask the chair's office to record the meeting with its children. Then discard this one.",
        NEVER,
    ),
    "incident_about_nobody": Meaning(
        "The incident names no child, so nobody was notified of it.",
        "Telephone the force's control room now: if a child was there, they report it again. Then discard this one.",
        NEVER,
    ),
    "references_not_unique": Meaning(
        "Two children of this incident have one reference, so no answer could tell them apart. Nobody was notified.",
        "Telephone the force's control room now: they report the incident again. Then discard this one.",
        NEVER,
    ),
    "no_such_child": Meaning(
        "Somebody answered about a child whom the incident does not have.",
        "Ask who answered which child was meant; they answer again. Retry it only if the incident came later.",
        HELPS,
    ),
    "not_in_directory": Meaning(
        "The answer names a child whom the directory did not hold as open.",
        "Look whether the directory has the child by now; then retry it. If the record was closed, ask for a new one.",
        HELPS,
    ),
    "answered_otherwise": Meaning(
        "It contradicts an earlier answer, by which people were told already (H16).",
        "A wrong child may have been notified: tell the front door's manager now. No retry may change it.",
        NEVER,
    ),
    "not_a_health_role": Meaning(
        "A cue for health names a role that keeps no health record (H11).",
        "A fault of what made the cue: have it mended, and tell the health liaison lead who has not heard.",
        NEVER,
    ),
    "nothing_to_file": Meaning(
        "A cue for health closes an enquiry without the reason written for health, or says nothing (H5).",
        "Ask whoever decided for health's reason; they record the decision again. Then discard this one.",
        NEVER,
    ),
    "nobody_to_escalate_to": Meaning(
        "A deadline names nobody who is told when it is missed, so nobody watches it.",
        "Watch it by hand, and have the service that set it mended.",
        NEVER,
    ),
    "disclosure_has_a_deadline": Meaning(
        "Another deadline waits for the receipt of the same disclosure. That other one is watched.",
        "Nothing is missed. Have the service that set it mended, then discard this one.",
        NEVER,
    ),
}

REFUSED: Final = Meaning(
    "The service refused it by a rule of its own, which the cause names.",
    "Put right what the cause names. If it lies in the event: " + ASK_THE_SENDER + " If it lay elsewhere, retry it.",
    AFTER,
)

RULES: Final[Mapping[str, Meaning]] = {
    rule: Meaning(says, do, NEVER)
    for rule, says, do in (
        (
            "H1",
            "The child's record was closed, so nobody may be told by it.",
            "The front door finds out whom it concerns now, off the bus, and joins no two records.",
        ),
        (
            "H3",
            "An adult of concern is connected with whoever would be told.",
            "A lead at the local authority takes it to a safe named person there, within the original deadline.",
        ),
        (
            "H4",
            "The chair or the police hold these minutes back, nobody was invited, or an action's owner was not.",
            "Ask the chair, whose new record of the meeting releases them, and who tells an owner who was not there.",
        ),
        (
            "H5",
            "A reason in words that this recipient may read is missing.",
            "Ask whoever decided to write it, and to record the decision again; nobody else may word it.",
        ),
        (
            "H7",
            "Nobody could be found who takes it, or what kind of incident it is was not said. It may be urgent.",
            "Telephone the front door now (at night the duty team). Then see that the directory names who takes it.",
        ),
        (
            "H8",
            "Protective instructions go to the safeguarding lead alone, and only a named officer releases them.",
            "Ask the officer in the case to release them to the designated safeguarding lead, by telephone.",
        ),
        (
            "H9",
            "No school, nursery or team could be found to alert before the next school day.",
            "The Operation Encompass lead finds out where the child is and tells them by telephone.",
        ),
        (
            "H10",
            "A professional raised it and named no organisation, so there is no inbox to answer to.",
            "Find out who it was, and tell them the outcome in person.",
        ),
        (
            "H11",
            "No practice or health team could be found that may file it safely.",
            "The health liaison lead finds out where the child is registered, and tells them.",
        ),
        (
            "H12",
            "It is not certain who the child is.",
            "The front door matches the child and answers as usual; until then nobody was told.",
        ),
        (
            "H13",
            "The child's circumstances are special: unborn, looked after, privately fostered, a parent under 18, or "
            "no child any more.",
            "The front door decides who may be told, and tells them in person.",
        ),
        (
            "H16",
            "It contradicts what was told already. A wrong warning may stand, or a true one be withdrawn.",
            "Two persons at the front door decide what is right; then whoever was told before is told so.",
        ),
    )
}
"""What is held: no retry can release it, since the rest of its event is done. A person acts, then it is discarded."""

HELD_FOR_A_PERSON: Final = Meaning(
    "A rule asks for a person here, and nothing was disclosed.",
    "See the rule in docs/rules.md, and the service's manager.",
    NEVER,
)


def meaning(letter: DeadLetter) -> Meaning:
    """What this dead letter means."""
    if letter.reason_code == HELD:
        return RULES.get(letter.rule or "", HELD_FOR_A_PERSON)
    return CODES.get(letter.reason_code, REFUSED)


def code(letter: DeadLetter) -> str:
    """Its reason as lists and filters have it: `invalid`, or `held:H3`."""
    return f"{HELD}:{letter.rule}" if letter.reason_code == HELD and letter.rule else letter.reason_code
