"""What a worker can do with a matter: each form's fields, what they must hold, and what is typed into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import Any

from starlette.datastructures import FormData

from services.bus.calendar import LONDON
from services.bus.events import FamilyTold, HandoverAct, NoteKind, Outcome, RecipientClass, Team, Threshold
from services.handover_feed.pages import words
from services.handover_feed.pages.shown import Shown

LONGEST, LONGEST_REASON = 8_000, 1_000
"""Characters of one text, and of the reason for an act."""

Option = tuple[str, str, str]
"""Value, label, hint."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form, or a heading within it."""

    name: str
    label: str
    hint: str = ""
    type: str = "textarea"
    options: Sequence[Option] | None = None
    missing: str = ""
    """What is said when it is empty; without it, it may be."""
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """What one thing that can be done asks for."""

    path: str
    heading: str
    button: str
    act: HandoverAct | None = None
    """None of a note."""
    lead: Sequence[str] = ()
    fields: Sequence[Field] = ()
    closes: bool = False
    """Whether it says that what is open has been seen to: then nothing that is new may be passed over."""


@dataclass(slots=True)
class Typed:
    """What was typed into a form, and what is wrong with it."""

    values: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        return str(self.values.get(name) or "").strip()

    def one(self, name: str) -> str:
        chosen: list[str] = self.values.get(name) or []
        return chosen[0] if chosen else ""

    def many(self, name: str) -> list[str]:
        return self.values.get(name) or []


REASON = Field("reason", "Why?", "Both teams see this.", missing="Say why")

TAKE = Form("take", "Take", "Take", HandoverAct.TAKEN)
LET_GO = Form("let-go", "Let this go", "Let it go", HandoverAct.LET_GO)
MAKE_LET_GO = Form(
    "make-let-go",
    "Release it",
    "Release it",
    HandoverAct.LET_GO,
    lead=["Only if whoever took this cannot be asked: that person may be on the way to the child."],
    fields=[REASON],
)
TO_DAY = Form(
    "to-day",
    "Hand to the day team",
    "Hand to the day team",
    HandoverAct.HANDED_TO_DAY,
    fields=[Field("reason", "Why can it wait, and what should the day team do?",
                  missing="Say why it can wait, and what the day team should do")],
    closes=True,
)  # fmt: skip
TO_NIGHT = Form(
    "to-night",
    "Hand to the night team",
    "Hand to the night team",
    HandoverAct.HANDED_TO_NIGHT,
    fields=[Field("reason", "What should the night team do, and why tonight?",
                  missing="Say what the night team should do, and why tonight")],
    closes=True,
)  # fmt: skip
BACK = Form("back", "Take this back", "Take it back", HandoverAct.TAKEN_BACK, fields=[REASON])
CLOSE = Form(
    "close",
    "Close without a decision",
    "Close it",
    HandoverAct.CLOSED,
    lead=["Use this when nothing more is to be done and nothing was decided, such as once a school read its alert."],
    fields=[Field("reason", "Why is nothing more to be done?", missing="Say why nothing more is to be done")],
    closes=True,
)  # fmt: skip
NOTE = Form(
    "note",
    "Add a note",
    "Add the note",
    fields=[
        Field("kind", "What is it?", type="radio", missing="Choose what it is",
              options=[(kind.value, label, hint) for kind, (label, hint) in words.NOTES.items()]),
        Field("text", "The note", missing="Write the note"),
        Field("to", "Which team is it for above all?", "Both see it at once.", "radio", missing="Choose a team",
              options=[(Team.NIGHT.value, "The night team", ""), (Team.DAY.value, "The day team", "")]),
        Field("due_day", "By which day, if something must be done", "Leave it empty if no time is set.", "date"),
        Field("due_time", "By what time", "24-hour clock, such as 06:30.", "time"),
    ],
)  # fmt: skip

BY_ITSELF = replace(
    NOTE,
    heading="Write a handover note",
    fields=[
        replace(NOTE.fields[0], options=[(kind.value, *words.NOTES[kind]) for kind in (NoteKind.NOTE, NoteKind.ASKED)]),
        *NOTE.fields[1:],
    ],
)
"""About no matter that the board has."""

FORMS = {form.path: form for form in (TAKE, LET_GO, MAKE_LET_GO, TO_DAY, TO_NIGHT, BACK, CLOSE, NOTE)}
"""By path; `decision` and `lower` depend on the matter."""

REASON_FOR = {each: f"reason-{each.value.lower().replace('_', '-')}" for each in words.RECIPIENTS}
"""The field of the reason that each class of recipients may read."""


