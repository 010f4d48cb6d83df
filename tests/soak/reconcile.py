"""Whether all came out even: what was sent and owed, what the log says, and what stands in the inboxes. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.bus.events import (
    DeadlineMissed,
    HealthUpdated,
    MinutesDistributed,
    OutcomeShared,
    PoliceNotified,
    Role,
    SchoolAlerted,
)
from tests.soak.ledger import Owed

TOLD_BY_THE_STORY = (
    PoliceNotified.topic,
    SchoolAlerted.topic,
    OutcomeShared.topic,
    HealthUpdated.topic,
    MinutesDistributed.topic,
)
SHOWN = 5
"""So many of what is wrong in one way are named."""


@dataclass(frozen=True)
class Told:
    """A disclosure as the log has it: the first record that says it."""

    disclosure_id: str
    topic: str
    recipient: str
    about: str
    root: str
    partition: int
    offset: int
    role: str = ""
    """In which the recipient is told."""


@dataclass(frozen=True)
class Entry:
    """A disclosure as it stands in an inbox."""

    number: int
    disclosure_id: str
    topic: str


@dataclass
class Seen:
    """Everything that is compared."""

    owed: set[Owed] = field(default_factory=set)
    log: list[Told] = field(default_factory=list)
    """Each disclosure once; see `repeats`."""
    repeats: int = 0
    """Records that say again what was said before, with the same id and content: harmless, counted."""
    differing: list[str] = field(default_factory=list)
    """Disclosures that were said again with another content."""
    inboxes: dict[str, list[Entry]] = field(default_factory=dict)
    """By organisation, by pages."""
    began_at: dict[str, int] = field(default_factory=dict)
    """The number before which an inbox's entries are of an earlier run."""
    streamed: dict[str, list[tuple[str, int, str]]] = field(default_factory=dict)
    """By organisation, as the live stream gave them: epoch, number, disclosure id."""
    decisions: dict[str, list[str]] = field(default_factory=dict)
    """By child, in the order in which they were acknowledged."""
    malformed: set[str] = field(default_factory=set)
    letters: list[tuple[str, str]] = field(default_factory=list)
    """Dead letters: the id of the event, the reason's code."""
    receipts: set[str] = field(default_factory=set)
    """Disclosures whose reading was acknowledged."""
    deadlines: dict[str, str | None] = field(default_factory=dict)
    """Those that were set, with the disclosure that is to be read, if it is such a one."""
    met: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    all_due: bool = False
    """Every deadline's time has passed, so each has ended."""
    ended_at: datetime | None = None


def findings(seen: Seen) -> list[str]:
    """What is wrong, each way in one sentence; empty if nothing is."""
    return [*_owed(seen), *_inboxes(seen), *_order(seen), *_letters(seen), *_deadlines(seen)]


def _owed(seen: Seen) -> Iterator[str]:
    """Everyone was told what they had to be told, once, and nothing else."""
    told = Counter(
        Owed.of(one.topic, one.recipient, one.about, one.root) for one in seen.log if one.topic in TOLD_BY_THE_STORY
    )
    yield from _named("lost: nobody was told", seen.owed - told.keys())
    twice = [one for one, times in told.items() if times > 1 and one not in told_again(seen)]
    yield from _named("told twice, under two ids", twice)
    yield from _named("told, and nobody was to be", told.keys() - seen.owed)
    yield from _named("said again with another content", seen.differing)


def told_again(seen: Seen) -> set[Owed]:
    """A school that raised the concern about its own pupil, and whose contact came after the decision.

    It was told as the pupil's school, and is told once more as who raised it, since that has a clock of its own (H14).
    """
    roles: dict[Owed, list[str]] = defaultdict(list)
    for one in seen.log:
        if one.topic == OutcomeShared.topic:
            roles[Owed.of(one.topic, one.recipient, one.about, one.root)].append(one.role)
    return {owed for owed, found in roles.items() if sorted(found) == [Role.REFERRER, Role.SCHOOL]}


