"""Every dead letter with what became of it: a fold of `dead-letters.v1` and of what operators did about them.

A letter is open until it is retried or discarded. Nothing but the two topics is asked, so whoever folds them, and
however often, finds the same.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Final

from services.bus.broker import Header
from services.bus.claims import Claims
from services.bus.codec import event_types
from services.bus.deadletters import HELD, WHOLE_RECORD
from services.bus.envelope import Event
from services.bus.errors import NotPermitted, Surroundings, UserMistake
from services.bus.events import (
    DeadLetter,
    Grading,
    OperatorAct,
    OperatorActed,
    YesNoUnknown,
)
from services.bus.heard import RETRY_HEADER, Heard
from services.bus.settings import Settings
from services.operating.meaning import code
from services.operating.reading import Log, Progress, Read

ABOUT: Final = "dead-letter:"
"""Begins `about` of an act that is about a dead letter."""
SHORT: Final = 8
"""Characters of an id that lists show; a command takes any beginning that is one letter's alone."""
INCIDENTS: Final = ("police.incidents.v1", "police.notifications.v1", "police.unmatched.v1", "encompass.alerts.v1")
GRADED: Final = (*INCIDENTS, "mash.contacts.v1", "mash.information-requests.v1")
NOBODY_WAITS: Final = ("handover.", "receipts.", "directory.", "deadlines.met.", "sandbox.", "dead-letters.")
"""Beginnings of topics whose dead letters keep nobody from being told."""


class State(StrEnum):
    """Where a dead letter stands."""

    OPEN = "open"
    RETRIED = "retried"
    DISCARDED = "discarded"


class Urgency(IntEnum):
    """How bad it may be that this was not processed; what is not known ranks as the worst plausible (H7)."""

    LATER = 0
    """Nobody waits to be told."""
    WAITING = 1
    """Somebody has not been told of something."""
    URGENT = 2
    """It is graded red, or nobody knows how it is graded."""
    IMMEDIATE = 3
    """A child is in immediate danger, or may be."""


@dataclass(slots=True)
class Letter:
    """One dead letter and what became of it."""

    said: DeadLetter
    acts: list[OperatorActed] = field(default_factory=list)
    """What was done about it, in the log's order."""
    state: State = State.OPEN
    became: str | None = None
    """Of a retried one: done, dead, repeated; None while nobody knows."""
    again: str | None = None
    """Of a retried one that died again: the id of that dead letter."""
    urgency: Urgency = Urgency.LATER

    @property
    def id(self) -> str:
        return str(self.said.dead_letter_id)

    @property
    def code(self) -> str:
        return code(self.said)

    @property
    def is_retry(self) -> bool:
        """Whether it is what came of a retry."""
        return any(header.name == RETRY_HEADER for header in self.said.headers)

    @property
    def event(self) -> tuple[str, str, str] | None:
        """The original's topic, source and id, by which it is tried again. None where it has none; where its id is
        another's; and for a part that is held, since the event itself is done."""
        if self.said.reason_code in (HELD, "id_reused") or not (self.said.event_id and self.said.event_source):
            return None
        return (self.said.origin_topic, self.said.event_source, self.said.event_id)

    def last(self, act: OperatorAct) -> OperatorActed | None:
        """The last act of that kind."""
        return next((one for one in reversed(self.acts) if one.act is act), None)


def fold(letters: Iterable[DeadLetter], acts: Iterable[OperatorActed]) -> list[Letter]:
    """Each dead letter once, with what became of it, in the order in which they came."""
    found: dict[str, Letter] = {}
    for said in letters:
        found.setdefault(str(said.dead_letter_id), Letter(said))  # sent again after a crash, it is the same
    for act in acts:
        if act.about.startswith(ABOUT) and (one := found.get(act.about.removeprefix(ABOUT))):
            one.acts.append(act)
    again: dict[tuple[str, tuple[str, str, str]], Letter] = {}
    for one in found.values():
        if one.is_retry and one.event:
            again.setdefault((one.said.service, one.event), one)
    for one in found.values():
        _settle(one, again.get((one.said.service, one.event)) if one.event and not one.is_retry else None)
    return list(found.values())


def _settle(one: Letter, again: Letter | None) -> None:
    """Where it stands. What stands in the log of dead letters is believed before what somebody noted."""
    if again is not None:
        one.state, one.became, one.again = State.RETRIED, "dead", again.id
    elif retried := one.last(OperatorAct.RETRIED):
        one.state = State.RETRIED
        one.became = retried.became
    if one.last(OperatorAct.DISCARDED):
        one.state = State.DISCARDED


def urgency(letter: DeadLetter, event: Event | None) -> Urgency:
    """How bad it may be. `event` is the original, None where it cannot be read."""
    if letter.origin_topic.startswith(NOBODY_WAITS):
        return Urgency.LATER
    danger = getattr(event, "immediate_danger", None)
    grading = getattr(event, "grading", None) or getattr(event, "priority", None)
    if danger in (YesNoUnknown.YES, YesNoUnknown.UNKNOWN) or (event is None and letter.origin_topic in INCIDENTS):
        return Urgency.IMMEDIATE
    if grading in (Grading.RED, Grading.UNKNOWN) or letter.rule in ("H7", "H8"):
        return Urgency.URGENT
    if event is None and letter.origin_topic in GRADED:
        return Urgency.URGENT
    return Urgency.WAITING


class Original:
    """A dead letter's original record, whole."""

    __slots__ = ("body", "headers", "key")

    def __init__(self, key: bytes | None, body: bytes | None, headers: Sequence[Header]) -> None:
        self.key, self.body, self.headers = key, body, headers


