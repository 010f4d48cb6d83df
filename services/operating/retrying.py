"""Sends dead letters' originals again, through the door that they came by, and hears what becomes of each.

Each step stands in the log before the next one: what is about to be sent, where it was sent, what came of it. Killed
anywhere and run again, nothing has an effect twice: a service decides a dead event once more, and once only, however
often its original comes (DESIGN.md §1, rule 7).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, cast

from services.bus import groups
from services.bus.broker import Partition, Sending
from services.bus.errors import NotPermitted, Unacknowledged, UserMistake
from services.bus.events import OperatorAct, OperatorActed
from services.bus.heard import RETRY_HEADER
from services.bus.run import broker_for
from services.bus.settings import Settings
from services.operating.acts import OPERATOR, Acts
from services.operating.letters import ABOUT, Letter, Original, fetched, gather
from services.operating.plan import Plan, Sent
from services.operating.reading import Log

RETRIES: Final = "retries"
"""The principal that writes where dead letters came from, and reads nothing."""
AT_ONCE: Final = 50
"""Originals between two notes in the log: so many may be sent a second time, without effect, after a crash."""
LOOK_AGAIN: Final = 0.3
"""Seconds."""
DONE, DEAD, REPEATED, UNSENT, UNHEARD = "done", "dead", "repeated", "not sent", "not heard yet"


@dataclass(slots=True)
class Outcome:
    """What became of one dead letter."""

    letter: Letter
    became: str
    why: str = ""
    """In words, unless it is done."""

    @property
    def good(self) -> bool:
        return self.became in (DONE, REPEATED)


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where an original stands now: in this partition, at or after `begin`, before `end`."""

    place: Partition
    begin: int
    end: int
    again: bool
    """It may have been sent before too."""


Told = Callable[[int], object]
"""How many dead letters have come that far."""


