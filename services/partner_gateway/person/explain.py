"""What a disclosure means to the person who opens it, and what to do: one account for each type of event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from services.bus import events as e
from services.bus.envelope import Event
from services.people.words import day, moment, organisation, word

TITLES = {
    e.SchoolAlerted.topic: "Domestic abuse alert",
    e.OutcomeShared.topic: "Outcome of a safeguarding enquiry",
    e.HealthUpdated.topic: "Update for a health record",
    e.MinutesDistributed.topic: "Strategy meeting: minutes and actions",
    e.InformationRequested.topic: "Request for information",
    e.PoliceNotified.topic: "Police notification",
    e.DeadlineMissed.topic: "Something was not done in time",
    e.SandboxAlerted.topic: "Rehearsal: nothing in it is real",
}
"""By type: what it is called in a list, where nobody may learn whom it is about."""

KEEP_APART = "Keep it in the child’s safeguarding file, apart from the ordinary pupil record."
NEVER_TELL = "Do not tell the child, a parent or a carer that you received it, or leave it where they may see it."

Fact = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Action:
    """Something that the organisation is asked to do by a moment."""

    what: str
    due: str


@dataclass(frozen=True, slots=True)
class Account:
    """A disclosure in words. Each `long` text stands under a heading of its own."""

    title: str
    meaning: str
    facts: list[Fact]
    to_do: list[str]
    acted: str
    """What somebody says who has acted on it."""
    long: list[Fact] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    instructions: list[Fact] = field(default_factory=list)
    """Who must not collect or approach the child, and until when: an item of its own (H8)."""
    warnings: list[str] = field(default_factory=list)
    has_document: bool = False
    confirm_hidden: bool = False
    """Whether acting on it includes to confirm that it is hidden from online access (H11)."""


def explain(told: Event) -> Account:
    """The account of an event that discloses."""
    return _ACCOUNTS[type(told)](told)


def why(disclosure: e.Disclosure) -> list[Fact]:
    """Why this organisation was told, and on what lawful basis."""
    return [
        ("Purpose", word(disclosure.purpose)),
        ("Lawful basis", word(disclosure.lawful_basis)),
        ("You are told as", word(disclosure.recipient_role)),
    ]


def _child(about: e.ChildIdentity) -> list[Fact]:
    name = f"{about.forenames} {about.family_name}".strip()
    facts = [
        ("Child", name or "Name not known"),
        ("Date of birth", day(about.date_of_birth) if about.date_of_birth else "Not known"),
    ]
    if about.upn:
        facts.append(("Unique pupil number", about.upn))
    if about.nhs_number:
        facts.append(("NHS number", about.nhs_number))
    return facts


def _school_alerted(told: e.SchoolAlerted) -> Account:
    place = {e.Role.SCHOOL: "school", e.Role.NURSERY: "nursery"}.get(told.disclosure.recipient_role, "organisation")
    meaning = (
        "The police have recorded domestic abuse at a place with which this child is connected. You are told so that "
        f"somebody at your {place} can look out for the child. You are told no more than this, to keep the child safe."
    )
    warnings = ["This happened some time ago. The police became aware of it later."] if told.historic else []
    return Account(
        title=TITLES[told.topic],
        meaning=meaning,
        facts=[
            *_child(told.about),
            ("When it happened", moment(told.incident_at)),
            ("Police became aware", moment(told.aware_at)),
            ("How the child is connected", word(told.presence)),
        ],
        to_do=[*_sentences(told.what_to_do), KEEP_APART, NEVER_TELL],
        acted=f"I have told the people at our {place} who need to know, and support for the child is in place",
        warnings=warnings,
    )


def _outcome_shared(told: e.OutcomeShared) -> Account:
    return Account(
        title=TITLES[told.topic],
        meaning="Children’s social care have decided about a concern for this child."
        + (" This closes the enquiry." if told.closes else " The enquiry goes on."),
        facts=[*_child(told.about), ("Decision", word(told.outcome)), ("Decided", moment(told.decided_at))],
        long=_said(("Why", told.reason), ("What happens next", told.what_happens_next)),
        to_do=[
            "Check that what you do for this child fits the decision.",
            "If you disagree, or know something that was not considered, tell the MASH now.",
            KEEP_APART,
        ],
        acted="I have acted on this decision where we need to",
    )


def _health_updated(told: e.HealthUpdated) -> Account:
    return Account(
        title=TITLES[told.topic],
        meaning="This is for the child’s own health record. A parent who can see the record online must not see it.",
        facts=[*_child(told.about), ("Decision", word(told.outcome)), ("Decided", moment(told.decided_at))],
        long=_said((told.title, told.text)),
        to_do=[
            "Check that the child is registered with you, by NHS number, name and date of birth.",
            "File it in this child’s record only, not in a parent’s or a sibling’s.",
            "Hide it from online access, and check that it does not show in the patient’s own view.",
            "Come back to this page and confirm that it is filed and hidden.",
        ],
        acted="I have filed this in the child’s record",
        confirm_hidden=True,
    )


def _minutes_distributed(told: e.MinutesDistributed) -> Account:
    release = word(e.Release.ACTIONS_ONLY if told.release is e.Release.UNKNOWN else told.release)
    to_do = ["Make sure that each of your actions has somebody who does it in time."] if told.own_actions else []
    if told.was_absent:
        to_do.append("You are not recorded as present: read this first, and ask the chair if anything is unclear.")
    return Account(
        title=TITLES[told.topic],
        meaning="A strategy meeting was held about a child, and your organisation was invited. "
        "The chair decided how much of the minutes you receive.",
        facts=[
            ("Meeting held", moment(told.held_at)),
            ("Meeting number", told.meeting_id),
            ("You receive", release),
            ("Recorded as present", "No, or not known" if told.was_absent else "Yes"),
        ],
        long=_said(("Minutes", told.text)),
        actions=[Action(action.what, moment(action.due_by)) for action in told.own_actions],
        to_do=[*to_do, "Do not pass the minutes on, and do not ask others for theirs: each has its own version."],
        acted="Our actions have been done",
        has_document=told.document is not None and told.release is e.Release.FULL,
    )


def _information_requested(told: e.InformationRequested) -> Account:
    unsafe = told.family_told is e.FamilyTold.NOT_TOLD_UNSAFE
    warnings = ["The family must not learn that you were asked. Telling them is not safe."] if unsafe else []
    return Account(
        title=TITLES[told.topic],
        meaning="The MASH asks what your organisation knows about this child. You do not need the family’s consent to "
        "answer.",
        facts=[
            *_child(told.about),
            ("How urgent", word(told.priority)),
            ("Why the MASH may ask", word(told.threshold)),
            ("Authorised by", told.authorised_by or "Not needed at this level"),
            ("Does the family know", word(told.family_told)),
            ("Request number", told.request_id),
        ],
        long=_said(
            ("What you are asked for", "\n".join(word(category) for category in told.categories)),
            ("Why the family was not told", told.family_not_told_reason),
        ),
        to_do=[
            "For each thing asked, give what you know, say that you know nothing, or say why you withhold it.",
            "Send your answer to the MASH by your agreed secure way, with the request number. "
            "You cannot answer on this page.",
            "If you cannot answer in time, tell the MASH before the time is up.",
        ],
        acted="I have sent our answer to the MASH",
        warnings=warnings,
    )


def _police_notified(told: e.PoliceNotified) -> Account:
    wish = told.strategy_discussion
    danger = {
        e.YesNoUnknown.YES: ["The police say that a child is in immediate danger. Act now."],
        e.YesNoUnknown.UNKNOWN: ["The police do not say whether a child is in immediate danger. Act as if one is."],
    }.get(told.immediate_danger, [])
    historic = ["This happened some time ago. The police became aware of it later."] if told.historic else []
    about = ", ".join(word(kind) for kind in told.kinds) or word("UNKNOWN")
    facts = [
        *_child(told.about),
        ("What it is about", about),
        ("Graded by the police", word(told.grading)),
        ("When it happened", moment(told.occurred_at)),
        ("Police became aware", moment(told.aware_at)),
        ("How the child is connected", word(told.presence)),
        ("Police force", organisation(told.force)),
        ("Incident number", told.incident_id),
        ("Strategy discussion asked for", f"{word(wish.wanted)}: {wish.reason}" if wish.reason else word(wish.wanted)),
    ]
    if told.circumstances:
        facts.append(("Please note", ", ".join(word(each) for each in told.circumstances)))
    return Account(
        title=TITLES[told.topic],
        meaning="The police tell you about an incident and a child who was there or lives there.",
        facts=facts,
        long=_said(
            ("What happened", told.narrative),
            ("What the child said or showed", told.voice),
            ("Why the child’s voice was not recorded", told.voice_not_recorded_reason),
        ),
        instructions=[
            (each.instruction, moment(each.until) if each.until else "Until it is withdrawn")
            for each in told.protective_instructions
            if each.released_by  # until an officer has released it, it goes to nobody (H8)
        ],
        to_do=[
            "Decide what is done about it, and record the decision and the reason.",
            "Ask the force for an address if you need one: it does not travel with the notification.",
        ],
        acted="A decision has been made and recorded",
        warnings=[*danger, *historic],
    )


def _deadline_missed(told: e.DeadlineMissed) -> Account:
    facts = [
        ("What was expected", word(told.kind)),
        ("It was due by", moment(told.due_by)),
        ("Who should have done it", word(told.owed_role)),
    ]
    if told.owed_by:
        facts.append(("Which organisation", organisation(told.owed_by)))
    return Account(
        title=TITLES[told.topic],
        meaning="Somebody was expected to do something for a child by a set time and has not. It now comes to you.",
        facts=[*facts, ("Child’s reference", told.child_id)],
        to_do=[
            "Contact the organisation now, by telephone, and make sure that a named person acts.",
            "If nobody there may open it, because they are or may be connected with an adult in the case, "
            "have somebody else there named who may: ask whoever looks after the partners at your local authority.",
            "If you cannot reach anybody, do what is needed for the child yourself.",
        ],
        acted="I have made sure that somebody acts",
    )


def _sandbox_alerted(told: e.SandboxAlerted) -> Account:
    return Account(
        title=TITLES[told.topic],
        meaning="This is a rehearsal of an alert. The child and the incident are made up, and nobody is waiting.",
        facts=[*_child(told.about), ("When it did not happen", moment(told.incident_at))],
        to_do=[*_sentences(told.what_to_do), "Try the buttons below: what you record here is about nobody."],
        acted="I have tried this page",
    )


_ACCOUNTS: dict[type[Event], Callable[..., Account]] = {
    e.SchoolAlerted: _school_alerted,
    e.OutcomeShared: _outcome_shared,
    e.HealthUpdated: _health_updated,
    e.MinutesDistributed: _minutes_distributed,
    e.InformationRequested: _information_requested,
    e.PoliceNotified: _police_notified,
    e.DeadlineMissed: _deadline_missed,
    e.SandboxAlerted: _sandbox_alerted,
}


def _said(*texts: tuple[str, str | None]) -> list[Fact]:
    return [(heading, text) for heading, text in texts if text]


def _sentences(text: str) -> list[str]:
    """One line for each sentence."""
    parts = text.replace("\n", " ").split(". ")
    return [part.strip().rstrip(".") + "." for part in parts if part.strip()]
