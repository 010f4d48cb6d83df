"""The page on which a worker says who an unmatched child is: what the police say beside what the index says (H12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from services.bus.contract.identifiers import plain
from services.bus.events import ChildIdentity, OpenCandidate
from services.handover_feed.pages import words
from services.handover_feed.pages.forms import Field, Form
from services.handover_feed.pages.shown import Shown


@dataclass(frozen=True, slots=True)
class Cell:
    """What the index says of one child, and whether it is what the police say; None where either says nothing."""

    value: str
    same: bool | None


@dataclass(frozen=True, slots=True)
class Row:
    """One piece of evidence."""

    name: str
    said: str
    cells: list[Cell]


def form(m: Shown) -> Form:
    """Which of those whom the index offers, and how that is known."""
    question = m.card.question
    found = question.candidates if question else []
    options = [(one.child_id, f"Child {n}: {_name(one.about)}", _differs(one)) for n, one in enumerate(found, 1)]
    return Form(
        "match",
        "Say who this child is",
        "Say who this child is",
        fields=[
            Field("child_id", "Who is it?", type="radio", options=options, missing="Choose who it is"),
            Field("reason", "How do you know?", "Such as what the officer or the school has told you, and when.",
                  missing="Say how you know"),
        ],
        closes=True,
    )  # fmt: skip


def evidence(m: Shown) -> list[Row]:
    """Row by row, what the police say and what the index says of each."""
    about, question = m.card.about, m.card.question
    if about is None or question is None:
        return []
    others = [dict(_parts(one.about)) for one in question.candidates]
    return [Row(name, said, [_cell(said, other[name]) for other in others]) for name, said in _parts(about)]


def _parts(about: ChildIdentity) -> Iterator[tuple[str, str]]:
    yield "Forenames", about.forenames
    yield "Family name", about.family_name
    yield "Date of birth", _day(about.date_of_birth)
    yield "NHS number", about.nhs_number or ""
    yield "Unique pupil number", about.upn or ""


def _cell(said: str, value: str) -> Cell:
    return Cell(value, plain(said).casefold() == plain(value).casefold() if said and value else None)


def _differs(one: OpenCandidate) -> str:
    return f"When it was asked: {words.agreement(one)}."


def _name(about: ChildIdentity) -> str:
    born = _day(about.date_of_birth)
    return f"{about.forenames} {about.family_name}".strip() + (f", born {born}" if born else "")


def _day(born: date | None) -> str:
    return words.day(born) if born else ""