class Retrying:
    """`async with Retrying(at) as retrying: await retrying.send(…); await retrying.hear(…)`."""

    def __init__(self, at: Settings) -> None:
        self._at = at
        self._acts = Acts(at)
        self._broker = broker_for(at, RETRIES)
        self._writer = self._broker.writer()
        self._asking = broker_for(at, OPERATOR)
        self._standing: dict[str, _Standing] = {}
        self._letters: dict[str, Letter] = {}
        self.unsent: list[Outcome] = []

    async def __aenter__(self) -> Self:
        await self._acts.__aenter__()
        try:
            await self._writer.start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        await self._writer.stop()
        await self._broker.close()
        await self._asking.close()
        await self._acts.__aexit__(kind, error, trace)

    async def send(self, plan: Plan, sent: Told) -> None:
        """Send what is planned, in the order in which it first stood.

        Raises:
            NotPermitted: `retries` may not write there, or `operator` may not log it; nothing more is sent.
            Unacknowledged: unknown whether the last ones were taken; the same command goes on.
        """
        for one in plan.waiting:
            act = one.last(OperatorAct.RETRIED)
            assert act is not None
            place = (one.said.origin_topic, act.sent_partition or 0)
            self._note(one, _Standing(place, one.said.origin_offset + 1, act.sent_before or 0, again=False))
        for start in range(0, len(plan.send), AT_ONCE):
            some = plan.send[start : start + AT_ONCE]
            ready = [(one, came) for one in some if (came := await self._original(one)) is not None]
            await self._acts.log([act for one, _ in ready for act in self._about(one, OperatorAct.RETRYING)])
            await self._send(ready)
            sent(sum(len(one.letters) for one in some))

    async def _original(self, one: Sent) -> Original | None:
        try:
            return await fetched(one.letters[0].said, self._at)
        except UserMistake as mistake:
            self.unsent += [Outcome(letter, UNSENT, str(mistake)) for letter in one.letters]
            return None

    async def _send(self, ready: Sequence[tuple[Sent, Original]]) -> None:
        by_partition: dict[Partition, list[Sending]] = defaultdict(list)
        for one, came in ready:
            by_partition[one.place[:2]].append(_again(one, came))
        before = await self._asking.ends(by_partition)
        await asyncio.gather(*(self._sent(place, records) for place, records in by_partition.items()))
        after = await self._asking.ends(by_partition)
        acts = []
        for one, _ in ready:
            place = one.place[:2]
            acts += self._about(one, OperatorAct.RETRIED, sent_partition=place[1], sent_before=after[place])
            for letter in one.letters:
                self._note(letter, _Standing(place, before[place], after[place], one.begun_before))
        await self._acts.log(acts)

    async def _sent(self, place: Partition, records: Sequence[Sending]) -> None:
        try:
            await self._writer.send(place, records)
        except Unacknowledged as error:
            if "Authorization" in type(error.__cause__).__name__:
                raise NotPermitted(
                    f"{RETRIES} may not write {place[0]}; has `safebus topics apply` been run since the catalogue "
                    "lists it?"
                ) from None
            raise

    def _note(self, letter: Letter, standing: _Standing) -> None:
        self._letters[letter.id], self._standing[letter.id] = letter, standing

    def _about(self, one: Sent, act: OperatorAct, **more: int | str) -> list[OperatorActed]:
        return [self._act(letter, act, **more) for letter in one.letters]

    def _act(self, letter: Letter, act: OperatorAct, **more: int | str) -> OperatorActed:
        said = letter.said
        of: dict[str, Any] = {"service": said.service, "event_id": said.event_id, "event_source": said.event_source}
        return self._acts.acted(act, f"{ABOUT}{letter.id}", **(of | more))

    async def hear(self, seconds: float, heard: Told) -> list[Outcome]:
        """What became of each, in the order in which they were sent; those that no service has come to within so many
        seconds are told as not heard yet."""
        end = asyncio.get_running_loop().time() + seconds
        passed: set[str] = set()
        while len(passed) < len(self._standing):
            new = await self._passed() - passed
            passed |= new
            heard(len(new))
            if asyncio.get_running_loop().time() > end:
                break
            if len(passed) < len(self._standing):
                await asyncio.sleep(LOOK_AGAIN)
        outcomes = await self._outcomes(passed)
        told = [(one, one.became) for one in outcomes if one.became in (DONE, DEAD, REPEATED)]
        await self._acts.log([self._told(one.letter, became) for one, became in told])
        return [*outcomes, *self.unsent]

    def _told(self, letter: Letter, became: str) -> OperatorActed:
        standing = self._standing[letter.id]
        more: Mapping[str, int | str] = {"sent_partition": standing.place[1], "sent_before": standing.end}
        return self._act(letter, OperatorAct.RETRIED, became=became, **more)

    async def _passed(self) -> set[str]:
        """Letters whose service has decided everything before where the original stands now."""
        by_service: dict[str, dict[Partition, list[str]]] = defaultdict(lambda: defaultdict(list))
        for letter_id, standing in self._standing.items():
            by_service[self._letters[letter_id].said.service][standing.place].append(letter_id)
        found = set[str]()
        for service, places in by_service.items():
            committed = (await groups.committed(self._asking, [service]))[service]
            for place, ids in places.items():
                found |= {one for one in ids if committed.get(place, 0) >= self._standing[one].end}
        return found

    async def _outcomes(self, passed: set[str]) -> list[Outcome]:
        """A service writes the dead letter before it commits, so the topic has it by now, if it died."""
        died: dict[tuple[str, Partition], list[Letter]] = defaultdict(list)
        if passed:
            async with Log(self._at) as log:
                for one in await gather(log):
                    died[one.said.service, (one.said.origin_topic, one.said.origin_partition)].append(one)
        return [
            self._outcome(self._letters[one], standing, one in passed, died) for one, standing in self._standing.items()
        ]

    def _outcome(
        self,
        letter: Letter,
        standing: _Standing,
        passed: bool,
        died: Mapping[tuple[str, Partition], Sequence[Letter]],
    ) -> Outcome:
        if not passed:
            why = f"{letter.said.service} has not come to it yet; does it run? The same command tells later"
            return Outcome(letter, UNHEARD, why)
        for other in died.get((letter.said.service, standing.place), ()):
            here = standing.begin <= other.said.origin_offset < standing.end
            if here and other.event == letter.event and (other.is_retry or other.said.body_claim):
                return Outcome(letter, DEAD, f"{other.code}: {other.said.explanation}, as {other.id}")
        if standing.again:
            return Outcome(letter, REPEATED, "an earlier retry that was broken off may have done it already")
        return Outcome(letter, DONE)


def _again(one: Sent, came: Original) -> Sending:
    """The original bytes and headers, and the header that has a service decide a dead event once more. Key and header
    values may be absent, as they were."""
    headers = [*came.headers, (RETRY_HEADER, one.letters[0].id.encode())]
    return Sending(cast("bytes", came.key), came.body, cast("Sequence[tuple[str, bytes]]", headers))
