"""Months, numbers and spans in words, and what a finding or a rule is called. British English, London time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime

from services.bus.calendar import local
from services.people import words as people

SUPPRESSED = "fewer than 5, or withheld"
"""Of a suppressed cell. It may be a larger number, by which one under 5 could be worked out; nothing tells which."""
NO_CASES = "no cases"
STAR, DASH = "*", "–"
"""In a chart, in place of a value that may not be shown, and where there was nothing to measure."""
KEY = {
    STAR: "fewer than 5, or withheld so that nobody can work out a number that is",
    DASH: "no cases, so there is nothing to measure",
}

FINDINGS = {
    "N1": "Outcomes of MASH discussions were not always shared with GPs and health visitors",
    "N2": "Too little rationale was shared when a MASH enquiry or an assessment was closed",
    "N3": "Responses to MASH information requests did not always come back in time",
    "N4": "Responses left gaps: learning needs, educational progress, culture and heritage",
    "N5": "Minutes of strategy discussions came too slowly, above all to those who could not attend",
    "N6": "Health could not always attend strategy discussions; police could ask for one more assertively",
    "N7": "Out-of-hours demand rises: those most at risk come first, the others wait until the next day",
    "N8": "Handover works in both directions, and must not get worse",
    "N9": "No record was kept of the decisions of daily triage",
    "N10": "The partnership lacked consolidated, aligned performance data",
    "N12": "Records should show what was shared, with whom and when",
    "N13": "Good practice: children’s voice is recorded, and domestic abuse reaches schools promptly",
    "N14": "School nurses rarely raise concerns",
}
"""What the inspections found, in short: N9 and N12 Ofsted 2017-2020, the others JTAI of Buckinghamshire, 2024."""
OLDER = {"N9", "N12"}
RULES = {
    "H2": "Where a child’s place is confidential, so is who was told",
    "H5": "A closure has a rationale that stays inside, and a reason to share",
    "H7": "Immediate danger interrupts, and waits for nobody",
    "H9": "Operation Encompass’s clock starts when the police become aware",
}
"""Rules of safebus itself that prevent harm, as far as measures cite them."""

_CODE = re.compile(r"\b[NH]\d+\b")
MINUTE, HOUR, DAY = 60, 3600, 86400


def answers(source: str) -> list[str]:
    """What a measure's source names by code, each with whose it is and what it says; then what it says in words."""
    named = [code for code in dict.fromkeys(_CODE.findall(source)) if code in FINDINGS or code in RULES]
    rest = re.sub(rf"\b(?:{'|'.join(named)})\b[,;]?\s*", "", source).strip(" ,;") if named else source
    return [*(f"{code}, {_whose(code)}: {FINDINGS.get(code) or RULES[code]}" for code in named), *filter(None, [rest])]


def _whose(code: str) -> str:
    if code in RULES:
        return "rule of safebus"
    return "Ofsted 2017 to 2020" if code in OLDER else "JTAI 2024"


def month(first: date) -> str:
    """October 2026"""
    return f"{first:%B %Y}"


def months(asked: Sequence[date]) -> str:
    """October 2026, or November 2025 to October 2026"""
    return month(asked[0]) if len(asked) == 1 else f"{month(asked[0])} to {month(asked[-1])}"


def period(of: date, *, by_day: bool) -> str:
    return f"{of:%A} {people.day(of)}" if by_day else month(of)


def unfinished(first: date, made_at: datetime) -> bool:
    """Whether that month was not over when the figures were made."""
    here = local(made_at)
    return here is not None and (first.year, first.month) >= (here.year, here.month)


def going_on(day: date, made_at: datetime) -> bool:
    """Whether that day was not over when the figures were made."""
    here = local(made_at)
    return here is not None and day >= here.date()


def number(value: float) -> str:
    """1,234"""
    return f"{value:,.0f}"


def percent(share: float) -> str:
    """79%. Only what is all or nothing is called 100% or 0%."""
    if 0 < share < 0.005:
        return "under 1%"
    return "over 99%" if 0.995 <= share < 1 else f"{100 * share:.0f}%"


def span(seconds: float) -> str:
    """12 seconds, 14 min, 3 h 10 min, 2 days 4 h, 12 days"""
    if seconds < 1:
        return "under 1 second"
    whole = round(seconds)
    if whole < 2 * MINUTE:
        return "1 second" if whole == 1 else f"{whole} seconds"
    if (minutes := round(seconds / MINUTE)) < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return _both(minutes // 60, "h", minutes % 60, "min")
    if (hours := round(seconds / HOUR)) < 7 * 24:
        days = hours // 24
        return _both(days, "day" if days == 1 else "days", hours % 24, "h")
    return f"{round(seconds / DAY):,} days"


def short_span(seconds: float) -> str:
    """As a scale or a chart says it: 30 s, 15 min, 2 h, 5 d"""
    for size, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= size:
            many = seconds / size
            return f"{many:,.{0 if many >= 10 else 1}f}".removesuffix(".0") + f" {name}"
    return f"{seconds:,.0f} s"


def made(at: datetime) -> str:
    """Monday 23 November 2026 at 8:45am"""
    return people.moment(at)


def sentence(text: str) -> str:
    """With its first letter large."""
    return text[:1].upper() + text[1:]


def _both(large: int, of_large: str, small: int, of_small: str) -> str:
    return f"{large} {of_large}" + (f" {small} {of_small}" if small else "")
