"""Codes, ages and lengths of time in the words of a duty social worker: British English, London time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from services.bus.calendar import local
from services.bus.events import (
    CardFact,
    HandoverAct,
    MatterChanged,
    NoteKind,
    OpenCandidate,
    RecipientClass,
    Role,
    Team,
    Told,
    Worker,
)
from services.people.words import NO_TIME, day, from_us, organisation, word

__all__ = [
    "FACTS",
    "NOTES", "NO_TIME", "RECIPIENTS", "TEAMS", "about_age", "act", "agreement", "clock", "day",
    "fact", "from_us", "moment", "near", "organisation", "span", "team", "told", "word", "worker",
]  # fmt: skip

TEAMS = {Team.DAY: "the day team", Team.NIGHT: "the night team"}

FACTS = {
    "INCIDENT": "Police incident",
    "UNMATCHED": "Child not identified",
    "CONTACT": "Contact",
    "ALERT_UNREAD": "Domestic abuse alert not read",
    "INFORMATION_REQUESTED": "Information asked for",
    "STRATEGY_DISCUSSION": "Strategy discussion",
    "DECISION": "Decision",
    "DEADLINE_COMING": "Deadline",
    "DEADLINE_MISSED": "Deadline missed",
    "NOTE": "Note",
    "ASKED": "Asked of you",
    "HAZARD": "Hazard of a visit",
    "MATCHED": "Child identified",
    "HELD": "Held for a person",
}
"""By kind of fact: its heading."""

ACTS = {
    HandoverAct.TAKEN: "took this",
    HandoverAct.LET_GO: "let this go: somebody else must take it",
    HandoverAct.HANDED_TO_DAY: "handed this to the day team",
    HandoverAct.HANDED_TO_NIGHT: "handed this to the night team",
    HandoverAct.TAKEN_BACK: "took this back",
    HandoverAct.CLOSED: "closed this",
    HandoverAct.RISK_CHANGED: "judged that a risk no longer holds",
    HandoverAct.NOTED: "wrote a note",
    HandoverAct.PASSED_ON: "passed this on without opening it",
    HandoverAct.IDENTIFIED: "said who this child is",
    HandoverAct.UNKNOWN: "did something that this page has no words for",
}

TRIED = {
    HandoverAct.TAKEN: "tried to take this",
    HandoverAct.LET_GO: "tried to let this go",
    HandoverAct.HANDED_TO_DAY: "tried to hand this to the day team",
    HandoverAct.HANDED_TO_NIGHT: "tried to hand this to the night team",
    HandoverAct.TAKEN_BACK: "tried to take this back",
    HandoverAct.CLOSED: "tried to close this",
    HandoverAct.RISK_CHANGED: "tried to lower a risk",
    HandoverAct.PASSED_ON: "tried to pass this on without opening it",
    HandoverAct.IDENTIFIED: "tried to say who this child is",
    HandoverAct.UNKNOWN: "tried something that this page has no words for",
}

NOTES = {
    NoteKind.NOTE: ("A note", "Something that whoever sees to this should know."),
    NoteKind.ASKED: ("Something to be done", "You ask somebody to do something, by a time if you give one."),
    NoteKind.HAZARD: (
        "A hazard of a visit",
        "It stands as a warning to whoever goes there: a dog, a weapon, a threat.",
    ),
    NoteKind.PROTECTION_PLAN: (
        "The child has a child protection plan",
        "Say where you know it from, and what the plan asks.",
    ),
}
"""By kind: the choice, and its hint."""

RECIPIENTS = {
    RecipientClass.EDUCATION: "Schools and nurseries",
    RecipientClass.HEALTH: "GP practice, health visiting, school nursing, maternity",
    RecipientClass.POLICE: "Police",
    RecipientClass.REFERRER_PROFESSIONAL: "Whoever raised the concern, if a professional",
    RecipientClass.REFERRER_NOT_PROFESSIONAL: "Whoever raised the concern, if family or public",
    RecipientClass.SOCIAL_CARE: "Social care elsewhere",
    RecipientClass.OTHER: "Others, such as housing",
}
"""Whom a reason is written for (H5)."""

TOLD = {
    "police.notifications.v1": "Police notification",
    "encompass.alerts.v1": "Domestic abuse alert",
    "mash.information-requests.v1": "Request for information",
    "mash.outcomes.v1": "Outcome",
    "gp.updates.v1": "Update for the health record",
    "strategy.distributions.v1": "Strategy meeting: minutes or actions",
    "deadlines.missed.v1": "Something was not done in time",
}
"""By type of event: what somebody was told."""


CRITERIA = {
    "IMMEDIATE_DANGER": "immediate danger",
    "GRADING": "how it was graded: red, amber, green",
    "YOUNG": "a child under 5, or not born yet",
    "MISSING": "a child who is missing",
    "REPEAT": "not the first time within 12 months",
    "DEADLINE": "the nearest deadline",
}
"""By criterion of the order: what it is."""


def team(side: Team) -> str:
    return TEAMS.get(side, "a team that this page has no name for")


def worker(by: Worker) -> str:
    """Sam Okafor, out-of-hours social worker"""
    return f"{by.name}, {by.post}"


def act(one: HandoverAct, *, refused: bool = False) -> str:
    return (TRIED if refused else ACTS).get(one, ACTS[HandoverAct.UNKNOWN])


def fact(one: CardFact) -> str:
    return FACTS.get(one.kind, "Something that this page has no name for")


def told(one: Told) -> str:
    return TOLD.get(one.type, one.type)


def who_was_told(one: Told) -> str:
    """The role, and the organisation unless the place is confidential (H2)."""
    role = word(one.role) if one.role is not Role.UNKNOWN else "A role not named"
    return f"{role} ({organisation(one.organisation)})" if one.organisation else role


def span(long: timedelta) -> str:
    """4 minutes; 2 hours 14 minutes; 3 days 5 hours. Less than a minute is told as such."""
    minutes = int(long / timedelta(minutes=1))
    if minutes < 1:
        return "less than a minute"
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [(days, "day"), (hours, "hour"), (minutes, "minute")]
    told = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in parts if count]
    return " ".join(told[:2])


def clock(at: datetime) -> str:
    """03:12: at night and in a hurry, nobody has to look for am or pm."""
    here = local(at)
    return f"{here:%H:%M}" if here else NO_TIME


def moment(at: datetime) -> str:
    """Monday 23 November 2026 at 03:12"""
    here = local(at)
    return f"{here:%A} {day(here.date())} at {here:%H:%M}" if here else NO_TIME


def near(at: datetime, now: datetime) -> str:
    """03:12 today is `03:12`; else yesterday at 03:12, tomorrow at 08:30, or the day with its date."""
    here, today = local(at), local(now)
    if here is None or today is None:
        return NO_TIME
    days = (here.date() - today.date()).days
    if days == 0:
        return clock(at)
    name = {1: "tomorrow", -1: "yesterday"}.get(days)
    return f"{name} at {clock(at)}" if name else moment(at)


def about_age(card: MatterChanged, on: date) -> str:
    """The child's age in words; one that nobody knows is said to be treated as the worst plausible (H7)."""
    if "UNBORN" in card.circumstances:
        return "not born yet"
    born = card.about.date_of_birth if card.about else None
    if born is None:
        if card.stated_age is None:
            return "age not known, so treated as under 5"
        return f"about {_years(card.stated_age)}, as stated"
    if born > on:
        return "not born yet"
    years = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    if years >= 2:
        return _years(years)
    months = (on.year - born.year) * 12 + on.month - born.month - (on.day < born.day)
    if months >= 1:
        return f"{months} month{'' if months == 1 else 's'} old"
    days = (on - born).days
    return f"{days} day{'' if days == 1 else 's'} old"


def _years(years: int) -> str:
    return f"{years} year{'' if years == 1 else 's'} old"


def agreement(one: OpenCandidate) -> str:
    """agrees on NHS number; differs on date of birth, forename"""
    names = {"nhs_number": "NHS number", "upn": "unique pupil number"}
    agrees, differs = (
        ", ".join(names.get(code, code.replace("_", " ")) for code in some) for some in (one.matched_on, one.differs_on)
    )
    return f"agrees on {agrees or 'nothing'}; differs on {differs or 'nothing'}"


FILTERS: Mapping[str, Callable[..., Any]] = {
    "agreement": agreement,
    "day": day,
    "act": lambda one: act(one.act, refused=one.refused is not None),
    "fact": fact,
    "moment": moment,
    "organisation": organisation,
    "span": span,
    "team": team,
    "told": told,
    "who_was_told": who_was_told,
    "word": word,
    "worker": worker,
}
"""For the templates."""
