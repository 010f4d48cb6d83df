"""How far services have come: where logs end, and what each group has committed. Asked as the operator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from services.bus import groups
from services.bus.broker import Partition
from services.bus.errors import NotPermitted, Surroundings
from services.bus.run import broker_for
from services.bus.settings import Settings

PATIENCE: Final = 15.0
"""Seconds."""

T = TypeVar("T")


class Groups:
    """Reads nothing and joins nothing. A service's group has the service's name."""

    def __init__(self, at: Settings, principal: str) -> None:
        self._principal = principal
        self._broker = broker_for(at, principal)
        self._admin = AdminClient(self._broker.confluent())

    async def partitions(self) -> dict[str, int]:
        """How many partitions each topic has that is there.

        Raises:
            Surroundings: the broker is away.
        """

        def ask() -> dict[str, int]:
            found: Mapping[str, Any] = self._admin.list_topics(timeout=PATIENCE).topics
            return {name: len(topic.partitions) for name, topic in found.items()}

        return await self._asked(ask)

    async def ends(self, places: Collection[Partition]) -> dict[Partition, int]:
        """The offset that each one's next record gets."""

        def ask() -> dict[Partition, int]:
            wanted: dict[TopicPartition, Any] = {TopicPartition(*place): OffsetSpec.latest() for place in places}
            asked = self._admin.list_offsets(wanted, request_timeout=PATIENCE) if wanted else {}
            return {(place.topic, place.partition): int(future.result().offset) for place, future in asked.items()}

        return await self._asked(ask)

    async def committed(self, service: str, places: Iterable[Partition]) -> dict[Partition, int]:
        """What that service's group has committed there; 0 where nothing."""
        found = (await groups.committed(self._broker, [service]))[service]
        return {place: found.get(place, 0) for place in places}

    async def _asked(self, ask: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(ask)
        except KafkaException as error:
            if "AUTH" in error.args[0].name():
                raise NotPermitted(f"the broker refused {self._principal} ({error.args[0].name()})") from error
            raise Surroundings(f"the broker is away ({error.args[0].name()})") from error
