"""What is kept of an event: ids, codes and times, enough to count and no more.

No name, NHS number, date of birth, narrative or reason is ever in a fact. A child is the opaque child_id, which joins
its facts and is never shown. Times are UTC microseconds. A fact is a tuple, kept as a JSON array with its letter first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Organisation(NamedTuple):
    """One version of an organisation's entry: what it is called, and the authority it lies in."""

    organisation: str
    version: int
    name: str
    area: str | None


class Notified(NamedTuple):
    child: str
    incident: str
    disclosure: str
    force: str
    door: str
    kinds: list[str]
    wanted: str
    hidden: bool
    """Here and below: the event says that the child's place must stay unknown (H2)."""
    at: int
    """Here and below: when it was said, by its ce_time."""
    told: int
    """Here and below: from when on it could be read (hearing.py)."""


class Contacted(NamedTuple):
    child: str
    enquiry: str
    contact: str
    role: str
    organisation: str | None
    grading: str
    hidden: bool
    at: int


class Alerted(NamedTuple):
    child: str
    disclosure: str
    role: str
    cause: str
    """Identity of the notification that it follows from."""
    due: int | None
    hidden: bool
    at: int
    told: int


class Read(NamedTuple):
    disclosure: str
    at: int


class Decided(NamedTuple):
    child: str
    enquiry: str
    decision: str
    closes: bool
    triage: bool
    reasoned: bool
    """It has a rationale, and a reason that may be shared."""
    hidden: bool
    at: int


class Shared(NamedTuple):
    child: str
    enquiry: str
    hidden: bool
    told: int


class Cued(NamedTuple):
    decision: str


class HealthTold(NamedTuple):
    child: str
    role: str
    cause: str
    hidden: bool
    told: int


class Asked(NamedTuple):
    child: str
    request: str
    disclosure: str
    agency: str
    categories: list[str]
    due: int | None
    hidden: bool
    at: int


class Answered(NamedTuple):
    request: str
    categories: list[str]
    """Those that have an answer: silence is none (N4)."""
    at: int


class Due(NamedTuple):
    child: str
    disclosure: str | None
    due: int
    hidden: bool


class Met(NamedTuple):
    meeting: str
    version: int
    enquiry: str
    children: list[str]
    hidden: bool
    held: int


class Handed(NamedTuple):
    meeting: str
    recipient: str
    role: str
    absent: bool
    held: int
    told: int


class Matter(NamedTuple):
    """One version of a matter on the handover board."""

    matter: str
    version: int
    state: str
    team: str
    taken_by: str | None
    """The side of the worker who has it."""
    taken: int | None
    waiting: int | None
    handed: int | None


class Unreadable(NamedTuple):
    """An event that could not be decoded: it is missing from some figure, and is counted for that."""

    topic: str


class Passed(NamedTuple):
    """Nothing is kept of an event that was heard before, or that no figure needs: only that the log was read so far."""


Fact = (
    Organisation
    | Notified
    | Contacted
    | Alerted
    | Read
    | Decided
    | Shared
    | Cued
    | HealthTold
    | Asked
    | Answered
    | Due
    | Met
    | Handed
    | Matter
    | Unreadable
    | Passed
)

LETTERS: Mapping[str, type[Fact]] = {
    "o": Organisation, "n": Notified, "c": Contacted, "a": Alerted, "r": Read, "d": Decided, "s": Shared, "q": Cued,
    "h": HealthTold, "i": Asked, "j": Answered, "u": Due, "m": Met, "p": Handed, "b": Matter, "x": Unreadable,
    "z": Passed,
}  # fmt: skip
_LETTER = {kind: letter for letter, kind in LETTERS.items()}


class Kept(NamedTuple):
    """A fact as it stands in the table: what it is, and where in the log its event was."""

    fact: Fact
    topic: str
    partition: int
    offset: int


def pack(kept: Kept) -> bytes:
    """Its bytes in the table."""
    fact = kept.fact
    return json.dumps(
        [_LETTER[type(fact)], kept.topic, kept.partition, kept.offset, *fact], separators=(",", ":")
    ).encode()


def unpack(raw: bytes) -> Kept:
    """The fact that `pack` made these bytes of."""
    letter, topic, partition, offset, *fields = json.loads(raw)
    return Kept(LETTERS[letter](*fields), topic, partition, offset)


def micros(at: datetime) -> int:
    """UTC microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """The other way round."""
    return _EPOCH + at * _MICROSECOND
