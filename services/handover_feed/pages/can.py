"""What a worker can do with a matter as it stands, and what is told of its child."""

from __future__ import annotations

from dataclasses import dataclass

from services.bus.events import Team
from services.handover_feed.pages import forms, matching, words
from services.handover_feed.pages.forms import Form
from services.handover_feed.pages.shown import Shown
from services.handover_feed.people.site import Staff


@dataclass(frozen=True, slots=True)
class Can:
    """Something that this worker can do with this matter now."""

    path: str
    name: str
    first: bool = False
    """It is what most will want to do."""
    at_once: bool = False
    """A button does it; else it has a page of its own."""


def can(m: Shown, staff: Staff) -> list[Can]:
    """What this worker can do now, the likeliest first. The log decides in the end (services/handover_feed/acts.py)."""
    found = []
    if m.mine:
        found = [*_see_to(m, staff), Can("let-go", "Let this go", at_once=True)]
    elif m.taken:
        found = [Can("make-let-go", "Release it: who has it cannot be asked")]
        if m.card.taken_by and m.card.taken_by.team is not staff.team:
            found.append(Can("take", "Take this over", at_once=True))
    elif m.open:
        found = [Can("take", "Take this", first=True, at_once=True), *_see_to(m, staff)]
    return [*found, Can("note", "Add a note")]


def _see_to(m: Shown, staff: Staff) -> list[Can]:
    found = [Can("decision", "Record a decision")] if m.card.child_id else []
    found += [Can("match", "Say who this child is")] if m.card.question else []
    found.append(Can("close", "Close without a decision"))
    if m.card.team is not staff.team:
        found += [Can("back", "Take back to your side")] if m.card.handed_on_at else []
    elif staff.team is Team.DAY:
        found.append(Can("to-night", "Hand to the night team"))
    else:
        found.append(Can("to-day", "Hand to the day team"))
    return [*found, *([Can("lower", "A risk no longer holds")] if m.reasons else [])]


def form_of(path: str, m: Shown, staff: Staff) -> Form | None:
    """What that path of the matter asks this worker for; None if nothing is done by it."""
    if path == "decision":
        return forms.decision(staff.team)
    if path == "match":
        return matching.form(m) if m.card.question else None
    return forms.lower(m) if path == "lower" else forms.FORMS.get(path)


def child(m: Shown) -> list[tuple[str, str]]:
    """What is known of the child, name by value."""
    about, rows = m.card.about, []
    if about:
        born = words.day(about.date_of_birth) if about.date_of_birth else "Not known"
        rows += [("Name", m.title), ("Date of birth", born)]
        rows += [("NHS number", about.nhs_number)] if about.nhs_number else []
    if m.age:
        rows.append(("Age", m.age[0].upper() + m.age[1:]))
    rows.append(("Child protection plan", m.protection_plan))
    rows.append(("Looked after", "Yes" if m.looked_after else "Not that the board knows"))
    other = [words.word(each) for each in m.card.circumstances if each != "LOOKED_AFTER"]
    return [*rows, ("Please note", ", ".join(other))] if other else rows