def original(letter: DeadLetter, claims: Claims) -> Original:
    """Key, body and headers as they came, fetched by claim check if they went that way.

    Raises:
        UserMistake: the document store does not have it, or not unchanged.
    """
    headers: list[Header] = [(header.name, header.value) for header in letter.headers]
    if letter.body_claim is None:
        return Original(letter.key, letter.body, headers)
    try:
        kept = claims.get(letter.body_claim)
    except Exception as error:  # noqa: BLE001 - each store has errors of its own, and their text may name a place
        raise UserMistake(
            f"the original of dead letter {str(letter.dead_letter_id)[:SHORT]} is a large one, and the document store "
            f"does not give it ({type(error).__name__}); check SAFEBUS_CLAIMS_URL"
        ) from None
    if letter.body_claim.media_type != WHOLE_RECORD:
        return Original(letter.key, kept, headers)
    whole = json.loads(kept)
    pairs = [(name, None if value is None else b64decode(value)) for name, value in whole["headers"]]
    key, value = (None if whole[name] is None else b64decode(whole[name]) for name in ("key", "value"))
    return Original(key, value, pairs)


async def heard_original(log: Log, letter: DeadLetter, came: Original) -> Heard | None:
    """The original as the service heard it; None where its topic is none of the contract's.

    Raises:
        Surroundings: the registry is away.
    """
    if letter.origin_topic not in event_types():
        return None
    (heard,) = await log.decoded([_record(letter, came)])
    return heard


def _record(letter: DeadLetter, came: Original) -> Read:
    taken = int((letter.origin_time or letter.happened_at).timestamp() * 1000)
    place = letter.origin_topic, letter.origin_partition, letter.origin_offset
    return Read(*place, came.key, came.body, came.headers, taken)


async def gather(log: Log, progress: Progress | None = None) -> list[Letter]:
    """Every dead letter that the topic still holds, with what became of it.

    Raises:
        NotPermitted: this principal may not read them.
        Surroundings: broker or registry is away.
    """
    topics = [DeadLetter.topic, OperatorActed.topic]
    records = [record async for some in log.to_the_end(topics, progress=progress) for record in some]
    if refused := sorted(log.refused & set(topics)):
        raise NotPermitted(f"{log.principal} may not read {' and '.join(refused)}, or `safebus topics apply` is due")
    records.sort(key=lambda record: record.timestamp)
    events = [heard.event for heard in await log.decoded(records)]
    found = fold(
        (event for event in events if isinstance(event, DeadLetter)),
        (event for event in events if isinstance(event, OperatorActed)),
    )
    await _rank(log, found)
    return found


async def _rank(log: Log, letters: Sequence[Letter]) -> None:
    """The open ones by what their originals say, where that can be read; a large one is not fetched for it."""
    for one in letters:
        one.urgency = urgency(one.said, None)
    graded = [one for one in letters if one.state is State.OPEN and one.said.origin_topic in GRADED and one.said.body]
    came = [Original(one.said.key, one.said.body, [(h.name, h.value) for h in one.said.headers]) for one in graded]
    try:
        heard = await log.decoded(_record(one.said, whole) for one, whole in zip(graded, came, strict=True))
    except Surroundings:
        return  # without the registry none can be read, so all rank as the worst plausible
    for one, what in zip(graded, heard, strict=True):
        one.urgency = urgency(one.said, what.event)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are meant. Empty means any."""

    reasons: tuple[str, ...] = ()
    """Codes: `invalid`, `held`, `held:H3`."""
    services: tuple[str, ...] = ()
    older_than: timedelta | None = None
    states: tuple[State, ...] = (State.OPEN,)

    def takes(self, one: Letter, now: datetime) -> bool:
        reason = one.code
        return (
            (not self.reasons or reason in self.reasons or one.said.reason_code in self.reasons)
            and (not self.services or one.said.service in self.services)
            and (self.older_than is None or now - one.said.happened_at >= self.older_than)
            and (not self.states or one.state in self.states)
        )


def worst_first(letters: Iterable[Letter]) -> list[Letter]:
    """The most urgent first; of those alike, the one that has waited longest."""
    return sorted(letters, key=lambda one: (-one.urgency, one.said.happened_at, one.id))


def counts(letters: Iterable[Letter]) -> list[tuple[str, str, int, int]]:
    """(service, code, how many, how many of them immediate), most urgent first: what an alert may count."""
    number: Counter[tuple[str, str]] = Counter()
    immediate: Counter[tuple[str, str]] = Counter()
    worst: dict[tuple[str, str], Urgency] = defaultdict(lambda: Urgency.LATER)
    for one in letters:
        key = (one.said.service, one.code)
        number[key] += 1
        immediate[key] += one.urgency is Urgency.IMMEDIATE
        worst[key] = max(worst[key], one.urgency)
    ordered = sorted(number, key=lambda key: (-worst[key], -number[key], key))
    return [(*key, number[key], immediate[key]) for key in ordered]


def find(letters: Sequence[Letter], beginning: str) -> Letter:
    """The letter whose id begins so.

    Raises:
        UserMistake: none does, or several do.
    """
    wanted = beginning.strip().lower().removeprefix(ABOUT)
    found = [one for one in letters if wanted and one.id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserMistake(f"{len(found)} dead letters begin with {beginning}; give more of the id")
    raise UserMistake(f"there is no dead letter {beginning}; `safebus dead-letters list --state any` shows them all")


async def fetched(letter: DeadLetter, at: Settings) -> Original:
    """`original`, without keeping anybody waiting."""
    return await asyncio.to_thread(original, letter, Claims(at.claims))