def lower(m: Shown) -> Form:
    """A risk that no longer holds: one of those that hold now."""
    options = [(one.criterion.value, one.words, "") for one in m.reasons if one.criterion.value in words.CRITERIA]
    return Form(
        "lower",
        "A risk no longer holds",
        "Lower the risk",
        HandoverAct.RISK_CHANGED,
        lead=["It counts for what is shown here only. If anything else happens, the risk stands again."],
        fields=[
            Field("no_longer", "Which no longer holds?", "Choose all that apply.", "checkbox", options,
                  "Choose what no longer holds"),
            Field("reason", "How do you know?", missing="Say how you know"),
        ],
        closes=True,
    )  # fmt: skip


def decision(team: Team) -> Form:
    """An outcome with both rationales (H5), shared by the bus as any other (N9).

    Args:
        team: the side of whoever decides: what is to be carried on goes to the other, whichever has it now.
    """
    return Form(
        "decision",
        "Record a decision",
        "Record the decision",
        lead=["It is recorded and shared like a decision made by day. Whoever must know is told at once."],
        fields=[
            Field("outcome", "What was decided?", type="radio", missing="Choose what was decided",
                  options=[(each.value, words.word(each), "") for each in Outcome if each != "UNKNOWN"]),
            Field("threshold", "What is the level of need?", type="radio", missing="Choose the level of need",
                  options=[(each.value, words.word(each), "") for each in Threshold if each != "UNKNOWN"]),
            Field("family_told", "Does the family know?", type="radio", missing="Choose whether the family knows",
                  options=[(each.value, words.word(each), "") for each in FamilyTold if each != "UNKNOWN"]),
            Field("closes", "Does this end the enquiry?", type="radio", missing="Choose whether this ends the enquiry",
                  options=[("no", "No, it goes on", ""),
                           ("yes", "Yes", "Then a rationale and the reasons below are needed.")]),
            Field("rationale", "The rationale", "It stays within social care, and no partner reads it."),
            Field("what_happens_next", "What happens next", "Everybody who is told reads this.",
                  missing="Say what happens next"),
            Field("", "", "Each is read by those whom it names and by nobody else. Leave out what they need not know, "
                  "and where the child is.", heading="The reason, as others may read it"),
            *[Field(REASON_FOR[each], label) for each, label in words.RECIPIENTS.items()],
            Field("approved_by", "Who approved the reason for family or public?",
                  "The post, such as MASH manager. Only if you wrote such a reason.", "text"),
            Field("then", "What happens to this matter now?", type="radio", options=_then(team),
                  missing="Choose what happens to this matter"),
        ],
        closes=True,
    )  # fmt: skip


def _then(team: Team) -> list[Option]:
    day = team is Team.DAY
    on, name = (HandoverAct.HANDED_TO_NIGHT, "night") if day else (HandoverAct.HANDED_TO_DAY, "day")
    return [
        (HandoverAct.CLOSED.value, "It is closed: nothing more is to be done", ""),
        (on.value, f"It goes to the {name} team, to be carried on", ""),
    ]


def read(form: Form, sent: FormData) -> Typed:
    """What was sent, kept as typed, with what is missing."""
    typed = Typed()
    for each in form.fields:
        if each.heading:
            continue
        if each.options is not None:
            allowed = {value for value, _, _ in each.options}
            typed.values[each.name] = [value for value in sent.getlist(each.name) if value in allowed]
        else:
            typed.values[each.name] = str(sent.get(each.name) or "").replace("\r\n", "\n")
        if each.missing and not (typed.values[each.name] and str(typed.values[each.name]).strip()):
            typed.errors[each.name] = each.missing
        elif len(typed.values[each.name]) > (most := LONGEST_REASON if each.name == "reason" else LONGEST):
            typed.errors[each.name] = f"Write at most {most:,} characters"
    return typed


def due(typed: Typed, now: datetime) -> datetime | None:
    """The moment of a note's two fields, as London's clocks show it."""
    on, at = typed.text("due_day"), typed.text("due_time")
    if typed.one("kind") != NoteKind.ASKED.value or not (on or at):
        if on or at:
            typed.errors["due_day"] = "Only something to be done has a time: choose that above, or leave this empty"
        return None
    try:
        moment = datetime.combine(date.fromisoformat(on), time.fromisoformat(at or "23:59"), LONDON)
    except ValueError:
        typed.errors["due_day"] = "Enter a whole date, and a time such as 06:30"
        return None
    if moment <= now:
        typed.errors["due_day"] = "Enter a time that is still to come"
    return moment


def reasons(typed: Typed) -> Mapping[RecipientClass, str]:
    return {each: typed.text(name) for each, name in REASON_FOR.items() if typed.text(name)}