def _inboxes(seen: Seen) -> Iterator[str]:
    """Each disclosure of the log stands once, in its recipient's inbox, without a gap; streams say the same."""
    mine = {one.disclosure_id: one for one in seen.log}
    places: dict[str, list[str]] = defaultdict(list)
    for organisation, entries in seen.inboxes.items():
        numbers = [entry.number for entry in entries]
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"the inbox of {organisation} has a gap, or a number twice, among {len(numbers)}"
        new = [entry for entry in entries if entry.number > seen.began_at.get(organisation, 0)]
        for entry in new:
            places[entry.disclosure_id].append(organisation)
        streamed = [(number, disclosure) for _, number, disclosure in seen.streamed.get(organisation, [])]
        if streamed != [(entry.number, entry.disclosure_id) for entry in new]:
            yield f"the stream of {organisation} gave {len(streamed)} entries, its pages have other {len(new)}"
    yield from _named("in no inbox", [one for one in mine if one not in places])
    yield from _named("in an inbox twice", [one for one, where in places.items() if len(where) > 1 and one in mine])
    wrong = [one for one, where in places.items() if one in mine and where != [mine[one].recipient] * len(where)]
    yield from _named("in an inbox of somebody else", wrong)


def _order(seen: Seen) -> Iterator[str]:
    """Of one child and topic what came first in the log is first in the inbox; decisions keep the council's order."""
    mine = {one.disclosure_id: one for one in seen.log}
    for organisation, entries in seen.inboxes.items():
        by_key: dict[tuple[str, str], list[int]] = defaultdict(list)
        health: dict[str, list[str]] = defaultdict(list)
        for entry in entries:
            if told := mine.get(entry.disclosure_id):
                by_key[told.topic, told.about].append(told.offset)
                if told.topic == HealthUpdated.topic:
                    health[told.about].append(told.root)
        for (topic, about), offsets in by_key.items():
            if offsets != sorted(offsets):
                yield f"out of order in the inbox of {organisation}: {topic} about {about}"
        for child, roots in health.items():
            if roots != [one for one in seen.decisions.get(child, []) if one in set(roots)]:
                yield f"decisions out of order in the inbox of {organisation}: {child}"


def _letters(seen: Seen) -> Iterator[str]:
    """What no schema explains is a dead letter, once, and nothing else is one."""
    letters = Counter(event for event, _ in seen.letters)
    yield from _named("malformed and no dead letter", seen.malformed - letters.keys())
    yield from _named("a dead letter twice", [one for one, times in letters.items() if times > 1])
    yield from _named("a dead letter without need", [one for one in seen.letters if one[0] not in seen.malformed])


def _deadlines(seen: Seen) -> Iterator[str]:
    """Each ends in one way at most twice: missed, and then met late; what was read in time is met."""
    for what, ended in (("met", seen.met), ("missed", seen.missed)):
        yield from _named(f"a deadline {what} twice", [one for one, times in Counter(ended).items() if times > 1])
        yield from _named(f"a deadline {what} that was never set", set(ended) - seen.deadlines.keys())
    met = set(seen.met)
    read = [one for one, disclosure in seen.deadlines.items() if disclosure in seen.receipts]
    yield from _named("read, yet its deadline is not met", [one for one in read if one not in met])
    if seen.all_due:
        over = met | set(seen.missed)
        yield from _named(
            "a deadline that has passed and was forgotten", [one for one in seen.deadlines if one not in over]
        )


def _named(what: str, which: Iterable[object]) -> Iterator[str]:
    found = sorted(map(str, which))
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        yield f"{what}: {len(found)}, {'; '.join(found[:SHOWN])}{more}"


def counts(seen: Seen) -> dict[str, int]:
    """What came of it all, in numbers."""
    mine = {one.disclosure_id for one in seen.log}
    by_topic = Counter(one.topic for one in seen.log)
    return {
        "owed": len(seen.owed),
        "disclosures": len(seen.log),
        "told again as who raised it": len(told_again(seen)),
        "escalations": by_topic[DeadlineMissed.topic],
        "repeats": seen.repeats,
        "in inboxes": sum(entry.disclosure_id in mine for entries in seen.inboxes.values() for entry in entries),
        "read": len(seen.receipts),
        "dead letters": len(seen.letters),
        "deadlines set": len(seen.deadlines),
        "deadlines met": len(set(seen.met)),
        "deadlines missed": len(set(seen.missed)),
        "deadlines open": len(seen.deadlines.keys() - set(seen.met) - set(seen.missed)),
    }


def without(entries: Sequence[Entry], index: int) -> list[Entry]:
    """An inbox that has lost one entry, as a fault would leave it."""
    return [entry for at, entry in enumerate(entries) if at != index]
