"""What the broker is asked: where each log begins and ends, how each group stands. Nothing of any event is read.

Groups' offsets are asked for as bus/groups.py does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import OffsetSpec

from services.bus.broker import Partition
from services.bus.errors import SafebusError, Surroundings
from services.bus.groups import Groups
from services.bus.kafka import ANSWER_WITHIN, KafkaBroker
from services.bus.translating import translated

GONE = "dead"
"""Kafka's word for a group that it does not know."""
STABLE = "stable"
"""And for one whose partitions are shared out."""


@dataclass(frozen=True, slots=True)
class Log:
    """Where one partition's log begins and ends."""

    topic_id: str
    begin: int
    end: int
    fault: str | None = None
    """Why this is not known; begin and end are -1 then."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one group stands."""

    state: str
    members: int
    assigned: frozenset[str]
    """Topics of which its members have partitions; empty while they are shared out anew."""
    committed: Mapping[Partition, int]


@dataclass(frozen=True, slots=True)
class Sounding:
    """Everything as the broker said it within one round of questions."""

    at: datetime
    logs: Mapping[Partition, Log]
    groups: Mapping[str, Standing]


class Found(NamedTuple):
    """The first record that is at least as new as was asked for."""

    offset: int
    time_ms: int


class Asking(KafkaBroker):
    """One principal's questions. It needs the right to describe the topics and groups, and no other."""

    _groups: Groups | None = None

    async def sound(self, expected: Collection[str], topics: Collection[str]) -> Sounding:
        """How everything stands now.

        The order of the questions keeps a group that reads meanwhile from looking lost or beyond the end: first where
        the logs begin, then the groups, then where the logs end.

        Args:
            expected: groups that are told of even if the broker has never heard of them.
            topics: of which logs; absent ones are left out.

        Raises:
            Surroundings: the broker, or a group's coordinator, did not answer.
            NotPermitted: it refuses this principal.
        """
        found = await self._partitions(topics)
        led = [place for place, log in found.items() if log.fault is None]
        names = {*expected, *await self._listed()}
        begins = await self.begins(led)
        described = await self._described(sorted(names))
        committed = await self._committed([name for name in described if described[name][0] != GONE])
        at = datetime.now(UTC)
        ends = await self.ends(led)
        logs = found | {place: Log(found[place].topic_id, begins[place], ends[place]) for place in led}
        groups = {name: Standing(*described[name], committed.get(name, {})) for name in described}
        return Sounding(at, logs, groups)

    async def first_since(self, asked: Mapping[Partition, int]) -> dict[Partition, Found | None]:
        """Of each partition the first record that the broker took at this moment (ms since 1970) or later."""
        answers = await self.offsets({place: OffsetSpec.for_timestamp(ms) for place, ms in asked.items()})
        return {
            place: None if answer.offset < 0 else Found(answer.offset, answer.timestamp)
            for place, answer in answers.items()
        }

    async def close(self) -> None:
        await super().close()
        await self._let_go()

    async def _partitions(self, topics: Collection[str]) -> dict[Partition, Log]:
        asked = self._ask().describe_topics(TopicCollection(list(topics)), request_timeout=ANSWER_WITHIN)
        found = {}
        for name, future in asked.items():
            described = await self._answer(future, missing_is_none=True)
            for part in described.partitions if described is not None else ():
                fault = None if part.leader is not None and part.leader.id >= 0 else "no broker leads this partition"
                found[name, part.id] = Log(str(described.topic_id), -1, -1, fault)
        return found

    async def _listed(self) -> set[str]:
        """Groups that the broker lets us see."""
        answer = await self._answer(self._ask().list_consumer_groups(request_timeout=ANSWER_WITHIN))
        if answer.errors:
            first = answer.errors[0]
            error = first.args[0] if isinstance(first, KafkaException) else first
            raise Surroundings(f"the broker did not list its groups ({error.name()})")
        return {group.group_id for group in answer.valid}

    async def _described(self, groups: list[str]) -> dict[str, tuple[str, int, frozenset[str]]]:
        if not groups:
            return {}
        asked = self._ask().describe_consumer_groups(groups, request_timeout=ANSWER_WITHIN)
        found = {}
        for name, future in asked.items():
            answer = await self._answer(future)
            shared = (place.topic for member in answer.members for place in member.assignment.topic_partitions)
            found[name] = (answer.state.name.lower(), len(answer.members), frozenset(shared))
        return found

    async def _committed(self, groups: Iterable[str]) -> dict[str, dict[Partition, int]]:
        try:
            async with translated(self.principal, "asking how far groups have read", 2 * ANSWER_WITHIN):
                if self._groups is None:
                    self._groups = Groups(**self.aiokafka())
                    await self._groups.start()
                return {name: await self._groups.offsets_of(name) for name in groups}
        except SafebusError:
            await self._let_go()
            raise

    async def _let_go(self) -> None:
        groups, self._groups = self._groups, None
        if groups is not None:
            await groups.close()
